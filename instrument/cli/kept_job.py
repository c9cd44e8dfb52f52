"""What a run was asked to do, kept in its folder: the run can be gone on with and replayed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from calibration.programming import check_matrix
from instrument.bench_file import MAX_BENCH_BYTES
from instrument.bench_names import SIMULATED
from instrument.board_calibration import load_calibration, save_calibration
from instrument.cli.job import Job
from instrument.errors import UsageError
from instrument.files import (
    arrays_of,
    as_usage_error,
    check_inputs,
    read_bytes,
    write_bytes,
    write_json,
)
from instrument.opening import LinkKind
from instrument.pipeline import LastStep, PipelineOptions
from instrument.results import Specification
from instrument.run_files import (
    BENCH_FILE,
    GIVEN_CALIBRATION_FILE,
    GIVEN_EARLIER_FILE,
    JOB_FILE,
    OPERANDS_FILE,
    PRESET_FILE,
)
from instrument.runs import RunFolder
from instrument.validation import Scope

FORMAT = "ohmsum job 1"
MAX_JOB_BYTES, MAX_OPERANDS_BYTES = 1 << 20, 1 << 31


class _Job(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    format: Literal["ohmsum job 1"]
    last: LastStep = "validate"
    title: str
    note: str | None
    bench: str
    seed: int
    link: LinkKind
    matrix_name: str
    inputs_name: str
    matrix_sha256: str | None
    inputs_sha256: str | None
    allow_expired: bool
    wanted_bits: float
    specification: Specification
    scope: Scope
    calibration: bool
    earlier: int
    bench_file: Literal["bench.toml", "preset.toml"] | None


def keep_job(job: Job, folder: RunFolder) -> None:
    """Write a job to the folder of its run, with copies of all files that it was given.

    Raises FileNotWritten where that fails.
    """
    options = job.options
    document = {
        "format": FORMAT,
        "last": job.last,
        "title": job.title,
        "note": job.note,
        "bench": job.bench,
        "seed": job.seed,
        "link": job.link,
        "matrix_name": job.matrix_name,
        "inputs_name": job.inputs_name,
        "matrix_sha256": job.matrix_sha256,
        "inputs_sha256": job.inputs_sha256,
        "allow_expired": options.allow_expired,
        "wanted_bits": options.wanted_bits,
        "specification": asdict(job.specification),
        "scope": asdict(options.scope),
        "calibration": options.calibration is not None,
        "earlier": len(options.earlier),
        "bench_file": _copy_bench(job.bench, folder.path),
    }
    operands = {"weights": job.weights, "inputs": job.inputs, "labels": job.labels}
    folder.keep(OPERANDS_FILE, {name: v for name, v in operands.items() if v is not None})
    if options.calibration is not None:
        save_calibration(options.calibration, folder.path / GIVEN_CALIBRATION_FILE)
    for number, earlier in enumerate(options.earlier, start=1):
        save_calibration(earlier, folder.path / GIVEN_EARLIER_FILE.format(number))
    # Last: a folder with this file holds all that it speaks of.
    write_json(folder.path / JOB_FILE, document)


def load_job(folder: Path) -> Job:
    """Read the job of a run from its folder; its bench is the copy that is kept there.

    Raises UsageError where it cannot be used.
    """
    path = folder / JOB_FILE
    with as_usage_error(path, "not the job of a run"):
        try:
            kept = _Job.model_validate(json.loads(read_bytes(path, MAX_JOB_BYTES)))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{key}: {first['msg'].lower()}") from error
    operands_path = folder / OPERANDS_FILE
    with as_usage_error(operands_path, "not the matrix and inputs of a run"):
        operands = arrays_of(read_bytes(operands_path, MAX_OPERANDS_BYTES), MAX_OPERANDS_BYTES)
        weights, inputs, labels = map(operands.get, ("weights", "inputs", "labels"))
        weights = None if weights is None else check_matrix(weights)
    if inputs is not None:
        inputs = check_inputs(inputs, None, str(operands_path))
    calibration = load_calibration(folder / GIVEN_CALIBRATION_FILE) if kept.calibration else None
    earlier = (
        load_calibration(folder / GIVEN_EARLIER_FILE.format(number))
        for number in range(1, kept.earlier + 1)
    )
    return Job(
        last=kept.last,
        title=kept.title,
        note=kept.note,
        bench=kept.bench,
        opened_as=_opened_as(kept, folder),
        seed=kept.seed,
        link=kept.link,
        weights=weights,
        inputs=inputs,
        labels=None if labels is None else np.asarray(labels, dtype=np.int64),
        matrix_name=kept.matrix_name,
        inputs_name=kept.inputs_name,
        matrix_sha256=kept.matrix_sha256,
        inputs_sha256=kept.inputs_sha256,
        specification=kept.specification,
        options=PipelineOptions(
            calibration=calibration,
            earlier=tuple(earlier),
            allow_expired=kept.allow_expired,
            wanted_bits=kept.wanted_bits,
            scope=kept.scope,
        ),
    )


def _copy_bench(bench: str, folder: Path) -> str | None:
    """Copy the file that names the bench, or describes a simulated one; return the copy's name.

    None where it is none that can be read: opening the bench says so.
    """
    simulated = bench.startswith(SIMULATED)
    source = Path(bench.removeprefix(SIMULATED))
    try:
        text = read_bytes(source, MAX_BENCH_BYTES)
    except UsageError:
        return None
    copy = folder / (PRESET_FILE if simulated else BENCH_FILE)
    write_bytes(copy, text)
    return copy.name


def _opened_as(kept: _Job, folder: Path) -> str:
    if kept.bench_file is None:
        return kept.bench
    copy = str(folder / kept.bench_file)
    return f"{SIMULATED}{copy}" if kept.bench_file == PRESET_FILE else copy
