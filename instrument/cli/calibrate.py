"""`ohmsum calibrate`: the first step of a run, by itself."""

from __future__ import annotations

import time

from instrument.cli.options import (
    BenchName,
    Earlier,
    Json,
    LinkOption,
    LogFile,
    Note,
    Out,
    Seed,
    TakeOver,
    Title,
    TraceBlocks,
    TraceFile,
    Verbose,
)


def calibrate(
    *,
    bench: BenchName,
    earlier: Earlier = None,
    take_over: TakeOver = False,
    seed: Seed = 1,
    link: LinkOption = None,
    out: Out = None,
    title: Title = None,
    note: Note = None,
    verbose: Verbose = False,
    log: LogFile = None,
    trace: TraceFile = None,
    trace_blocks: TraceBlocks = False,
    json: Json = False,
) -> None:
    """Measure a board: its converters, every branch, the gains of its ranges, its noise.

    It is the first step of `ohmsum run`, in a run's folder of its own, whose calibration.npz
    `ohmsum program` and `ohmsum run` take as `--calibration RUN`.
    """
    began = time.perf_counter()  # before the heavy imports: they are part of the wait
    from instrument.cli.planned import carry_out_planned

    options = {
        "bench": bench,
        "earlier": earlier or [],
        "take_over": take_over,
        "seed": seed,
        "link": link,
        "title": title,
        "note": note,
    }
    carry_out_planned(
        "calibrate",
        options,
        out=out,
        began=began,
        verbose=verbose,
        log=log,
        trace=trace,
        trace_blocks=trace_blocks,
        json=json,
    )
