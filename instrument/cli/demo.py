"""`ohmsum demo`: a complete run on a simulated bench, with a real matrix."""

from __future__ import annotations

import time

import typer

from instrument.cli.options import Json, Link, LinkOption, LogFile, Note, Out, Seed, Title, Verbose

PRESET = "64x16"
BITS, AGREEMENT = 11.0, 0.995


def demo(
    *,
    seed: Seed = 1,
    link: LinkOption = None,
    out: Out = None,
    title: Title = None,
    note: Note = None,
    verbose: Verbose = False,
    log: LogFile = None,
    json: Json = False,
) -> None:
    """Classify handwritten digits on a simulated board, end to end.

    Starts a simulated bench (64 rows, 32 columns, 20,480 branches), measures every branch over a
    real wire, programs the weights of a linear classifier, runs all test images through the board
    one-shot, and reports the precision of the products and the accuracy beside the digital one.
    Within specification: 11 bits, and 99.5 % of the decisions as in float64.
    """
    began = time.perf_counter()  # before the heavy imports: they are part of the wait
    from instrument.cli.job import Job, carry_out
    from instrument.cli.logs import start_logging
    from instrument.digits import load_digits
    from instrument.pipeline import PipelineOptions
    from instrument.results import Specification
    from instrument.validation import Scope

    start_logging(verbose=verbose, file=log)
    digits = load_digits()
    status = carry_out(
        Job(
            title=title or "Handwritten digits",
            note=note,
            bench=f"sim:{PRESET}",
            seed=seed,
            link=(link or Link.SOCKET).value,
            weights=digits.weights,
            inputs=digits.images,
            matrix_name="classifier of handwritten digits",
            inputs_name="images of handwritten digits",
            labels=digits.labels,
            specification=Specification(BITS, AGREEMENT),
            options=PipelineOptions(wanted_bits=BITS, scope=Scope(seed, own_inputs=True)),
            name=f"demo-{PRESET}-seed{seed}",
        ),
        out=out,
        as_json=json,
        began=began,
    )
    raise typer.Exit(status)
