"""Design a board: search, compare with the rules of thumb, write the preset and the picture."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from calibration.studies.design import Parts
from calibration.studies.search import (
    DECIDING_PAIRS,
    OURS,
    SEARCHED_PAIRS,
    Expected,
    Goal,
    expect,
    rules_of_thumb,
    search,
)
from instrument.cli.console import step
from instrument.cli.exits import OUT_OF_SPECIFICATION
from instrument.errors import UsageError
from instrument.report.pictures import draw
from instrument.report.wording import quantity
from instrument.studies.board_file import designed_preset, preset_toml
from instrument.studies.design_picture import design_picture
from instrument.studies.files import make_folder, write_document, write_table
from simulator.parts.resistors import preferred_values
from simulator.preset import PresetError, load_preset

RESULTS = Path("ohmsum-results")


@dataclass(frozen=True)
class Effort:
    """How long a design may take, and its seed."""

    candidates: int
    pairs: int
    seed: int


def offered_values(series: str, smallest_ohms: float, largest_ratio: float) -> NDArray[np.float64]:
    """Return the values of an E series within the allowed range, ascending, ohm.

    Raises UsageError where there is none.
    """
    exponents = np.arange(-3, 13)
    values = (preferred_values(series) * 10.0 ** exponents[:, None]).ravel()
    # Ends that are values of the series themselves count, whatever their last bit is.
    rounding = 1 + 1e-9
    within = (values * rounding >= smallest_ohms) & (
        values <= smallest_ohms * largest_ratio * rounding
    )
    if not within.any():
        raise UsageError(
            f"no value of {series} between {smallest_ohms:g} and "
            f"{smallest_ohms * largest_ratio:g} ohm: allow a larger --ratio"
        )
    return np.array([float(f"{value:.3e}") for value in values[within]])


def run_design(
    parts: Parts, goal: Goal, effort: Effort, *, board: str, out: Path | None, as_json: bool
) -> int:
    """Search, say what to expect, write a folder of results; return the exit status: 0 where the
    goal is met with confidence, else 1.
    """
    try:
        base = load_preset(board)
    except PresetError as error:
        raise UsageError(str(error)) from error
    folder = out or RESULTS / f"design-{parts.branches}-branches-seed{effort.seed}"
    make_folder(folder)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        with step("search") as report:
            found = search(
                parts,
                goal,
                candidates=effort.candidates,
                seed=effort.seed,
                mapper=pool.map,
                progress=report,
            )
        with step("expect"):
            expected = expect(
                parts,
                goal,
                {OURS: found} | rules_of_thumb(parts),
                pairs=effort.pairs,
                seed=effort.seed,
                mapper=pool.map,
            )
    ours = expected[0]
    document = _document(parts, goal, effort, expected)
    preset = designed_preset(base, parts, found, f"design-{parts.branches}x{effort.seed}")
    (folder / "board.toml").write_text(preset_toml(preset, _comments(goal, ours)), "utf-8")
    write_document(document, folder / "design.json")
    write_table(document["compared"], folder / "design.csv")
    svg = draw(lambda figure: design_picture(figure, expected, goal), height_inches=4.0)
    (folder / "design.svg").write_text(svg, "utf-8")
    console = Console(markup=False, emoji=False)
    if as_json:
        files = {"folder": str(folder), "board": str(folder / "board.toml")}
        console.out(json.dumps(document | files, indent=2), highlight=False)
    else:
        _print(console, document, ours, folder)
    return 0 if document["ok"] else OUT_OF_SPECIFICATION


def _document(parts: Parts, goal: Goal, effort: Effort, expected: list[Expected]) -> dict[str, Any]:
    ours = expected[0]
    return {
        "ok": ours.good_share_interval[0] >= goal.share,
        "goal": {"worst_bits": goal.bits, "yield": goal.share},
        "nominal_ohms": [float(value) for value in ours.nominal_ohms],
        "compared": [_row(one) for one in expected],
        "parts": {
            "branches": parts.branches,
            "tolerance": parts.tolerance,
            "distribution": parts.distribution,
            "smallest_ohms": parts.smallest_ohms,
            "largest_ratio": parts.largest_ratio,
            "on_ohms": parts.on_ohms,
            "on_spread": parts.on_spread,
            "off_ohms": parts.off_ohms,
            "offered": None if parts.offered_ohms is None else len(parts.offered_ohms),
        },
        "effort": {
            "seed": effort.seed,
            "candidates": effort.candidates,
            "search_pairs": SEARCHED_PAIRS,
            "deciding_pairs": DECIDING_PAIRS,
            "expectation_pairs": effort.pairs,
        },
    }


def _row(one: Expected) -> dict[str, Any]:
    def known(value: float) -> float | None:
        return value if np.isfinite(value) else None

    return {
        "values": one.name,
        "good_share": one.good_share,
        "good_share_low": one.good_share_interval[0],
        "good_share_high": one.good_share_interval[1],
        "bits": one.yielded_bits,
        "bits_low": known(one.yielded_bits_interval[0]),
        "bits_high": known(one.yielded_bits_interval[1]),
        "median_bits": float(np.median(one.bits)),
        "worst_bits": float(one.bits.min()),
        "nominal_ohms": " ".join(f"{value:g}" for value in one.nominal_ohms),
    }


def _comments(goal: Goal, ours: Expected) -> list[str]:
    low, high = ours.good_share_interval
    return [
        "Nominal values searched by `ohmsum design`; what is not at the crosspoints is its base's.",
        f"Expected: {ours.good_share:.2%} of pairs ({low:.2%} to {high:.2%}, 95 % confidence, "
        f"{ours.bits.size} pairs)",
        f"reach {goal.bits:g} bits at every target up to half of their range; "
        f"{goal.share:.2%} reach {ours.yielded_bits:.2f} bits.",
    ]


def _print(console: Console, document: dict[str, Any], ours: Expected, folder: Path) -> None:
    goal = document["goal"]
    table = Table(title="Bits at the worst target of a pair, 95 % confidence in brackets")
    for column in (
        "nominal values",
        f"reach {goal['worst_bits']:g} bits",
        f"bits at {goal['yield']:.4g} yield",
        "median",
    ):
        table.add_column(column)
    for row in document["compared"]:
        low, high = (
            "–" if row[end] is None else f"{row[end]:.2f}" for end in ("bits_low", "bits_high")
        )
        table.add_row(
            row["values"],
            f"{row['good_share']:.2%} [{row['good_share_low']:.2%}, {row['good_share_high']:.2%}]",
            f"{row['bits']:.2f} [{low}, {high}]",
            f"{row['median_bits']:.2f}",
        )
    console.print(table)
    values = ", ".join(quantity(value, "Ω") for value in ours.nominal_ohms)
    console.print(f"Buy: {values}", soft_wrap=True)
    verdict = "met" if document["ok"] else "NOT met"
    console.print(f"Goal {verdict}: {goal['worst_bits']:g} bits in {goal['yield']:.4g} of pairs")
    console.print(f"Board: ohmsum sim --board {folder / 'board.toml'}", soft_wrap=True)
