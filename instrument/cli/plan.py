"""Plan of a run or of its first steps: files are checked before an instrument is touched."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from calibration.arrays import Floats
from calibration.errors import MatrixError
from calibration.programming import check_matrix
from instrument.bench_names import SIMULATED
from instrument.board_calibration import load_calibration
from instrument.cli.job import Job
from instrument.cli.options import MAX_HOURS
from instrument.errors import UsageError
from instrument.files import check_inputs, load_array, random_matrix, sha256_of
from instrument.opening import LinkKind
from instrument.pipeline import LastStep, PipelineOptions
from instrument.results import Specification, SpecificationScope
from instrument.validation import Scope

RANDOM = "random"
RANDOM_OF_SIZE = re.compile(rf"{RANDOM}:([1-9]\d{{0,3}})x([1-9]\d{{0,3}})")


class RunOptions(BaseModel):
    """Options of `ohmsum run`, as its command line has them and as run.json keeps them.

    The commands of single steps have some of them; the others are of no account there.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    bench: str
    matrix: str = RANDOM
    inputs: Path | None = None
    calibration: Path | None = None
    earlier: tuple[Path, ...] = ()
    allow_expired: bool = False
    take_over: bool = False
    spec_bits: float = 11.0
    spec_scope: SpecificationScope = "output"
    thorough: bool = False
    hours: float = Field(default=0.0, ge=0, le=MAX_HOURS)
    seed: int
    link: LinkKind | None = None
    title: str | None = None
    note: str | None = None


LAST_STEPS: dict[str, LastStep] = {
    "calibrate": "calibrate",
    "program": "program",
    "run": "validate",
}
"""The step that ends the run of each command."""


def plan(options: RunOptions, command: str = "run") -> Job:
    """Return the job of a command line, whose command is a key of LAST_STEPS.

    Raises UsageError, which names the file or the option, where something in it is wrong.
    """
    bench, matrix, inputs = options.bench, options.matrix, options.inputs
    if options.link is not None and not bench.startswith(SIMULATED):
        raise UsageError(f"--link is for a board simulated in this process; {bench} names its wire")
    weights = _weights(matrix, options.seed)
    vectors = None
    if inputs is not None:
        rows = None if weights is None else len(weights)
        vectors = check_inputs(load_array(inputs), rows, str(inputs))
    last = LAST_STEPS[command]
    named = f"calibration of {bench}" if last == "calibrate" else f"{matrix} on {bench}"
    return Job(
        last=last,
        title=options.title or named,
        note=options.note,
        bench=bench,
        seed=options.seed,
        link=options.link or "socket",
        weights=weights,
        inputs=vectors,
        matrix_name=matrix,
        matrix_sha256=None if _is_random(matrix) else sha256_of(Path(matrix)),
        inputs_name=RANDOM if inputs is None else str(inputs),
        inputs_sha256=None if inputs is None else sha256_of(inputs),
        take_over=options.take_over,
        specification=Specification(options.spec_bits, scope=options.spec_scope),
        options=PipelineOptions(
            calibration=None
            if options.calibration is None
            else load_calibration(options.calibration),
            earlier=tuple(load_calibration(path) for path in options.earlier),
            allow_expired=options.allow_expired,
            wanted_bits=options.spec_bits,
            scope=Scope(
                options.seed,
                own_inputs=vectors is not None,
                thorough=options.thorough,
                hours=options.hours,
            ),
        ),
    )


def _weights(matrix: str, seed: int) -> Floats | None:
    """Return the requested weights; None for random ones of the board's size."""
    if matrix == RANDOM:
        return None
    sized = RANDOM_OF_SIZE.fullmatch(matrix)
    if sized:
        rows, outputs = map(int, sized.groups())
        return random_matrix(rows, outputs, seed)
    if _is_random(matrix):
        raise UsageError(
            f"{matrix}: a random matrix is asked for as {RANDOM}:ROWSxOUTPUTS, {RANDOM}:128x16; "
            "each is at most 9999"
        )
    return _load_matrix(Path(matrix))


def _is_random(matrix: str) -> bool:
    return matrix == RANDOM or matrix.startswith(f"{RANDOM}:")


def _load_matrix(path: Path) -> Floats:
    try:
        return check_matrix(load_array(path))
    except MatrixError as error:
        raise UsageError(f"{path}: {error}") from error
