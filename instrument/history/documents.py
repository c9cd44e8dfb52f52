"""Documents of a run's folder as they are read again: run.json and result.json, checked.

Anybody may have written them. What a command shows has its type here; other keys are left alone. A
section that a run has not reached is absent.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from instrument.files import as_usage_error, read_bytes
from instrument.run_files import MAX_RESULT_BYTES, RESULT_FILE
from instrument.runs import CLAIM_FILE

MAX_CLAIM_BYTES = 1 << 20
Versions = dict[str, str | None]
Name = Annotated[str, Field(min_length=1, max_length=4096)]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 2, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC)),
]
"""A date that every time zone has."""
Bits = Annotated[float, Field(ge=-1100, le=1100)]
"""−log₂ of an error that float64 holds."""
RelativeError = Annotated[float, Field(ge=0, le=1e100)]
"""An error whose square is finite."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Claim(_Section):
    """The first file of a run: what is known when it starts."""

    id: Name
    started: Moment
    command: str
    host: str = ""
    versions: Versions = {}
    asked: dict[str, Any] = {}
    """Options of the command below its name, and the folder that it was typed in; empty in runs
    that did not note them.
    """


class Operand(_Section):
    """A matrix or a batch of inputs."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    sha256_of: str = "file"


class CalibrationUsed(_Section):
    """The calibration that a run used."""

    made_at: Moment
    run: str | None = None
    joined: tuple[Moment, ...] = ()


class About(_Section):
    """The `run` of a result."""

    id: Name
    finished: Moment
    title: str | None = None
    note: str | None = None
    bench: str | None = None
    matrix: Operand | None = None
    inputs: Operand | None = None
    calibration: CalibrationUsed | None = None


class Board(_Section):
    """The board of a result."""

    preset: str
    serial: str
    rows: int
    columns: int
    branches: int
    """Of the whole board."""


class Specification(_Section):
    """What a run had to reach."""

    bits: Bits
    agreement: float | None = None
    scope: str


class CalibrationFigures(_Section):
    """Figures of the calibration."""

    branches: int
    readings: int
    bench_seconds: float
    board_kelvin: float
    statuses: dict[str, int]
    expired: str | None = None
    versions: Versions = {}
    """Of ohmsum and of the board's firmware, when it was measured."""


class ProgramFigures(_Section):
    """Figures of the programmed matrix."""

    rows: int
    outputs: int
    rounds: int
    residual_rms: float | None = None
    unreachable: int = 0
    coarse: int = 0
    lost_outputs: tuple[int, ...] = ()
    """Counted from 0."""


class OutputFigures(_Section):
    """Precision of one output."""

    output: int
    """Counted from 0."""
    bits: Bits | None
    bits_interval: tuple[Bits | None, Bits | None] | None = None
    predicted_bits: Bits | None = None
    lost: bool = False


class ValidationFigures(_Section):
    """Precision of the products."""

    vectors: int
    relative_error: RelativeError | None
    bits: Bits | None
    worst_bits: Bits | None
    bits_interval: tuple[Bits | None, Bits | None] | None = None
    outputs: tuple[OutputFigures, ...] = ()
    foreseen: bool = True


class BudgetRow(_Section):
    """One cause of the error of products."""

    cause: str
    relative_error: RelativeError
    bits: Bits | None


class BudgetFigures(_Section):
    """The budget: rows, and their sum."""

    rows: tuple[BudgetRow, ...]
    predicted_relative_error: RelativeError
    predicted_bits: Bits | None


class Result(_Section):
    """The result of a run; a section is None where the command does not do that step."""

    ok: bool | None = None
    run: About
    board: Board
    specification: Specification | None = None
    calibration: CalibrationFigures | None = None
    program: ProgramFigures | None = None
    validation: ValidationFigures | None = None
    budget: BudgetFigures | None = None
    recovery: dict[str, int] = {}
    """Faults of the wire and of the power that ended nothing: how many of each kind."""
    wall_seconds: float | None = None


_Document = TypeVar("_Document", Claim, Result)


def read_claim(folder: Path) -> Claim:
    """Return the claim of a run's folder.

    Raises UsageError, which names the file, where it is missing or damaged.
    """
    return _read(Claim, folder / CLAIM_FILE, MAX_CLAIM_BYTES, "not the first file of a run")


def read_result(folder: Path) -> Result:
    """Return the result in a run's folder.

    Raises UsageError, which names the file, where it is missing or damaged.
    """
    return _read(Result, folder / RESULT_FILE, MAX_RESULT_BYTES, "not the result of a run")


def _read(kind: type[_Document], path: Path, max_bytes: int, complaint: str) -> _Document:
    with as_usage_error(path, complaint):
        document = json.loads(read_bytes(path, max_bytes))
        try:
            return kind.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the document"
            raise ValueError(f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error
