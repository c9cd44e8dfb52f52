"""docs/measured.md: the figures of the record in the page's template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.measured.record import Record
from benchmarks.measured.sections import SECTIONS, Section

TEMPLATE = Path(__file__).parent / "page.md"
NOTHING = "–"
"""A cell of what a run does not state."""

Figures = dict[str, Any]


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _interval(figures: Figures) -> str:
    ends = figures["bits_interval"]
    return NOTHING if ends is None else f"[{ends[0]:.2f}, {ends[1]:.2f}]"


COLUMNS: dict[str, Callable[[Figures], str]] = {
    "command": lambda f: f"`{f['command']}`",
    "bits": lambda f: _number(f["bits"], 2),
    "interval": _interval,
    "predicted": lambda f: _number(f["predicted_bits"], 2),
    "worst bits": lambda f: _number(f["worst_bits"], 2),
    "board s": lambda f: _number(f["board_seconds"], 0),
    "calibration s": lambda f: _number(f["calibration_board_seconds"], 0),
    "processor s": lambda f: _number(f["processor_seconds"], 0),
    "tiles": lambda f: str(f["tiles"]),
    "rounds": lambda f: str(f["rounds"]),
    "residual bits": lambda f: _number(f["residual_bits"], 2),
    "time constant": lambda f: f"{f['time_constant_seconds'] * 1e3:.2g} ms",
    "wait": lambda f: f"{f['settle_seconds'] * 1e3:.3g} ms",
    "watched bits": lambda f: _number(f["visits"][-1]["watched_bits"], 2),
    "watched worst bits": lambda f: _number(f["visits"][-1]["watched_worst_bits"], 2),
    "reprogrammed bits": lambda f: _number(f["reprogrammed"]["bits"], 2),
    "reprogrammed worst bits": lambda f: _number(f["reprogrammed"]["worst_bits"], 2),
    "reprogramming s": lambda f: _number(f["reprogrammed"]["board_seconds"], 0),
}
"""What a column of a table shows of one command's figures."""


def write_page(record: Record, path: Path) -> None:
    """Write the page from the record alone; a section without figures says how to measure it."""
    parts = {"conditions": _conditions(record)}
    for name, section in SECTIONS.items():
        parts[name.replace("-", "_")] = _part(section, record)
    kept = record.sections.get("validation")
    parts["kinds"] = _kinds(kept["measured"][0]) if kept else ""
    parts["causes"] = _causes(kept["measured"][0]) if kept else ""
    page = Template(TEMPLATE.read_text("utf-8")).substitute(parts)
    while "\n\n\n" in page:
        page = page.replace("\n\n\n", "\n\n")
    path.write_text(page, "utf-8")


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _conditions(record: Record) -> str:
    """Return a table of the conditions; sections measured under the same ones share a line."""
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name in SECTIONS:
        if name in record.sections:
            conditions = tuple(sorted(record.sections[name]["conditions"].items()))
            alike.setdefault(conditions, []).append(name)
    if not alike:
        return "Nothing has been measured."
    heads = ["date", "ohmsum", "machine", "Python, numpy, numba", "sections"]
    rows = []
    for conditions, names in alike.items():
        c = dict(conditions)
        machine = f"{c['cores']} cores, {c['processor']}, {c['system']}"
        libraries = f"{c['python']}, {c['numpy']}, {c['numba']}"
        rows.append([c["date"], c["ohmsum"], machine, libraries, ", ".join(names)])
    return _table(heads, rows)


def _part(section: Section, record: Record) -> str:
    kept = record.sections.get(section.name)
    if kept is None:
        return f"Not measured: `python -m benchmarks.measured --section {section.name}`."
    if section.columns:
        rows = [[COLUMNS[name](f) for name in section.columns] for f in kept["measured"]]
        return _table(list(section.columns), rows)
    return "\n\n".join(
        "\n".join([f"`{printed['command']}`", "", "```text", *printed["text"], "```"])
        for printed in kept["measured"]
    )


def _kinds(figures: Figures) -> str:
    rows = [
        [kind["kind"], _number(kind["bits"], 2), _number(kind["worst_bits"], 2)]
        for kind in figures["kinds"]
    ]
    return _table(["what", "bits", "worst bits"], rows)


def _causes(figures: Figures) -> str:
    rows = [[row["cause"], _number(row["bits"], 1)] for row in figures["causes"]]
    return _table(["cause", "bits"], rows)
