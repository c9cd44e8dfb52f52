"""Plan of `ohmsum run`: every file is read and checked before an instrument is touched."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from calibration.arrays import Floats
from calibration.errors import MatrixError
from calibration.programming import check_matrix
from instrument.board_calibration import load_calibration
from instrument.cli.job import Job
from instrument.errors import UsageError
from instrument.files import check_inputs, load_array, random_matrix, sha256_of
from instrument.opening import SIMULATED, LinkKind
from instrument.pipeline import PipelineOptions
from instrument.results import Specification
from instrument.validation import Scope

RANDOM = "random"
RANDOM_OF_SIZE = re.compile(rf"{RANDOM}:([1-9]\d{{0,3}})x([1-9]\d{{0,3}})")
MAX_HOURS = 1000
MAX_STEM_CHARACTERS = 40


def plan(
    bench: str,
    matrix: str,
    inputs: Path | None,
    calibration: Path | None,
    specification: Specification,
    seed: int,
    link: LinkKind | None,
    *,
    thorough: bool,
    hours: float,
    allow_expired: bool,
    take_over: bool,
    earlier: Sequence[Path],
    title: str | None,
    note: str | None,
) -> Job:
    """Return the job of a command line.

    Raises UsageError, which names the file or the option, where something in it is wrong.
    """
    if not math.isfinite(specification.bits):
        raise UsageError(f"--spec-bits: {specification.bits} is no number of bits")
    if not 0 <= hours <= MAX_HOURS:
        raise UsageError(f"--hours: {hours:g} is not between 0 and {MAX_HOURS}")
    if link is not None and not bench.startswith(SIMULATED):
        raise UsageError(f"--link is for a board simulated in this process; {bench} names its wire")
    weights = _weights(matrix, seed)
    vectors = None
    if inputs is not None:
        rows = None if weights is None else len(weights)
        vectors = check_inputs(load_array(inputs), rows, str(inputs))
    return Job(
        title=title or f"{matrix} on {bench}",
        note=note,
        bench=bench,
        seed=seed,
        link=link or "socket",
        weights=weights,
        inputs=vectors,
        matrix_name=matrix,
        matrix_sha256=None if _is_random(matrix) else sha256_of(Path(matrix)),
        inputs_name=RANDOM if inputs is None else str(inputs),
        inputs_sha256=None if inputs is None else sha256_of(inputs),
        take_over=take_over,
        specification=specification,
        options=PipelineOptions(
            calibration=None if calibration is None else load_calibration(calibration),
            earlier=tuple(load_calibration(path) for path in earlier),
            allow_expired=allow_expired,
            wanted_bits=specification.bits,
            scope=Scope(seed, own_inputs=vectors is not None, thorough=thorough, hours=hours),
        ),
        name=_name(bench, seed),
    )


def _name(bench: str, seed: int) -> str:
    """Return the name of the run's folder, behind the time."""
    # A file's name may be too long for a folder, or hold characters that a shell interprets.
    stem = re.sub(r"[^\w.+-]+", "-", Path(bench.removeprefix(SIMULATED)).stem)
    name = f"run-{stem[:MAX_STEM_CHARACTERS]}"
    return f"{name}-seed{seed}" if bench.startswith(SIMULATED) else name


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
