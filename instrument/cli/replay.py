"""`ohmsum replay` and `ohmsum report`: a run again, without a bench."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import Json, LogFile, RunName, RunsFolder, Verbose
from instrument.run_files import REPORT_FILE, RESULTS


def replay(
    run: RunName,
    *,
    folder: RunsFolder = RESULTS,
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
    from instrument.cli.asked_again import folder_of, job_of
    from instrument.cli.carry_out import replayed
    from instrument.cli.logs import start_logging
    from instrument.cli.printed_result import print_result, status_of

    start_logging(verbose=verbose, file=log)
    kept = folder_of(run, folder)
    again = replayed(job_of(kept), kept, began)
    typer.echo(f"{kept.path}: {again.in_words()}", err=True)
    print_result(again.done.document, as_json=json)
    raise typer.Exit(status_of(again.done.document))


def report(
    run: RunName,
    *,
    folder: RunsFolder = RESULTS,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"File of the report [default: RUN/{REPORT_FILE}]"),
    ] = None,
    verbose: Verbose = False,
    log: LogFile = None,
) -> None:
    """Write the report of a run again, from its journal: with this version's pictures and words.

    The run is replayed, as by `ohmsum replay`; its other files stay as they are.
    """
    began = time.perf_counter()
    from instrument.cli.asked_again import folder_of, job_of
    from instrument.cli.carry_out import write_report_of
    from instrument.cli.logs import start_logging

    start_logging(verbose=verbose, file=log)
    kept = folder_of(run, folder)
    path = out or kept.path / REPORT_FILE
    write_report_of(job_of(kept), kept, path, began)
    typer.echo(f"Report: {path}")
