"""What a person sees while a command runs, and at its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from calibration.crossbar import Progress as Report

# Progress and errors go to stderr: stdout carries the result alone.
_STDERR = Console(stderr=True)


@contextmanager
def step(name: str) -> Iterator[Report]:
    """Show a progress bar for one step; what is yielded takes (done, total)."""
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # In a log nobody watches a bar grow.
    with Progress(*columns, console=_STDERR, disable=not _STDERR.is_terminal) as bars:
        task = bars.add_task(name, total=None)

        def report(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield report
        # A step that counts nothing, or ended early, is done all the same.
        done = bars.tasks[task].completed or 1
        bars.update(task, total=done, completed=done)


def print_result(document: dict[str, Any], *, as_json: bool) -> None:
    """Print a result document: as JSON and nothing else, or as a table."""
    console = Console(markup=False, emoji=False)  # names of files and boards are shown as they are
    if as_json:
        console.out(json.dumps(document, indent=2), highlight=False)
    else:
        console.print(_table(document))
        console.print(f"Report: {document['report']}", soft_wrap=True)


def _table(document: dict[str, Any]) -> Table:
    board, calibration = document["board"], document["calibration"]
    program, validation = document["program"], document["validation"]
    bad = {name: count for name, count in calibration["statuses"].items() if name != "ok" and count}
    faults = ", ".join(f"{count} {name}" for name, count in bad.items()) or "all ok"
    verdict = "within" if document["ok"] else "NOT within"
    wanted = document["specification"]

    table = Table(title=f"Board {board['preset']} {board['serial']}", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row(
        "calibration",
        f"{calibration['branches']:,} branches ({faults}), {calibration['readings']:,} readings, "
        f"{calibration['bench_seconds']:.0f} s on the bench",
    )
    converters = calibration["converters"]
    table.add_row(
        "converters",
        f"DACs bent by up to {converters['largest_inl_steps']:.2f} ± "
        f"{converters['largest_inl_uncertainty_steps']:.2f} steps, ADCs by up to "
        f"{1e6 * converters['largest_adc_inl_of_range']:.1f} ± "
        f"{1e6 * converters['largest_adc_inl_uncertainty_of_range']:.1f} ppm of the range",
    )
    idle = [
        f"{kind.replace('_', ' ')} {', '.join(map(str, converters[kind]))}"
        for kind in ("dead_rows", "unseen_rows", "dead_columns", "saturated_columns")
        if converters[kind]
    ]
    if idle:
        table.add_row("", "; ".join(idle))
    table.add_row(
        "program",
        f"{program['rows']} × {program['outputs']} weights, {program['rounds']} rounds, residual "
        f"{program['residual_rms']:.1e} of the largest weight",
    )
    if program["unreachable"]:
        table.add_row("", f"{program['unreachable']} weights beyond what their branches reach")
    table.add_row(
        "validation",
        f"{validation['vectors']} one-shot products: relative error "
        f"{validation['relative_error']:.2e} = {validation['bits']:.2f} bits, worst "
        f"{validation['worst_bits']:.2f} bits of full scale",
    )
    if "classification" in document:
        decided = document["classification"]
        table.add_row(
            "decisions",
            f"{decided['analog_accuracy']:.2%} right, {decided['digital_accuracy']:.2%} in "
            f"float64; {decided['agreement']:.2%} alike",
        )
    agreement = "" if wanted["agreement"] is None else f", {wanted['agreement']:.1%} alike"
    table.add_row("specification", f"{verdict} ({wanted['bits']:g} bits{agreement})")
    spent = document["bench_seconds"]
    table.add_row(
        "time",
        f"{document['wall_seconds']:.1f} s; on the bench {spent['settling']:.1f} s settling, "
        f"{spent['integrating']:.1f} s integrating, {spent['talking']:.1f} s talking",
    )
    return table
