"""What has been done, as the commands print it: JSON, or tables for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from instrument.cli.printed_result import stdout_console
from instrument.printable import printable, printable_values
from instrument.wording import recoveries

UNSTATED = "–"
BYTES_PER_KILOBYTE = 1000.0


def print_runs(document: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print a list of runs: as JSON and nothing else, or as a table."""
    if as_json:
        print_json(document)
        return
    console = stdout_console()
    runs = printable_values(document["runs"])
    if not runs:
        console.print(f"No such run in {printable(str(folder))}.", soft_wrap=True)
        return
    table = plain_table("run", "started", "board", "matrix", "bits", "spec")
    for run in runs:
        table.add_row(
            run["id"],
            local_time(run["started"]),
            _board(run),
            run["matrix"] or UNSTATED,
            bits(run["bits"]),
            _verdict(run),
        )
    console.print(table)


def print_figures(figures: dict[str, Any], *, as_json: bool) -> None:
    """Print the figures of one run: as JSON and nothing else, or as tables."""
    if as_json:
        print_json(figures)
        return
    console = stdout_console()
    figures = printable_values(figures)
    table = Table(title=f"Run {figures['id']}", show_header=False, box=SIMPLE_HEAD)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in _rows_of_figures(figures):
        table.add_row(name, text)
    console.print(table)
    if figures["budget"]:
        console.print(_budget(figures))
    files = plain_table("file", "kB")
    for file in figures["files"]:
        files.add_row(file["name"], f"{file['bytes'] / BYTES_PER_KILOBYTE:,.1f}")
    console.print(files)
    console.print(f"Folder: {figures['folder']}", soft_wrap=True)
    console.print(f"Again:  {figures['command']}", soft_wrap=True)


def print_comparison(document: dict[str, Any], *, as_json: bool) -> None:
    """Print two runs side by side: as JSON and nothing else, or as tables."""
    if as_json:
        print_json(document)
        return
    console = stdout_console()
    document = printable_values(document)
    for name, run in zip("AB", document["runs"], strict=True):
        text = f"{name}: {run['id']}, {local_time(run['started'])}, {_board(run)}, {run['folder']}"
        console.print(text, soft_wrap=True)
    if document["settings"]:
        table = plain_table("setting", "A", "B")
        for row in document["settings"]:
            table.add_row(row["setting"], _value(row["a"]), _value(row["b"]))
        console.print(table)
    else:
        console.print("No setting differs.")
    table = plain_table("bits", *_COMPARED)
    for row in document["bits"]:
        table.add_row(row["bits"], bits(row["a"]), bits(row["b"]), _signed(row["difference"]))
    console.print(table)
    if document["budget"]:
        table = plain_table("cause", *_COMPARED)
        for row in document["budget"]:
            table.add_row(
                row["cause"],
                f"{row['a']:.2e}",
                f"{row['b']:.2e}",
                f"{row['difference']:+.1e}",
            )
        console.print(table)
    for sentence in document["words"]:
        console.print(sentence, soft_wrap=True)


def print_exported(run: str, files: Sequence[Path], *, as_json: bool) -> None:
    """Print which files a run was exported to: as JSON and nothing else, or a line for each."""
    if as_json:
        print_json({"run": run, "files": [str(path) for path in files]})
        return
    console = stdout_console()
    for path in files:
        console.print(printable(str(path)), soft_wrap=True)


def print_json(document: dict[str, Any]) -> None:
    """Print a document as JSON and nothing else."""
    stdout_console().out(json.dumps(document, indent=2), highlight=False)


def plain_table(first: str, *others: str) -> Table:
    """Return an empty table with these columns, those of numbers to the right."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(
            name,
            no_wrap=name in _WHOLE,
            overflow="fold",
            justify="right" if name in _NUMBERS else "left",
        )
    return table


_COMPARED = "in A", "in B", "difference"
_NUMBERS = *_COMPARED, "bits", "kB", "relative error"
_WHOLE = "started", *_NUMBERS
"""Columns whose cells stay on one line."""


def bits(value: float | None) -> str:
    """Write bits with two decimals."""
    return UNSTATED if value is None else f"{value:.2f}"


def _signed(value: float | None) -> str:
    return UNSTATED if value is None else f"{value:+.2f}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " × ".join(map(str, value))
    return UNSTATED if value is None else str(value)


def local_time(text: str) -> str:
    """Write a moment of a document in this computer's time, to the minute."""
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"


def _board(run: dict[str, Any]) -> str:
    return " ".join(filter(None, (run["board_type"], run["board"]))) or UNSTATED


def _verdict(run: dict[str, Any]) -> str:
    return {True: "ok", False: "MISSED", None: UNSTATED}[run["ok"]]


def _rows_of_figures(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    shape, calibration, program = figures["shape"], figures["calibration"], figures["program"]
    yield (
        "board",
        f"{_board(figures)}, {shape['rows']} rows, {shape['columns']} columns, "
        f"{shape['branches']:,} branches" + (f" ({figures['bench']})" if figures["bench"] else ""),
    )
    for name, operand in figures["operands"].items():
        if operand:
            sides = " × ".join(map(str, operand["shape"]))
            yield name, f"{operand['name']}, {sides}, SHA-256 {operand['sha256'][:12]}…"
    for name in ("title", "note"):
        if figures[name]:
            yield name, figures[name]
    yield (
        "time",
        f"{local_time(figures['started'])} to {local_time(figures['finished'])}"
        + (f", {figures['wall_seconds']:.1f} s" if figures["wall_seconds"] is not None else ""),
    )
    if calibration:
        yield "calibration", _calibration_in_words(calibration)
    if program:
        idle = ", ".join(
            f"{count} {name}"
            for name, count in (
                ("unreachable", program["unreachable"]),
                ("coarse", program["coarse"]),
                ("outputs lost", len(program["lost_outputs"])),
            )
            if count
        )
        yield (
            "program",
            f"{program['rows']} × {program['outputs']} weights, {program['rounds']} rounds"
            + (f"; {idle}" if idle else ""),
        )
    yield from _precision(figures)
    if figures["recovery"]:
        yield "went on after", recoveries(figures["recovery"])
    yield "versions", ", ".join(f"{name} {number}" for name, number in _versions(figures))
    yield "computer", figures["host"] or UNSTATED


def _calibration_in_words(calibration: dict[str, Any]) -> str:
    bad = [
        f"{count} {name}"
        for name, count in calibration["statuses"].items()
        if count and name != "ok"
    ]
    made = calibration.get("made_at")
    return (
        f"{calibration['branches']:,} branches ({', '.join(bad) or 'all ok'}), "
        f"{calibration['bench_seconds']:.0f} s on the bench"
        + (f", made {local_time(made)}" if made else "")
        + (f"; EXPIRED: {calibration['expired']}" if calibration["expired"] else "")
    )


def _precision(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    validation, wanted = figures["validation"], figures["specification"]
    if validation:
        yield (
            "bits",
            f"{bits(figures['bits'])} measured{_interval(validation['bits_interval'])}, "
            f"{bits(figures['predicted_bits'])} predicted, worst {bits(figures['worst_bits'])} of "
            f"full scale; {validation['vectors']} products"
            + ("" if validation["foreseen"] else "; NOT FORESEEN by the budget"),
        )
        yield (
            "worst outputs",
            "; ".join(
                f"output {output['output'] + 1} {bits(output['bits'])} bits"
                f"{_interval(output['bits_interval'])}, predicted {bits(output['predicted_bits'])}"
                for output in validation["worst_outputs"]
            )
            or UNSTATED,
        )
    if wanted:
        where = "every output" if wanted["scope"] == "output" else "all outputs together"
        verdict = "within" if figures["ok"] else "NOT within"
        yield "specification", f"{verdict} ({wanted['bits']:g} bits, {where})"


def _interval(ends: list[float | None] | None) -> str:
    return "" if ends is None else f" ({bits(ends[0])} to {bits(ends[1])})"


def _versions(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, number in figures["versions"].items():
        if number:
            yield name, number[:12] if name == "commit" else number
    if figures["firmware"]:
        yield "firmware", figures["firmware"]


def _budget(figures: dict[str, Any]) -> Table:
    table = plain_table("cause", "relative error", "bits")
    for row in figures["budget"]["rows"]:
        table.add_row(row["cause"], f"{row['relative_error']:.2e}", bits(row["bits"]))
    table.add_section()
    predicted = figures["budget"]["predicted_relative_error"]
    table.add_row("sum in squares", f"{predicted:.2e}", bits(figures["predicted_bits"]))
    measured = figures["validation"] and figures["validation"]["relative_error"]
    if measured is not None:
        table.add_row("measured", f"{measured:.2e}", bits(figures["bits"]))
    return table
