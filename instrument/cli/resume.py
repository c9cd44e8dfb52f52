"""`ohmsum resume`: go on with a run that was cut short."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from instrument.cli.options import (
    Json,
    LogFile,
    RunName,
    RunsFolder,
    TakeOver,
    TraceBlocks,
    TraceFile,
    Verbose,
)
from instrument.run_files import JOURNAL_FILE, RESULTS


def resume(
    run: RunName,
    *,
    folder: RunsFolder = RESULTS,
    bench: Annotated[
        str | None,
        typer.Option(
            help="The bench.toml of the same board, if it is reached otherwise now "
            "[default: the copy that the run has kept]"
        ),
    ] = None,
    take_over: TakeOver = False,
    verbose: Verbose = False,
    log: LogFile = None,
    trace: TraceFile = None,
    trace_blocks: TraceBlocks = False,
    json: Json = False,
) -> None:
    """Go on with a run that was cut short: by a fault, a signal, a kill or a power failure.

    The run is computed again from its start, and everything that was measured is answered from its
    journal; only what is not there is measured. At most the exchange that was under way is
    repeated. The board is brought to where it stood, and the time that has passed meanwhile counts
    as drift. The result is printed and kept as by the command that began the run.
    """
    began = time.perf_counter()
    from dataclasses import replace

    from instrument.bus_trace import tracing
    from instrument.cli.asked_again import folder_of, job_of
    from instrument.cli.carry_out import carry_out, go_on
    from instrument.cli.logs import start_logging

    start_logging(verbose=verbose, file=log)
    kept = folder_of(run, folder)
    with kept.noting_errors():
        job = replace(job_of(kept), take_over=take_over)
        if bench is not None:
            job = replace(job, opened_as=bench)
        # A run that was ended before its journal was begun has measured nothing.
        has_begun = (kept.path / JOURNAL_FILE).is_file()
        with tracing(trace, whole_blocks=trace_blocks) as traced:
            document = (go_on if has_begun else carry_out)(job, kept, began, traced)
    from instrument.cli.printed_result import print_result, status_of

    print_result(document, as_json=json)
    raise typer.Exit(status_of(document))
