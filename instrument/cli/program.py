"""`ohmsum program`: the second step of a run, by itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import (
    AllowExpired,
    BenchName,
    Earlier,
    Json,
    LinkOption,
    LogFile,
    MatrixName,
    NeededCalibration,
    Note,
    Out,
    Seed,
    SpecBits,
    SpecScope,
    SpecScopeOption,
    TakeOver,
    Title,
    TraceBlocks,
    TraceFile,
    Verbose,
)


def program(
    *,
    bench: BenchName,
    matrix: MatrixName,
    calibration: NeededCalibration,
    inputs: Annotated[
        Path | None,
        typer.Option(
            help="Vectors like those that will be multiplied, (vectors, rows): the largest of them "
            "is the largest that later products take, and the error is predicted for them "
            "[default: random ones, and inputs up to 1]"
        ),
    ] = None,
    earlier: Earlier = None,
    allow_expired: AllowExpired = False,
    take_over: TakeOver = False,
    spec_bits: SpecBits = 11.0,
    spec_scope: SpecScopeOption = SpecScope.OUTPUT,
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
    """Program a matrix on a board that was calibrated before, and predict its precision.

    It is the second step of `ohmsum run`, in a run's folder of its own. No product is read: the
    verdict is on the error that the budget predicts. In Python, `bench.load_program(RUN)` lets the
    matrix stand again.
    """
    began = time.perf_counter()  # before the heavy imports: they are part of the wait
    from instrument.cli.planned import carry_out_planned

    options = {
        "bench": bench,
        "matrix": matrix,
        "calibration": calibration,
        "inputs": inputs,
        "earlier": earlier or [],
        "allow_expired": allow_expired,
        "take_over": take_over,
        "spec_bits": spec_bits,
        "spec_scope": spec_scope,
        "seed": seed,
        "link": link,
        "title": title,
        "note": note,
    }
    carry_out_planned(
        "program",
        options,
        out=out,
        began=began,
        verbose=verbose,
        log=log,
        trace=trace,
        trace_blocks=trace_blocks,
        json=json,
    )
