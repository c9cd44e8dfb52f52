"""`ohmsum multiply`: products of a matrix that a run has programmed, written to a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instrument.cli.options import Json, LogFile, Seed, TakeOver, Verbose
from instrument.errors import UsageError

if TYPE_CHECKING:
    from calibration.arrays import Floats

ENDINGS = ".npy", ".csv"


def multiply(
    *,
    bench: Annotated[
        str,
        typer.Option(help="The bench.toml of the board that was programmed, or its sim:PRESET."),
    ],
    program: Annotated[
        Path,
        typer.Option(
            help="The folder of the run that programmed the matrix, or a file that "
            "`program.save` has written."
        ),
    ],
    inputs: Annotated[
        Path,
        typer.Option(
            help="Vectors to multiply, (vectors, rows), or a single one, (rows,): a .npy, .npz or "
            ".csv file. None may exceed the full scale that the matrix was programmed for."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="New file for the products, (vectors, outputs): its ending, .npy or .csv, says "
            "which.",
        ),
    ],
    take_over: TakeOver = False,
    seed: Seed = 1,
    verbose: Verbose = False,
    log: LogFile = None,
    json: Json = False,
) -> None:
    """Multiply vectors by a matrix that was programmed before, and write the products.

    The pattern is set on the board again, and sentinels show its gain as it is now; nothing is
    calibrated, selected or validated, and no run's folder is made. Each output is read once for
    each vector. Outputs that were lost when the matrix was programmed are NaN. An output file that
    exists is never replaced.
    """
    began = time.perf_counter()  # before the heavy imports: they are part of the wait
    from instrument.cli.logs import start_logging
    from instrument.files import load_array, require_new, write_new

    start_logging(verbose=verbose, file=log)
    # Whatever can be refused is refused before an instrument is touched.
    if output.suffix not in ENDINGS:
        raise UsageError(f"{output}: products are written as .npy or .csv: name such a file")
    require_new(output)
    asked = load_array(inputs)

    from instrument.arguments import input_vectors
    from instrument.opening import open_bench
    from instrument.progress import step

    with open_bench(bench, seed=seed, take_over=take_over) as opened:
        with step("program"):
            programmed = opened.load_program(program)
        try:
            vectors = input_vectors(asked, len(programmed.weights), programmed.input_full_scale)
        except ValueError as error:
            raise UsageError(f"{inputs}: {error}") from error
        if not vectors.size:
            raise UsageError(f"{inputs}: holds no vectors")
        with step("multiply"):
            products = programmed @ vectors
        # Written before the bench is closed: the products outlive an error in closing.
        write_new(output, _packed(products, output.suffix))
        spent, recovery = opened.spent_seconds(), dict(opened.board.recovery)
    from instrument.cli.printed_result import print_products

    print_products(
        {
            "output": str(output),
            "program": str(program),
            "vectors": 1 if products.ndim == 1 else len(products),
            "outputs": products.shape[-1],
            "lost_outputs": programmed.lost.nonzero()[0].tolist(),
            "gains": [part.matrix.gain for part in programmed.tiles],
            "bench_seconds": spent._asdict(),
            "recovery": recovery,
            "wall_seconds": time.perf_counter() - began,
        },
        as_json=json,
    )


def _packed(products: Floats, ending: str) -> bytes:
    """Return products as the bytes of a file; a text has all digits, a line for each vector."""
    import io

    import numpy as np

    file = io.BytesIO()
    if ending == ".npy":
        np.save(file, products)
    else:
        np.savetxt(file, np.atleast_2d(products), fmt="%.17g", delimiter=",")
    return file.getvalue()
