"""Boards that no preset has: a preset with some of its lines changed.

`python -m benchmarks.measured.boards boards` writes them into the folder `boards`, so that the
commands on docs/measured.md run as they stand there.
"""

from __future__ import annotations

import sys
from pathlib import Path

PRESETS = Path(__file__).parents[2] / "simulator" / "presets"
DEFECTS = "[defects]\nopen = 0.005\nshort = 0.005\nstuck_on = 0.005\nstuck_off = 0.005\n\n"
SLOWER = (10, 100, 1000)
"""Factors on both time constants of a preset, 20 µs of a switch and 50 µs of a DAC."""


def _slower(factor: int) -> dict[str, str]:
    return {
        "switch_seconds = 20e-6": f"switch_seconds = {20e-6 * factor:g}",
        "dac_seconds = 50e-6": f"dac_seconds = {50e-6 * factor:g}",
    }


BOARDS: dict[str, tuple[str, dict[str, str]]] = {
    "100x100-defects": ("100x100", {"[wire]": DEFECTS + "[wire]"}),
    **{f"8x4-slower-{factor}": ("8x4", _slower(factor)) for factor in SLOWER},
}
"""Name of each board: the preset that it comes from, and what is replaced in the preset's text."""


def write_boards(folder: Path) -> None:
    """Write every board of `BOARDS` into a folder, as NAME.toml.

    Raises ValueError where a preset does not have a line that a board replaces.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, (preset, changes) in BOARDS.items():
        text = (PRESETS / f"{preset}.toml").read_text("utf-8")
        for old, new in {f'name = "{preset}"': f'name = "{name}"', **changes}.items():
            if text.count(old) != 1:
                raise ValueError(f"{preset}.toml has {text.count(old)} times {old!r}, not once")
            text = text.replace(old, new)
        (folder / f"{name}.toml").write_text(text, "utf-8")


if __name__ == "__main__":
    write_boards(Path(sys.argv[1] if len(sys.argv) > 1 else "boards"))
