"""`ohmsum replay` and `ohmsum report`: a run again, without a bench."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import Json, LogFile, RunPath, Verbose


def replay(
    folder: RunPath,
    *,
    verbose: Verbose = False,
    log: LogFile = None,
    json: Json = False,
) -> None:
    """Do a whole run again without its bench, answered by its journal, and print its result.

    Nothing is measured and nothing in the folder is touched. The same version of ohmsum on the same
    kind of machine computes the same bytes; another one says at which request to the board it
    parts from the recording, and by what. A folder can so be sent with a report of a fault, and the
    bench is on the desk of whoever reads it.
    """
    began = time.perf_counter()
    from instrument.cli.asked_again import job_of
    from instrument.cli.carry_out import replay as replay_run
    from instrument.cli.logs import start_logging
    from instrument.cli.printed_result import print_result, status_of
    from instrument.journal import copied_for_reading
    from instrument.run_files import JOURNAL_FILE
    from instrument.runs import reopen_folder

    start_logging(verbose=verbose, file=log)
    run = reopen_folder(folder)
    job = job_of(run)
    with copied_for_reading(folder / JOURNAL_FILE) as journal:
        replayed = replay_run(job, run, journal, began)
        asked, recorded = journal.position, journal.count
    typer.echo(f"{folder}: {replayed.in_words(asked, recorded)}", err=True)
    print_result(replayed.done.document, as_json=json)
    raise typer.Exit(status_of(replayed.done.document))


def report(
    folder: RunPath,
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File of the report [default: RUN/report.html]"),
    ] = None,
    verbose: Verbose = False,
    log: LogFile = None,
) -> None:
    """Write the report of a run again, from its journal: with this version's pictures and words.

    The run is replayed, as by `ohmsum replay`; its other files stay as they are.
    """
    began = time.perf_counter()
    from instrument.cli.asked_again import job_of
    from instrument.cli.carry_out import replay as replay_run
    from instrument.cli.carry_out import report as write_report_of
    from instrument.cli.logs import start_logging
    from instrument.journal import copied_for_reading
    from instrument.run_files import JOURNAL_FILE
    from instrument.runs import reopen_folder

    start_logging(verbose=verbose, file=log)
    run = reopen_folder(folder)
    job = job_of(run)
    with copied_for_reading(folder / JOURNAL_FILE) as journal:
        replayed = replay_run(job, run, journal, began)
    path = out or folder / "report.html"
    write_report_of(job, replayed.done, path, began)
    typer.echo(f"Report: {path}")
