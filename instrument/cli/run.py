"""`ohmsum run`: a complete run with a person's own matrix, on any bench."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import (
    Json,
    LinkOption,
    LogFile,
    Note,
    Out,
    Seed,
    SpecScope,
    Title,
    Verbose,
)


def run(
    *,
    bench: Annotated[
        str,
        typer.Option(help="A bench.toml, or sim:PRESET (8x4, 64x16, 100x100, or a preset file)."),
    ],
    matrix: Annotated[
        str,
        typer.Option(
            help="The weights, (rows, outputs): a .npy, .npz or .csv file (any "
            "delimiter, a header line, decimal commas; a pipe as well), or `random` (uniform on "
            "[-1, 1], the board's full size), or `random:ROWSxOUTPUTS`."
        ),
    ],
    inputs: Annotated[
        Path | None,
        typer.Option(
            help="Vectors to multiply, (vectors, rows): a .npy, .npz or .csv file "
            "[default: 256 random ones, uniform on [-1, 1]]"
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="A calibration.npz of this board, measured before: no branch is measured anew."
        ),
    ] = None,
    earlier: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="<path>",
            help="A calibration.npz of this board at another temperature: together they give the "
            "temperature coefficients of the branches. May be given several times.",
        ),
    ] = None,
    allow_expired: Annotated[
        bool,
        typer.Option(
            "--allow-expired",
            help="Use a calibration that is too old, or of too different a temperature; every "
            "result says so.",
        ),
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Use a board whose outputs are on, or that another host holds: they are switched "
            "off first, and the other host's run ends with an error.",
        ),
    ] = False,
    spec_bits: Annotated[
        float,
        typer.Option(
            help="Bits of relative error that the products must reach, at the worse end of their "
            "95 % confidence interval."
        ),
    ] = 11.0,
    spec_scope: Annotated[
        SpecScope,
        typer.Option(
            help="What must reach these bits: every output by itself and all together, or only all "
            "outputs of the matrix together."
        ),
    ] = SpecScope.OUTPUT,
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
    json: Json = False,
) -> None:
    """Calibrate a board, program a matrix, validate its products, write a report.

    A matrix smaller than the board uses a part of it; a larger one is cut into tiles that take
    turns, and their partial sums are added digitally. Give `--bench sim:64x16` for a simulated
    board in this process, or the bench.toml that `ohmsum sim` or you have written.
    """
    began = time.perf_counter()  # before the heavy imports: they are part of the wait
    from instrument.cli.job import carry_out
    from instrument.cli.logs import start_logging
    from instrument.cli.plan import plan
    from instrument.results import Specification

    start_logging(verbose=verbose, file=log)
    job = plan(
        bench,
        matrix,
        inputs,
        calibration,
        Specification(spec_bits, scope=spec_scope.value),
        seed,
        None if link is None else link.value,
        thorough=thorough,
        hours=hours,
        allow_expired=allow_expired,
        take_over=take_over,
        earlier=earlier or (),
        title=title,
        note=note,
    )
    raise typer.Exit(carry_out(job, out=out, as_json=json, began=began))
