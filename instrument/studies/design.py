"""Design of a board: search, comparison with rules of thumb, board preset and picture."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from calibration.arrays import Floats
from calibration.studies import (
    CONFIDENCE,
    OURS,
    Expected,
    Gain,
    Goal,
    Parts,
    default_effort,
    expect,
    gain,
    rules_of_thumb,
    search,
)
from instrument.drawing import draw
from instrument.errors import UsageError
from instrument.exit_status import OUT_OF_SPECIFICATION
from instrument.files import write_json, write_text
from instrument.printable import printable
from instrument.progress import step
from instrument.runs import claim_folder
from instrument.studies.board_file import designed_preset, preset_toml
from instrument.studies.design_picture import design_picture
from instrument.studies.files import write_table
from instrument.wording import quantity
from simulator.parts import preferred_values
from simulator.preset import Preset, PresetError, load_preset


@dataclass(frozen=True)
class Effort:
    """Size of a design's search, and its seed."""

    candidates: int
    pairs: int
    seed: int


def effort_of(branches: int, candidates: int | None, pairs: int | None, seed: int) -> Effort:
    """Return the requested effort; defaults depend on the number of branches."""
    usual_candidates, usual_pairs = default_effort(branches)
    return Effort(candidates or usual_candidates, pairs or usual_pairs, seed)


def offered_values(series: str, smallest_ohms: float, largest_ratio: float) -> Floats:
    """Return the values of an E series within the allowed range, ascending, ohms.

    Raises UsageError where there is none.
    """
    exponents = np.arange(-3, 13)
    values = (preferred_values(series) * 10.0 ** exponents[:, None]).ravel()
    # Limits that are values of the series count as within, despite rounding.
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
    """Search, measure what to expect, and write a folder of results; return the exit status.

    It is 0 where the goal is met with confidence, else 1. Raises UsageError where the preset cannot
    be loaded, and as `claim_folder` does.
    """
    try:
        base = load_preset(board)
    except PresetError as error:
        raise UsageError(str(error)) from error
    name = f"design-{parts.branches}-branches-seed{effort.seed}"
    with claim_folder(out, name) as folder:
        document, ours = _searched(parts, goal, effort, base, folder.path)
    console = Console(markup=False, emoji=False)
    if as_json:
        files = {"folder": str(folder.path), "board": str(folder.path / "board.toml")}
        console.out(json.dumps(document | files, indent=2), highlight=False)
    else:
        _print(console, document, ours, folder.path)
    return 0 if document["ok"] else OUT_OF_SPECIFICATION


def _searched(
    parts: Parts, goal: Goal, effort: Effort, base: Preset, folder: Path
) -> tuple[dict[str, Any], Expected]:
    """Search and write the results into a folder; return the document and what to expect."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        with step("search") as report:
            nominal_ohms = search(
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
                {OURS: nominal_ohms} | rules_of_thumb(parts),
                pairs=effort.pairs,
                seed=effort.seed,
                mapper=pool.map,
            )
    ours, *rules = expected
    gains = [gain(ours, rule, goal, seed=effort.seed) for rule in rules]
    document = _document(parts, goal, effort, expected, gains)
    preset_name = f"design-{parts.branches}x{effort.seed}"
    preset = designed_preset(base, parts, nominal_ohms, preset_name)
    write_text(folder / "board.toml", preset_toml(preset, _comments(goal, ours)))
    write_json(folder / "design.json", document)
    write_table(document["compared"], folder / "design.csv")
    svg = draw(lambda figure: design_picture(figure, expected, goal), height_inches=4.0)
    write_text(folder / "design.svg", svg)
    return document, ours


def _document(
    parts: Parts, goal: Goal, effort: Effort, expected: list[Expected], gains: list[Gain]
) -> dict[str, Any]:
    ours, *rules = expected
    return {
        "ok": ours.good_share_interval[0] >= goal.share,
        "goal": {"worst_bits": goal.bits, "yield": goal.share},
        "nominal_ohms": [float(value) for value in ours.nominal_ohms],
        "compared": [
            _row(ours),
            *(
                _row(rule) | _gained(over_rule)
                for rule, over_rule in zip(rules, gains, strict=True)
            ),
        ],
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
            "expectation_pairs": effort.pairs,
        },
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _gained(over_rule: Gain) -> dict[str, Any]:
    low, high = over_rule.interval
    return {
        "gained_bits": over_rule.bits,
        "gained_low": _finite(low),
        "gained_high": _finite(high),
    }


def _row(expected: Expected) -> dict[str, Any]:
    return {
        "values": expected.name,
        "bits": expected.yielded_bits,
        "bits_low": _finite(expected.yielded_bits_interval[0]),
        "bits_high": _finite(expected.yielded_bits_interval[1]),
        "good_share": expected.good_share,
        "good_share_low": expected.good_share_interval[0],
        "good_share_high": expected.good_share_interval[1],
        "median_bits": float(np.median(expected.bits)),
        "worst_bits": float(expected.bits.min()),
        "nominal_ohms": " ".join(f"{value:g}" for value in expected.nominal_ohms),
    }


def _comments(goal: Goal, ours: Expected) -> list[str]:
    row = _row(ours)
    return [
        "Nominal values searched by `ohmsum design`; what is not at the crosspoints is its base's.",
        f"Expected: {_percent(goal.share)} of pairs reach {_headline(row)} at every target up to",
        f"half of their range; {_share(row)} reach {goal.bits:g} bits. 95 % confidence in",
        f"brackets, measured on {ours.bits.size} pairs that had no part in the search.",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"


def _share(row: dict[str, Any]) -> str:
    low, high = 100 * row["good_share_low"], 100 * row["good_share_high"]
    return f"{100 * row['good_share']:.2f} % [{low:.2f}, {high:.2f}]"


def _interval(low: float | None, high: float | None) -> str:
    return f"[{'–' if low is None else f'{low:.2f}'}, {'–' if high is None else f'{high:.2f}'}]"


def _headline(row: dict[str, Any]) -> str:
    return f"{row['bits']:.2f} bits {_interval(row['bits_low'], row['bits_high'])}"


def _print(console: Console, document: dict[str, Any], ours: Expected, folder: Path) -> None:
    goal, rows = document["goal"], document["compared"]
    table = Table(title="Bits at the worst target of a pair, 95 % confidence in brackets")
    for column in ("nominal values", f"{_percent(goal['yield'])} of pairs", "gained", "median"):
        table.add_column(column)
    for row in rows:
        gained = "gained_bits" in row and (
            f"{row['gained_bits']:+.2f} {_interval(row['gained_low'], row['gained_high'])}"
        )
        table.add_row(row["values"], _headline(row), gained or "", f"{row['median_bits']:.2f}")
    console.print(table)
    values, counts = np.unique(ours.nominal_ohms, return_counts=True)
    bought = [
        f"{count} × {quantity(value, 'Ω')}" if count > 1 else quantity(value, "Ω")
        for value, count in zip(values, counts.tolist(), strict=True)
    ]
    lines = [
        f"Buy for each crosspoint: {', '.join(bought)}",
        f"Expect {_headline(rows[0])} in {_percent(goal['yield'])} of pairs: {_verdict(rows)}",
        f"Goal {_outcome(document, ours)}",
        f"Board: ohmsum sim --board {printable(str(folder / 'board.toml'))}",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)


def _verdict(rows: list[dict[str, Any]]) -> str:
    """Return which rules of thumb the search has beaten, in words."""
    ours, *rules = rows
    same = [row["values"] for row in rules if row["nominal_ohms"] == ours["nominal_ohms"]]
    doubtful = [
        row["values"]
        for row in rules
        if row["values"] not in same and (row["gained_low"] is None or row["gained_low"] <= 0)
    ]
    verdicts = [f"the same values as {', '.join(same)}"] if same else []
    verdicts += [f"not shown to beat {', '.join(doubtful)}"] if doubtful else []
    return ", ".join(verdicts) or "better than each rule of thumb"


def _outcome(document: dict[str, Any], ours: Expected) -> str:
    goal, row = document["goal"], document["compared"][0]
    wanted = (
        f"{goal['worst_bits']:g} bits in {_percent(goal['yield'])} of pairs; "
        f"{_share(row)} reach them"
    )
    if document["ok"]:
        return f"met: {wanted}"
    if row["good_share"] < goal["yield"]:
        return f"NOT met: {wanted}"
    # Minimum number of pairs that can show it, if all of them are good (Clopper and Pearson).
    min_pairs = np.log((1 - CONFIDENCE) / 2) / np.log(goal["yield"])
    more = max(int(np.ceil(min_pairs)), 2 * ours.bits.size)
    return f"NOT shown: {wanted}, which is too near to tell: try --pairs {more}"
