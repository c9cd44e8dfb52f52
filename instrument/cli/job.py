"""Carry a job out: open the bench, run the pipeline, write the report, print the result."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.targets import MatrixError
from instrument.bench import SIMULATED, Wire, open_bench
from instrument.cli.console import print_result, step
from instrument.cli.exits import OUT_OF_SPECIFICATION
from instrument.digits import classify
from instrument.errors import UsageError
from instrument.inputs import check_inputs, random_inputs, random_matrix
from instrument.pipeline import Run, run_pipeline
from instrument.results import Specification, result_document
from instrument.store import Calibration
from instrument.validation import Scope

RESULTS = Path("ohmsum-results")


@dataclass(frozen=True)
class Job:
    """What a command was asked for."""

    title: str
    bench: str
    seed: int
    link: Wire
    specification: Specification
    scope: Scope
    name: str
    """Of the folder that keeps the results."""
    weights: NDArray[np.float64] | None = None
    """(rows, outputs); None for random ones of the board's full size."""
    inputs: NDArray[np.float64] | None = None
    """(vectors, rows); None for random ones."""
    labels: NDArray[np.int64] | None = None
    """Right answers, where the products are scores of classes."""
    calibration: Calibration | None = None
    earlier: tuple[Calibration, ...] = ()
    """Others of the board, at other temperatures."""
    allow_expired: bool = False
    matrix_name: str = "the matrix"
    inputs_name: str = "the inputs"
    """What a complaint about them begins with: their files."""


def carry_out(job: Job, *, out: Path | None, as_json: bool, began: float) -> int:
    """Do the job; return 0 where the specification is met, 1 where it is not.

    `began` is when the command did, by `time.perf_counter`.
    """
    folder = out or RESULTS / job.name
    with ExitStack() as stack:
        # The first time on a machine a simulated bench compiles its network solver.
        with step("open"):
            bench = stack.enter_context(open_bench(job.bench, seed=job.seed, link=job.link))
        weights, inputs = job.weights, job.inputs
        if weights is None:
            weights = random_matrix(bench.board.rows, bench.board.columns // 2, job.seed)
        if inputs is None:
            inputs = random_inputs(len(weights), job.seed)
        inputs = check_inputs(inputs, len(weights), job.inputs_name)
        _make(folder)
        before = _files(folder)
        report = folder / "report.html"

        def keep(run: Run) -> None:
            # Whatever ends the hours to come, what is known before them is there.
            _keep(result_document(run, job.specification, None, report=report), began, folder)

        try:
            run = run_pipeline(
                bench,
                weights,
                inputs,
                folder,
                step,
                job.calibration,
                scope=job.scope,
                earlier=job.earlier,
                so_far=keep,
                allow_expired=job.allow_expired,
            )
        except MatrixError as error:
            raise UsageError(f"{job.matrix_name}: {error}") from error
        except BaseException as error:
            if _files(folder) != before:
                error.add_note(f"what was measured so far is in {folder}")
            raise
    # The bench is closed and safe: what follows takes its time without it.
    decided = None
    if job.labels is not None:
        decided = classify(run.validation.exact, run.validation.answered, job.labels)
    document = result_document(run, job.specification, decided, report=report)
    _keep(document, began, folder)
    # Late: matplotlib takes longer to load than most errors take to show.
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
                date=None if simulated else time.strftime("%Y-%m-%d %H:%M"),
            ),
            report,
        )
    _keep(document, began, folder)
    print_result(document, as_json=as_json)
    return 0 if document["ok"] else OUT_OF_SPECIFICATION


def _keep(document: dict[str, Any], began: float, folder: Path) -> None:
    """Note the time so far in a result document and write it."""
    document["wall_seconds"] = time.perf_counter() - began
    (folder / "result.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _files(folder: Path) -> dict[Path, int]:
    """Return the files of a folder and when each was written, to see whether one was since."""
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = error.strerror or error
        raise UsageError(f"{folder}: cannot be the folder of the results ({said})") from error
