"""Draw docs/architecture.svg from the import contracts in pyproject.toml.

Run it as `python docs/architecture_picture.py` where a floor has changed. A test compares the file
with what the contracts say.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
BOX_WIDTH, FLOOR_HEIGHT, GAP, MARGIN, HEAD = 300, 34, 8, 16, 56
TITLES = ("the house", "inside calibration", "inside instrument")
INK, PAPER, FILL, EDGE = "#1f2933", "#ffffff", "#e8f0f7", "#5b7b99"


def floors(root: Path = ROOT) -> list[list[list[str]]]:
    """Return the contracts of type layers: lists of floors, the top floor first.

    A floor is a list of rooms that do not know one another.
    """
    with (root / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return [
        [[room.strip() for room in floor.split("|")] for floor in contract["layers"]]
        for contract in contracts
        if contract["type"] == "layers"
    ]


def picture(houses: list[list[list[str]]]) -> str:
    """Return an SVG of houses side by side, the top floor above, arrows pointing down."""
    height = HEAD + max(map(len, houses)) * (FLOOR_HEIGHT + GAP) + MARGIN
    width = len(houses) * (BOX_WIDTH + 2 * MARGIN) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="{INK}">',
        "<title>Floors of the packages: a floor imports from floors below it</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
    ]
    for index, house in enumerate(houses):
        left = MARGIN + index * (BOX_WIDTH + 2 * MARGIN)
        parts += _house(house, left, TITLES[index])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _house(house: list[list[str]], left: int, title: str) -> list[str]:
    bottom = HEAD + len(house) * (FLOOR_HEIGHT + GAP) - GAP
    arrow = left + BOX_WIDTH + MARGIN - 4
    parts = [
        f'<text x="{left}" y="24" font-size="15" font-weight="bold">{title}</text>',
        f'<text x="{left}" y="42" font-size="11">imports go down, never up</text>',
        f'<path d="M{arrow} {HEAD} V{bottom} m-4 -8 l4 8 l4 -8" fill="none" stroke="{EDGE}"/>',
    ]
    for number, rooms in enumerate(house):
        top = HEAD + number * (FLOOR_HEIGHT + GAP)
        width = (BOX_WIDTH - GAP * (len(rooms) - 1)) / len(rooms)
        for place, room in enumerate(rooms):
            x = left + place * (width + GAP)
            parts += [
                f'<rect x="{x:g}" y="{top}" width="{width:g}" height="{FLOOR_HEIGHT}" rx="4" '
                f'fill="{FILL}" stroke="{EDGE}"/>',
                f'<text x="{x + width / 2:g}" y="{top + FLOOR_HEIGHT / 2 + 4:g}" '
                f'text-anchor="middle">{room.rpartition(".")[2]}</text>',
            ]
    return parts


if __name__ == "__main__":
    PICTURE.write_text(picture(floors()), encoding="utf-8")
