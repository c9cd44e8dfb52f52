"""`ohmsum run`: a complete run with a person's own matrix, on any bench."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import (
    MAX_HOURS,
    AllowExpired,
    BenchName,
    Earlier,
    GivenCalibration,
    Json,
    LinkOption,
    LogFile,
    MatrixName,
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
from instrument.errors import UsageError


def run(
    *,
    bench: BenchName,
    matrix: MatrixName,
    inputs: Annotated[
        Path | None,
        typer.Option(
            help="Vectors to multiply, (vectors, rows): a .npy, .npz or .csv file "
            "[default: 256 random ones, uniform on [-1, 1]]"
        ),
    ] = None,
    calibration: GivenCalibration = None,
    earlier: Earlier = None,
    allow_expired: AllowExpired = False,
    take_over: TakeOver = False,
    spec_bits: SpecBits = 11.0,
    spec_scope: SpecScopeOption = SpecScope.OUTPUT,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough",
            help="Validate repeatability, linearity and hysteresis of the switches as well: some "
            "25 s more on the bench for each tile.",
        ),
    ] = False,
    hours: Annotated[
        float,
        typer.Option(
            help="Hours, on the board's clock, over which products are repeated with nothing "
            "measured anew: a real board takes as long, a simulated one seconds.",
        ),
    ] = 0.0,
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
    """Calibrate a board, program a matrix, validate its products, write a report.

    A matrix smaller than the board uses a part of it; a larger one is cut into tiles that take
    turns, and their partial sums are added digitally. Give `--bench sim:64x16` for a simulated
    board in this process, or the bench.toml that `ohmsum sim` or you have written.
    """
    began = time.perf_counter()  # before the heavy imports: they are part of the wait
    from instrument.cli.planned import carry_out_planned

    if not 0 <= hours <= MAX_HOURS:
        raise UsageError(f"--hours: {hours:g} is not between 0 and {MAX_HOURS}")
    options = {
        "bench": bench,
        "matrix": matrix,
        "inputs": inputs,
        "calibration": calibration,
        "earlier": earlier or [],
        "allow_expired": allow_expired,
        "take_over": take_over,
        "spec_bits": spec_bits,
        "spec_scope": spec_scope,
        "thorough": thorough,
        "hours": hours,
        "seed": seed,
        "link": link,
        "title": title,
        "note": note,
    }
    carry_out_planned(
        "run",
        options,
        out=out,
        began=began,
        verbose=verbose,
        log=log,
        trace=trace,
        trace_blocks=trace_blocks,
        json=json,
    )
