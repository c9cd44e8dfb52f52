"""Run of a study: continue it from its folder, show progress, write the results."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from calibration.studies import Row, Scheduler, Study, Summary, gather
from instrument.drawing import draw
from instrument.files import write_json, write_text
from instrument.printable import printable
from instrument.progress import step
from instrument.run_files import RESULTS
from instrument.studies.files import study_document, write_table
from instrument.studies.kept import digest_of, keeping
from instrument.studies.schedulers import dask_cluster, threads

MARGIN, LOW, HIGH, PREDICTED = "_margin", "_low", "_high", "predicted_"
"""Suffixes and prefix of columns that are shown in the cell of the column they belong to."""


def run_study(
    study: Study,
    picture: Callable[[Figure, Summary], None],
    *,
    seed: int,
    jobs: int | None,
    scheduler: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compute the chunks that the folder lacks, write the files and print the result.

    Tables, document and picture go into the folder; they depend on the study and its seed alone.
    Raises UsageError and FileNotWritten as `keeping` does, and UsageError where the Dask cluster
    fails.
    """
    folder = out or RESULTS / f"study-{study.name}-seed{seed}-{digest_of(study.chunks)}"
    with _machines(jobs, scheduler) as machines, keeping(machines, folder, study, seed) as run:
        results = []
        with step(study.name) as report:
            for result in run(partial(study.measure, seed), study.chunks):
                results.append(result)
                report(len(results), len(study.chunks))
    summary = _with_none(study.summarize(gather(results)))
    document = study_document(study, seed, summary)
    write_table(summary.rows, folder / f"{study.name}.csv")
    write_table(summary.findings, folder / f"{study.name}-findings.csv")
    write_json(folder / f"{study.name}.json", document)
    svg = draw(lambda figure: picture(figure, summary), height_inches=4.0)
    write_text(folder / f"{study.name}.svg", svg)
    console = Console(markup=False, emoji=False)
    if as_json:
        console.out(json.dumps(document | {"folder": str(folder)}, indent=2), highlight=False)
        return
    console.print(findings_table(study.title, summary.findings))
    for note in (f"Source: {study.source}.", *study.notes):
        console.print(note, soft_wrap=True)
    console.print(f"Files: {printable(str(folder))}/{study.name}.csv, .json, .svg", soft_wrap=True)


def _with_none(summary: Summary) -> Summary:
    """Return a summary with None for NaN and infinity, which JSON cannot hold."""

    def with_none(row: Row) -> Row:
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }

    return Summary(
        [with_none(row) for row in summary.rows], [with_none(row) for row in summary.findings]
    )


def _machines(jobs: int | None, scheduler: str | None) -> AbstractContextManager[Scheduler]:
    if scheduler is not None:
        return dask_cluster(scheduler)
    return threads(jobs or os.cpu_count() or 1)


def findings_table(title: str, rows: Sequence[Row]) -> Table:
    """Return findings as a table: measured values with their confidence and their predictions."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    shown = [
        column
        for column in columns
        if not column.endswith((MARGIN, LOW, HIGH)) and not column.startswith(PREDICTED)
    ]
    caption = "± and [ ]: 95 % confidence; ( ): predicted"
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in shown:
        whole = any(column + LOW in row for row in rows)
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(_shown(row, column) for column in shown))
    return table


def _shown(row: Row, column: str) -> str:
    value = row.get(column)
    decimals = 3 if not isinstance(value, float) or abs(value) < 10 else 2 if value < 100 else 0
    lines = [_number(value, decimals)]
    if row.get(column + MARGIN) is not None:
        lines[0] += f" ±{_number(row[column + MARGIN], decimals)}"
    if column + LOW in row:
        low, high = (_number(row[column + end], decimals) for end in (LOW, HIGH))
        lines.append(f"[{low}…{high}]")
    if row.get(PREDICTED + column) is not None:
        lines.append(f"({_number(row[PREDICTED + column], decimals)})")
    return "\n".join(lines)


def _number(value: str | float | None, decimals: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)
