"""Configuration of a bench, bench.toml: its instruments and how they are used."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from calibration.crossbar import MAX_DELAY_SECONDS
from drivers import parse_resource
from instrument.errors import UsageError
from instrument.files import read_bytes

MAX_BENCH_BYTES = 1 << 20


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BoardConfig(_Section):
    """The `[board]` section."""

    resource: str
    """VISA resource: TCPIP::host::port::SOCKET, or ASRL<port>::INSTR."""
    timeout_seconds: float = Field(default=5.0, gt=0, le=600)
    """Longest time for an answer beyond the time that the board needs for its readings."""
    row_volts: float | None = Field(default=None, gt=0)
    """Row voltage of the largest input, volts; 15/16 of the board's limit if left out."""
    nplc: float = Field(default=1.0, ge=0.001, le=100)
    """Aperture of every reading, in power-line cycles; whole numbers reject mains pickup."""
    settle_seconds: Literal["auto"] | float = "auto"
    """Time between a change of switches or rows and the start of the aperture; "auto": as long as
    the board is measured to need.
    """
    watchdog_seconds: float = Field(default=60.0, ge=1, le=3600)
    """Silence of the host after which the board opens everything by itself."""
    retries: int = Field(default=3, ge=0, le=1000)
    """Times that an exchange is repeated after a fault of the wire, the power or the watchdog."""
    reconnect_seconds: float = Field(default=30.0, ge=0, le=86400)
    """Time for which the board is sought after each such fault."""

    @field_validator("settle_seconds", mode="before")
    @classmethod
    def _can_be_waited(cls, seconds: object) -> object:
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds != "auto" and not (number and 0 <= float(str(seconds)) <= MAX_DELAY_SECONDS):
            raise ValueError(
                f'{seconds!r} is neither "auto" nor a number of seconds from 0 to '
                f"{MAX_DELAY_SECONDS:g}"
            )
        return seconds

    @property
    def fixed_settle_seconds(self) -> float | None:
        """Settling time that the file fixes, seconds; None if it is to be measured."""
        return None if isinstance(self.settle_seconds, str) else self.settle_seconds

    @field_validator("resource")
    @classmethod
    def _can_be_opened(cls, resource: str) -> str:
        try:
            parse_resource(resource)
        except ValueError as error:
            raise ValueError(f"{resource!r} is {error}") from error
        return resource


class CalibrationLimits(_Section):
    """The `[calibration]` section: how long a calibration may be used."""

    max_age_hours: float = Field(default=24.0, gt=0, le=1e6)
    max_excursion_kelvin: float = Field(default=3.0, gt=0, le=1e3)
    """Largest change of the board's own temperature between calibration and use."""


class BenchConfig(_Section):
    """A complete bench.toml."""

    board: BoardConfig
    calibration: CalibrationLimits = CalibrationLimits()


def load_bench_config(path: Path) -> BenchConfig:
    """Read and check a bench.toml.

    Raises UsageError, which names the file and the key, where it cannot be used.
    """
    if not os.path.lexists(path):
        raise UsageError(
            f"{path}: no such file; `ohmsum sim` writes one, and sim:64x16 does without"
        )
    try:
        # An editor may put a byte order mark in front.
        text = read_bytes(path, MAX_BENCH_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file ({error.reason})") from error
    try:
        return BenchConfig.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {key}: {_problem(first)}") from error


def _problem(error: ErrorDetails) -> str:
    """Return what is wrong with a key, in plain words."""
    if error["type"] == "extra_forbidden":
        return "unknown key"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])  # without pydantic's "Value error, " in front
    message = error["msg"]
    return message[:1].lower() + message[1:]


def bench_toml(board_resource: str) -> str:
    """Return the text of a bench.toml for a board at this resource."""
    return f'[board]\nresource = "{board_resource}"\n'
