"""Checks of the arguments that a person's own program passes in: numbers, vectors, choices."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from calibration.arguments import MIN_SCALABLE, real_array
from calibration.arrays import Floats
from calibration.errors import MatrixError
from instrument.errors import UsageError


def whole_number(value: object, name: str, *, minimum: int) -> int:
    """Return a whole number of at least `minimum`.

    Raises UsageError, which begins with `name`, for any other value.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= minimum:
        return int(value)
    raise UsageError(f"{name} is a whole number from {minimum} on, not {_shown(value)}")


def positive_number(value: object, name: str) -> float:
    """Return a positive number that is safe to divide by.

    Raises UsageError, which begins with `name`, for any other value.
    """
    number = math.nan
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        with suppress(OverflowError):
            number = float(value)
    if not MIN_SCALABLE <= number <= 1 / MIN_SCALABLE:
        raise UsageError(
            f"{name} is a number above 0 ({MIN_SCALABLE:g} to {1 / MIN_SCALABLE:g}), not "
            f"{_shown(value)}"
        )
    return number


def file_path(value: object) -> Path:
    """Return the path of a file.

    Raises UsageError where the value is no path.
    """
    if isinstance(value, str | os.PathLike) and str(value):
        return Path(value)
    raise UsageError(f"a file is given by its path, not by {_shown(value)}")


def one_of(value: object, name: str, choices: Sequence[str]) -> None:
    """Raise UsageError, which begins with `name`, unless the value is one of the choices."""
    if value not in choices:
        raise UsageError(f"{name} is {' or '.join(map(repr, choices))}, not {_shown(value)}")


def input_vectors(x: object, rows: int, input_full_scale: float) -> Floats:
    """Return the inputs (rows,) or (vectors, rows) of a product as float64.

    Raises ValueError where the shape is wrong, where the array holds no real numbers, NaN or
    infinities, and where an input exceeds the full scale.
    """
    try:
        inputs = real_array(x, "an input")
    except MatrixError as error:
        raise ValueError(str(error)) from error
    if inputs.ndim not in (1, 2) or inputs.shape[-1] != rows:
        raise ValueError(
            f"inputs are one vector ({rows},) or several (vectors, {rows}), because the matrix has "
            f"{rows} rows; these are {_in_words(inputs.shape, rows)}"
        )
    if not np.isfinite(inputs).all():
        place = np.argwhere(~np.isfinite(inputs))[0]
        vector = f"vector {place[0] + 1}, " if inputs.ndim == 2 else ""
        raise ValueError(
            f"inputs hold NaN or infinities: {vector}row {place[-1] + 1} is {inputs[tuple(place)]}"
        )
    largest = float(np.abs(inputs).max(initial=0.0))
    if largest > input_full_scale * (1 + 1e-12):
        raise ValueError(
            f"an input of {largest:g} is beyond the full scale of {input_full_scale:g} that the "
            "matrix was programmed for"
        )
    return inputs


def _in_words(shape: tuple[int, ...], rows: int) -> str:
    """Describe an array's shape as input vectors, with advice where it is plainly transposed."""
    if len(shape) == 0:
        return "a single number"
    if len(shape) == 1:
        return f"one vector of {shape[0]}"
    if len(shape) > 2:
        return f"of {len(shape)} dimensions, {shape}"
    transposed = "; transpose them" if shape[0] == rows else ""
    return f"{shape[0]} vectors of {shape[1]}{transposed}"


def _shown(value: object) -> str:
    """Return a value in a form that fits one line of a message."""
    if value is None or isinstance(value, str | int | float | complex | np.generic):
        return repr(value.item() if isinstance(value, np.generic) else value)[:80]
    return f"a {type(value).__name__}"
