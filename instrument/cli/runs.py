"""`ohmsum runs`: the runs that are kept in a folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import Json
from instrument.run_files import RESULTS

_log = logging.getLogger(__name__)


def runs(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Folder that the runs' folders are in, or one run's folder."
        ),
    ] = RESULTS,
    *,
    board: Annotated[
        str | None, typer.Option(help="Only runs of this board: its serial number or its type.")
    ] = None,
    matrix: Annotated[
        str | None,
        typer.Option(
            help="Only runs of this matrix: the name of its file, or the first characters of the "
            "file's SHA-256, at least 6."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Only runs that began then or later: 2026-01-31, or 2026-01-31T14:30; local time "
            "unless an offset follows.",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Only runs that began by then, that day included."),
    ] = None,
    ok: Annotated[
        bool | None,
        typer.Option(
            "--ok/--not-ok",
            help="Only runs within specification, or only finished runs that missed it.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the runs that are kept: when, on which board, which matrix, how many bits.

    The newest run is last. Runs that were cut short or are under way are listed without a result. A
    folder inside that holds no run, or a damaged one, is named on stderr and passed over. `ohmsum
    show` takes the id of a run, or as much of its beginning as no other run has.
    """
    from instrument.cli.history_tables import print_runs
    from instrument.history import Wanted, moment_of, runs_document, runs_in

    wanted = Wanted(
        board=board,
        matrix=matrix,
        since=None if since is None else moment_of(since, "--since", end=False),
        until=None if until is None else moment_of(until, "--until", end=True),
        ok=ok,
    )
    listed = runs_in(folder)
    for line in listed.skipped:
        _log.warning("%s", line)
    print_runs(runs_document(run for run in listed.runs if wanted.holds(run)), folder, as_json=json)
