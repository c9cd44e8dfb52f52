"""A job and how it is carried out: open the bench, run the pipeline, report, print."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.arrays import Floats, Ints
from calibration.errors import MatrixError
from instrument.calibration_so_far import keeping_so_far
from instrument.cli.console import print_result
from instrument.digits import classify
from instrument.errors import UsageError
from instrument.exit_status import OUT_OF_SPECIFICATION
from instrument.files import check_inputs, random_inputs, random_matrix, write_json
from instrument.kernels import compiling_beside
from instrument.opening import SIMULATED, LinkKind, open_bench
from instrument.pipeline import PipelineOptions, Run, run_pipeline
from instrument.provenance import operand
from instrument.results import RESULT_FILE, Specification, result_document
from instrument.runs import claim_folder, iso
from instrument.terminal import say, step


@dataclass(frozen=True)
class Job:
    """What a command was asked to do."""

    title: str
    bench: str
    seed: int
    link: LinkKind
    specification: Specification
    options: PipelineOptions
    name: str
    """Name of the results' folder, behind the time."""
    weights: Floats | None = None
    """(rows, outputs); None for random weights of the board's full size."""
    inputs: Floats | None = None
    """(vectors, rows); None for random vectors."""
    labels: Ints | None = None
    """(vectors,): right classes, if the products are scores of classes."""
    take_over: bool = False
    """Whether to use a board that another host works with."""
    matrix_name: str = "the matrix"
    inputs_name: str = "the inputs"
    """Names that messages about the matrix and the inputs begin with: their files."""
    matrix_sha256: str | None = None
    inputs_sha256: str | None = None
    """SHA-256 of the files of matrix and inputs, where they come from files."""
    note: str | None = None
    """Remark that the result and the report carry."""


def carry_out(job: Job, *, out: Path | None, as_json: bool, began: float) -> int:
    """Do the job; return 0 where the specification is met, 1 where it is not.

    `began` is the time at which the command began, by `time.perf_counter`.
    """
    with ExitStack() as kept:
        # Claimed before the bench is opened: a folder in use is refused before any measurement.
        folder = kept.enter_context(claim_folder(out, job.name))
        parts = kept.enter_context(keeping_so_far(folder))
        with ExitStack() as stack:
            kept.enter_context(compiling_beside(say))
            with step("open"):
                opened = open_bench(
                    job.bench, seed=job.seed, link=job.link, take_over=job.take_over
                )
                bench = stack.enter_context(opened)
            weights, inputs = job.weights, job.inputs
            if weights is None:
                weights = random_matrix(bench.board.rows, bench.board.columns // 2, job.seed)
            if inputs is None:
                inputs = random_inputs(len(weights), job.seed)
            inputs = check_inputs(inputs, len(weights), job.inputs_name)
            report = folder.path / "report.html"
            about = folder.about() | {
                "title": job.title,
                "note": job.note,
                "bench": job.bench,
                "matrix": operand(job.matrix_name, weights, job.matrix_sha256),
                "inputs": operand(job.inputs_name, inputs, job.inputs_sha256),
                "report": str(report),
            }

            def keep(document: dict[str, Any]) -> None:
                """Write a result document with the time so far."""
                document["run"]["finished"] = iso(datetime.now().astimezone())
                document["wall_seconds"] = time.perf_counter() - began
                write_json(folder.path / RESULT_FILE, document)

            def keep_so_far(run: Run) -> None:
                # Written before the hours begin, so that the result outlives whatever ends them.
                keep(result_document(run, job.specification, None, about))

            try:
                run = run_pipeline(
                    bench,
                    weights,
                    inputs,
                    folder,
                    step,
                    job.options,
                    parts=parts,
                    so_far=keep_so_far,
                )
            except MatrixError as error:
                raise UsageError(f"{job.matrix_name}: {error}") from error
            decided = None
            if job.labels is not None:
                decided = classify(run.validation.exact, run.validation.answered, job.labels)
            # Written before the bench is closed: the result outlives an error in closing.
            document = result_document(run, job.specification, decided, about)
            keep(document)
        # The bench is closed and safe: the report does not keep it waiting. Imported late:
        # matplotlib takes longer to load than most errors take to appear.
        from instrument.report import Circumstances, write_report

        simulated = job.bench.startswith(SIMULATED)
        with step("report"):
            write_report(
                run,
                job.specification,
                decided,
                Circumstances(
                    title=job.title,
                    seed=job.seed if simulated else None,
                    wall_seconds=time.perf_counter() - began,
                    about=document["run"],
                ),
                report,
            )
        keep(document)
    print_result(document, as_json=as_json)
    return 0 if document["ok"] else OUT_OF_SPECIFICATION
