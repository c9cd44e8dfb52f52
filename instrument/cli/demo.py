"""`ohmsum demo`: a complete run on a simulated bench, with a real matrix."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from instrument.cli.options import Json, Link, LinkOption, LogFile, Note, Out, Seed, Title, Verbose

if TYPE_CHECKING:
    from instrument.cli.job import Job

BENCH = "sim:64x16"
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
    from instrument.bench_names import folder_name
    from instrument.cli.logs import start_logging
    from instrument.runs import claim_folder

    start_logging(verbose=verbose, file=log)
    options = {
        "seed": seed,
        "link": (link or Link.SOCKET).value,
        "title": title,
        "note": note,
    }
    with claim_folder(out, folder_name("demo", BENCH, seed), {"demo": options}) as folder:
        from instrument.cli.carry_out import carry_out

        document = carry_out(demo_job(options), folder, began)
    from instrument.cli.printed_result import print_result, status_of

    print_result(document, as_json=json)
    raise typer.Exit(status_of(document))


def demo_job(options: Mapping[str, Any]) -> Job:
    """Return the job of the demo: its digits, with the options of its command line."""
    from instrument.cli.job import Job
    from instrument.digits import load_digits
    from instrument.pipeline import PipelineOptions
    from instrument.results import Specification
    from instrument.validation import Scope

    digits = load_digits()
    return Job(
        title=options["title"] or "Handwritten digits",
        note=options["note"],
        bench=BENCH,
        seed=options["seed"],
        link=options["link"],
        weights=digits.weights,
        inputs=digits.images,
        matrix_name="classifier of handwritten digits",
        inputs_name="images of handwritten digits",
        labels=digits.labels,
        specification=Specification(BITS, AGREEMENT),
        options=PipelineOptions(wanted_bits=BITS, scope=Scope(options["seed"], own_inputs=True)),
    )
