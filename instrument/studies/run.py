"""Run a study: continue it from its folder, show progress, write what it found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from calibration.studies.frame import Row, Scheduler, Study, Summary, gather
from instrument.cli.console import step
from instrument.report.pictures import draw
from instrument.studies.files import make_folder, study_document, write_document, write_table
from instrument.studies.kept import keeping
from instrument.studies.schedulers import dask_cluster, threads

RESULTS = Path("ohmsum-results")
MARGIN = "_margin"
"""Ends the name of a column that is shown as ± behind another one."""


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
    """Compute what is not yet in the folder, then write tables, document and picture there and
    print the result. The files depend on the study and its seed alone.
    """
    folder = out or RESULTS / f"study-{study.name}-seed{seed}"
    make_folder(folder)
    with _machines(jobs, scheduler) as machines:
        run = keeping(machines, folder / "chunks.jsonl", study.name, seed)
        results = []
        with step(study.name) as report:
            for result in run(partial(study.measure, seed), study.chunks):
                results.append(result)
                report(len(results), len(study.chunks))
    summary = study.summarize(gather(results))
    document = study_document(study, seed, summary)
    write_table(summary.rows, folder / f"{study.name}.csv")
    write_table(summary.findings, folder / f"{study.name}-findings.csv")
    write_document(document, folder / f"{study.name}.json")
    svg = draw(lambda figure: picture(figure, summary), height_inches=4.0)
    (folder / f"{study.name}.svg").write_text(svg, "utf-8")
    console = Console(markup=False, emoji=False)
    if as_json:
        console.out(json.dumps(document | {"folder": str(folder)}, indent=2), highlight=False)
        return
    console.print(findings_table(study.title, summary.findings))
    for note in (f"Source: {study.source}.", *study.notes):
        console.print(note, soft_wrap=True)
    console.print(f"Files: {folder}/{study.name}.csv, .json, .svg", soft_wrap=True)


def _machines(jobs: int | None, scheduler: str | None) -> AbstractContextManager[Scheduler]:
    if scheduler is not None:
        return dask_cluster(scheduler)
    return threads(jobs or os.cpu_count() or 1)


def findings_table(title: str, rows: Sequence[Row]) -> Table:
    """Return findings as a table for a person."""
    table = Table(title=title)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    columns = [column for column in columns if not column.endswith(MARGIN)]
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_shown(row.get(name), row.get(name + MARGIN)) for name in columns))
    return table


def _shown(value: str | float | None, margin: str | float | None) -> str:
    if value is None:
        return "–"
    text = f"{value:.2f}" if isinstance(value, float) else str(value)
    return text if margin is None else f"{text} ± {margin:.2f}"
