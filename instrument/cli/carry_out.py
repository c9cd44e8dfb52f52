"""How a job is carried out: open the bench, run the pipeline, report, print.

A job that was cut short is carried out again from its start: what was measured is answered from
the run's journal.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.arrays import Floats
from calibration.errors import MatrixError
from drivers import Trace
from instrument.bench import Bench
from instrument.bench_names import SIMULATED
from instrument.cli.job import Job
from instrument.cli.kept_job import keep_job
from instrument.digits import Classification, classify
from instrument.errors import UsageError
from instrument.files import check_inputs, random_inputs, random_matrix, write_json
from instrument.journal import DONE, Journal, RecordedBoard, copied_for_reading, sessions_of
from instrument.kernels import compiling_beside
from instrument.opening import open_bench, replay_bench
from instrument.pipeline import Run, run_pipeline, run_until
from instrument.progress import say, step
from instrument.provenance import operand
from instrument.results import RESULT_FILE, partial_document, result_document
from instrument.run_files import JOURNAL_FILE, REPORT_FILE
from instrument.runs import RunFolder, iso


@dataclass(frozen=True)
class Done:
    """A job that was carried out."""

    run: Run | None
    """None where the run ends before any product: there is nothing to report."""
    decided: Classification | None
    document: dict[str, Any]
    """The result, as result.json holds it."""


@dataclass(frozen=True)
class Replayed:
    """A run that was done again from its journal."""

    done: Done
    differing: tuple[str, ...]
    """Files of the run that come out otherwise than they are in its folder."""
    asked: int
    recorded: int
    """Number of exchanges that it asked for, and that the journal holds."""

    def in_words(self) -> str:
        """Return how the replay compares with the run."""
        exchanges = f"replayed {self.asked:,} exchanges"
        if self.asked < self.recorded:
            exchanges += f" of {self.recorded:,} recorded"
        if not self.differing:
            return f"{exchanges}; every result is the same, to the byte"
        return f"{exchanges}; these files come out otherwise: {', '.join(self.differing)}"


def carry_out(
    job: Job, folder: RunFolder, began: float, trace: Trace | None = None
) -> dict[str, Any]:
    """Do the job of a run; return its result, as result.json holds it.

    `began` is the time at which the command began, by `time.perf_counter`; `trace` is called with
    every message on the wire.
    """
    keep_job(job, folder)
    with _new_journal(folder) as journal:
        return _on_bench(job, folder, journal, began, trace)


def go_on(job: Job, folder: RunFolder, began: float, trace: Trace | None = None) -> dict[str, Any]:
    """Go on with the job of a run that was cut short; return as `carry_out`."""
    with Journal.resume(folder.path / JOURNAL_FILE) as journal:
        sessions = sessions_of(journal)
        if sessions and sessions[-1].outcome == DONE:
            # All was measured: only what was computed from it may be missing.
            with _replaying(job, journal) as bench:
                return _reported(job, folder, _result(job, bench, folder, began), began)
        return _on_bench(job, folder, journal, began, trace)


def replayed(job: Job, folder: RunFolder, began: float) -> Replayed:
    """Do the job of a run again, answered by its journal alone; nothing is written to its folder.

    Raises RunDiffers where it asks for something else than was recorded, RecordingEnds where the
    run was cut short.
    """
    with (
        copied_for_reading(folder.path / JOURNAL_FILE) as journal,
        tempfile.TemporaryDirectory(prefix="ohmsum-") as scratch,
        _replaying(job, journal) as bench,
    ):
        copy = folder.moved_to(Path(scratch))
        done = _result(job, bench, copy, began)
        done.document["run"] |= {"folder": str(folder.path)}
        if done.run is not None:
            done.document["run"]["report"] = _report_path(folder)
        made = [path for path in copy.path.iterdir() if path.suffix == ".npz"]
        differing = [
            path.name for path in made if path.read_bytes() != _bytes(folder.path / path.name)
        ]
        kept = _bytes(folder.path / RESULT_FILE)
        if kept is None or not same_result(done.document, kept):
            differing.append(RESULT_FILE)
        return Replayed(done, tuple(sorted(differing)), journal.position, journal.count)


def write_report_of(job: Job, folder: RunFolder, path: Path, began: float) -> None:
    """Write the report of a run again, from a replay.

    Raises UsageError where the run has no products; as `replayed`; FileNotWritten.
    """
    if job.last != "validate":
        raise UsageError(
            f"{folder.path}: no report: this run has no products, only its {RESULT_FILE}"
        )
    again = replayed(job, folder, began).done
    assert again.run is not None
    _report(job, again.run, again, path, began)


def _report(job: Job, run: Run, done: Done, path: Path, began: float) -> None:
    # Imported late: matplotlib takes longer to load than most errors take to appear.
    from instrument.report import Circumstances, write_report

    with step("report"):
        write_report(
            run,
            job.specification,
            done.decided,
            Circumstances(
                title=job.title,
                seed=job.seed if job.bench.startswith(SIMULATED) else None,
                wall_seconds=time.perf_counter() - began,
                about=done.document["run"],
            ),
            path,
        )


@contextmanager
def _new_journal(folder: RunFolder) -> Iterator[Journal]:
    """Begin the journal of a run; it is removed again where nothing was measured."""
    path = folder.path / JOURNAL_FILE
    with Journal.begin(path) as journal:
        try:
            yield journal
        except BaseException:
            measured = journal.holds_readings()
            journal.close()
            if not measured:
                path.unlink(missing_ok=True)
            raise


def _on_bench(
    job: Job, folder: RunFolder, journal: Journal, began: float, trace: Trace | None
) -> dict[str, Any]:
    with ExitStack() as compiling:
        with ExitStack() as stack:
            compiling.enter_context(compiling_beside(say))
            with step("open"):
                bench = stack.enter_context(
                    open_bench(
                        job.opened_as or job.bench,
                        seed=job.seed,
                        link=job.link,
                        take_over=job.take_over,
                        journal=journal,
                        trace=trace,
                    )
                )
            done = _result(job, bench, folder, began)
        # The bench is closed and safe: the report does not keep it waiting.
        return _reported(job, folder, done, began)


@contextmanager
def _replaying(job: Job, journal: Journal) -> Iterator[Bench]:
    with compiling_beside(say), replay_bench(job.bench, journal) as bench:
        yield bench


def _result(job: Job, bench: Bench, folder: RunFolder, began: float) -> Done:
    """Run the pipeline on an open bench; the result is on the disk when this returns."""
    if job.last != "validate":
        return _partial_result(job, bench, folder, began)
    weights, inputs = _weights(job, bench), job.inputs
    if inputs is None:
        inputs = random_inputs(len(weights), job.seed)
    inputs = check_inputs(inputs, len(weights), job.inputs_name)

    def document_of(run: Run, decided: Classification | None) -> dict[str, Any]:
        """Return the result with the time so far, and write it."""
        about = _about(job, folder) | {
            "matrix": operand(job.matrix_name, weights, job.matrix_sha256),
            "inputs": operand(job.inputs_name, inputs, job.inputs_sha256),
            "report": _report_path(folder),
            "gaps": _gaps(bench),
        }
        document = result_document(run, job.specification, decided, about)
        _keep(document, folder, began)
        return document

    try:
        run = run_pipeline(
            bench,
            weights,
            inputs,
            folder,
            step,
            job.options,
            # Written before the hours begin, so that the result outlives whatever ends them.
            so_far=lambda so_far: document_of(so_far, None),
        )
    except MatrixError as error:
        raise UsageError(f"{job.matrix_name}: {error}") from error
    decided = None
    if job.labels is not None:
        decided = classify(run.validation.exact, run.validation.answered, job.labels)
    # Written before the bench is closed: the result outlives an error in closing.
    return Done(run, decided, document_of(run, decided))


def _partial_result(job: Job, bench: Bench, folder: RunFolder, began: float) -> Done:
    """Do the steps of a run that ends before any product; as `_result`."""
    assert job.last != "validate"
    weights = None if job.last == "calibrate" else _weights(job, bench)
    inputs = job.inputs
    about = _about(job, folder)
    if weights is not None:
        about["matrix"] = operand(job.matrix_name, weights, job.matrix_sha256)
        if inputs is not None:
            inputs = check_inputs(inputs, len(weights), job.inputs_name)
            about["inputs"] = operand(job.inputs_name, inputs, job.inputs_sha256)
    try:
        part = run_until(job.last, bench, weights, inputs, folder, step, job.options)
    except MatrixError as error:
        raise UsageError(f"{job.matrix_name}: {error}") from error
    document = partial_document(part, job.specification, about | {"gaps": _gaps(bench)})
    _keep(document, folder, began)
    return Done(None, None, document)


def _about(job: Job, folder: RunFolder) -> dict[str, Any]:
    return folder.about() | {"title": job.title, "note": job.note, "bench": job.bench}


def _weights(job: Job, bench: Bench) -> Floats:
    if job.weights is not None:
        return job.weights
    return random_matrix(bench.board.rows, bench.board.columns // 2, job.seed)


def _reported(job: Job, folder: RunFolder, done: Done, began: float) -> dict[str, Any]:
    if done.run is None:
        return done.document
    _report(job, done.run, done, folder.path / REPORT_FILE, began)
    _keep(done.document, folder, began)
    return done.document


def _keep(document: dict[str, Any], folder: RunFolder, began: float) -> None:
    document["run"]["finished"] = iso(datetime.now().astimezone())
    document["wall_seconds"] = time.perf_counter() - began
    write_json(folder.path / RESULT_FILE, document)


def _gaps(bench: Bench) -> list[dict[str, Any]]:
    """Return the times at which the run was cut short and gone on with."""
    if not isinstance(bench.board, RecordedBoard):
        return []
    return [gap.document() for gap in bench.board.gaps]


def _report_path(folder: RunFolder) -> str:
    return str(folder.path / REPORT_FILE)


def same_result(document: dict[str, Any], kept: bytes) -> bool:
    """Return whether a result is the kept one, but for the times and places of the run."""
    try:
        other = json.loads(kept)
    except ValueError:
        return False
    if not isinstance(other, dict):
        return False
    mine = json.loads(json.dumps(document))
    return all(mine.get(key) == other.get(key) for key in {*mine, *other} - {"run", "wall_seconds"})


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
