"""`ohmsum run`: a complete run with a person's own matrix, on any bench."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import (
    MAX_HOURS,
    Json,
    LinkOption,
    LogFile,
    Note,
    Out,
    Seed,
    SpecScope,
    Title,
    TraceBlocks,
    TraceFile,
    Verbose,
)
from instrument.errors import UsageError


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
            help="A calibration.npz of this board, measured before, or the folder of the run that "
            "measured it: no branch is measured anew."
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
    from instrument.bench_names import folder_name
    from instrument.cli.logs import start_logging
    from instrument.runs import claim_folder

    start_logging(verbose=verbose, file=log)
    if not math.isfinite(spec_bits):
        raise UsageError(f"--spec-bits: {spec_bits} is no number of bits")
    if not 0 <= hours <= MAX_HOURS:
        raise UsageError(f"--hours: {hours:g} is not between 0 and {MAX_HOURS}")
    options = {
        "bench": bench,
        "matrix": matrix,
        "inputs": _text(inputs),
        "calibration": _text(calibration),
        "earlier": [str(path) for path in earlier or ()],
        "allow_expired": allow_expired,
        "take_over": take_over,
        "spec_bits": spec_bits,
        "spec_scope": spec_scope.value,
        "thorough": thorough,
        "hours": hours,
        "seed": seed,
        "link": None if link is None else link.value,
        "title": title,
        "note": note,
    }
    with claim_folder(out, folder_name("run", bench, seed), {"run": options}) as folder:
        from instrument.bus_trace import tracing
        from instrument.cli.carry_out import carry_out
        from instrument.cli.plan import RunOptions, plan

        job = plan(RunOptions.model_validate(options))
        with tracing(trace, whole_blocks=trace_blocks) as traced:
            document = carry_out(job, folder, began, traced)
    from instrument.cli.printed_result import print_result, status_of

    print_result(document, as_json=json)
    raise typer.Exit(status_of(document))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
