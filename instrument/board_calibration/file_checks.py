"""Checks of a calibration file's contents: types, shapes and plausible values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.types import AwareDatetime

from calibration.arrays import Floats
from calibration.branches import BranchStatus
from calibration.converters import ChannelStatus
from calibration.crossbar import MAX_DELAY_SECONDS

Arrays = Mapping[str, NDArray[Any]]

MAX_MAGNITUDE = 1e12
"""Largest number that a calibration may hold, in SI units: its powers stay finite."""
MIN_DIVISOR = 1e-15
"""Smallest value of a quantity that is divided by."""
CONDUCTANCE_OVER_NOMINAL = 0.2, 50.0
"""Range of a working branch's conductance over its nominal one. Characterization calls a branch
dead below a quarter; a resistor at the edge of a ± 98 % tolerance conducts fifty times its nominal
value.
"""
COVARIANCE_ROUNDING = 1e-6
"""Rounding error of a covariance, relative to its largest eigenvalue: the smallest eigenvalue may
be this far below zero, and entries may differ by this much across the diagonal.
"""
WHOLE_NUMBERS = {
    "branches.status": np.int8,
    "branches.wild_readings": np.int_,
    "converters.row_status": np.int8,
    "converters.dac_bits": np.int_,
    "converters.column_status": np.int8,
}
POSITIVE = (
    "nominal_ohms",
    "branches.range_amperes",
    "branches.row_volts",
    "branches.reference_kelvin",
    "branches.kelvin_range",
    "converters.rows.full_scale",
    "converters.rows.line_end",
    "converters.columns.full_scale",
    "converters.columns.line_end",
    "converters.range_amperes",
    "ranges.ranges_amperes",
    "ranges.factors",
    "noise.settings.range_amperes",
    "noise.settings.aperture_seconds",
    "noise.settings.line_hertz",
    "noise.warming.kelvin",
)
NOT_NEGATIVE = (
    "branches.readings",
    "branches.noise_variance_siemens2",
    "branches.wild_readings",
    "branches.drift_ppm",
    "branches.reference_seconds",
    "branches.delay_seconds",
    "converters.readings",
    "converters.left_out",
    "ranges.readings",
    "noise.settings.delay_seconds",
    "noise.warming.wander",
    "noise.readings",
    "noise.columns",
    "settling.settle_seconds",
    "settling.needed_seconds",
    "settling.time_constant_seconds",
    "settling.missing_share",
    "temperature.own_per_kelvin",
)
COVARIANCES = (
    "branches.noise_covariance",
    "branches.signal_covariance_siemens2",
    "branches.drift_covariance",
    "converters.rows.covariance",
    "converters.columns.covariance",
)

_Text = Annotated[str, Field(max_length=200)]
_Count = Annotated[int, Field(ge=1, le=4096, strict=True)]
_Seconds = Annotated[float, Field(ge=0, le=MAX_MAGNITUDE)]


class Board(BaseModel):
    """Board that a calibration file names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: _Text
    serial: _Text
    rows: _Count
    columns: _Count
    branches: _Count


class About(BaseModel):
    """The part of a calibration that its file keeps as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: str
    board: Board
    bytes_moved: Annotated[int, Field(ge=0)]
    bench_seconds: _Seconds
    converter_seconds: _Seconds
    board_kelvin: Annotated[float, Field(gt=1, lt=2000)]
    wall_seconds: _Seconds
    made_at: AwareDatetime
    versions: dict[_Text, _Text]
    joined: tuple[AwareDatetime, ...] = ()
    run: _Text = ""


def read_about(text: str) -> About:
    """Return the JSON part of a calibration file.

    Raises ValueError, which names the key, where the content is invalid.
    """
    try:
        about = About.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "about"
        raise ValueError(f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error
    for moment in (about.made_at, *about.joined):
        _check_moment(moment)
    if about.made_at in about.joined or len(set(about.joined)) < len(about.joined):
        raise ValueError("joined: a measurement is named twice")
    return about


def checked_arrays(arrays: Arrays, board: Board) -> dict[str, NDArray[Any]]:
    """Return the arrays of a calibration of this board, converted to their types in memory.

    Raises ValueError, which names the array, where a type, a shape or a value is impossible.
    """
    shapes = _shapes(arrays, board)
    checked = {}
    for name, array in arrays.items():
        if array.shape != shapes.get(name, ()):
            raise ValueError(f"{name} is of shape {array.shape}, not {shapes.get(name, ())}")
        checked[name] = _of_its_type(name, array)
    for name, array in checked.items():
        if array.dtype.kind == "f":
            _check_sizes(name, array)
    for name in NOT_NEGATIVE:
        if (checked[name] < 0).any():
            raise ValueError(f"{name} is negative")
    for name in COVARIANCES:
        _check_covariance(name, checked[name])
    _check_branches(checked)
    _check_order(checked)
    return checked


def _check_moment(moment: datetime) -> None:
    if not 2000 <= moment.year < 9999:
        raise ValueError(f"{moment:%Y-%m-%d} is no date of a measurement")


def _of_its_type(name: str, array: NDArray[Any]) -> NDArray[Any]:
    kind = array.dtype.kind
    if name in WHOLE_NUMBERS or name.endswith(("readings", "left_out", "noise.columns")):
        wanted, right = np.dtype(WHOLE_NUMBERS.get(name, np.int_)), kind in "iu"
    elif name == "branches.groups":
        wanted, right = np.dtype(np.bool_), kind == "b"
    elif name in ("branches.design", "settling.chosen"):
        wanted, right = array.dtype, kind == "U" and array.itemsize <= 4 * 200
    else:
        wanted, right = np.dtype(np.float64), kind in "fiu"
    if not right:
        raise ValueError(f"{name} is of type {array.dtype}")
    if wanted.kind == "i" and (array != array.astype(wanted)).any():
        raise ValueError(f"{name} holds numbers that are too large")
    with np.errstate(over="ignore"):  # an overflow becomes infinite and is refused by its size
        return np.ascontiguousarray(array, dtype=wanted).reshape(array.shape)


def _check_sizes(name: str, array: Floats) -> None:
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinities")
    if (np.abs(array) > MAX_MAGNITUDE).any():
        raise ValueError(f"{name} holds {np.abs(array).max():.3g}, which no board measures")
    if name in POSITIVE and (array < MIN_DIVISOR).any():
        raise ValueError(f"{name} is not positive: {array.min():.3g}")
    if "uncertainty" in name and (array < 0).any():
        raise ValueError(f"{name} is negative: {array.min():.3g}")


def _check_covariance(name: str, matrices: Floats) -> None:
    size = np.abs(matrices).max(initial=0.0)
    if (
        np.abs(matrices - np.swapaxes(matrices, -1, -2)).max(initial=0.0)
        > COVARIANCE_ROUNDING * size
    ):
        raise ValueError(f"{name} is not symmetric")
    eigenvalues = np.linalg.eigvalsh(matrices)
    if (eigenvalues[..., 0] < -COVARIANCE_ROUNDING * np.maximum(eigenvalues[..., -1], 0.0)).any():
        raise ValueError(f"{name} is no covariance: it has negative eigenvalues")


def _check_branches(arrays: Arrays) -> None:
    for name, statuses in (
        ("branches.status", BranchStatus),
        ("converters.row_status", ChannelStatus),
        ("converters.column_status", ChannelStatus),
    ):
        if not np.isin(arrays[name], list(statuses)).all():
            raise ValueError(f"{name} holds an unknown status")
    usable = arrays["branches.status"] == BranchStatus.OK
    if (arrays["branches.uncertainty_siemens"][usable] <= 0).any():
        raise ValueError("branches.uncertainty_siemens is zero or negative")
    siemens = arrays["branches.branch_siemens"]
    if "nominal_ohms" in arrays:
        low, high = CONDUCTANCE_OVER_NOMINAL
        of_nominal = siemens * arrays["nominal_ohms"]
        wrong = usable & ~((of_nominal >= low) & (of_nominal <= high))
        if wrong.any():
            row, column, branch = np.argwhere(wrong)[0]
            raise ValueError(
                f"branches.branch_siemens: row {row + 1}, column {column + 1}, branch {branch + 1} "
                f"is {siemens[row, column, branch]:.3g} S, of which the nominal is "
                f"{1 / arrays['nominal_ohms'][branch]:.3g} S"
            )
    elif (siemens[usable] <= 0).any():
        raise ValueError("branches.branch_siemens is zero or negative where a branch is ok")


def _check_order(arrays: Arrays) -> None:
    if (np.diff(arrays["ranges.ranges_amperes"]) <= 0).any():
        raise ValueError("ranges.ranges_amperes do not ascend")
    low, high = arrays["branches.kelvin_range"]
    if low > high:
        raise ValueError("branches.kelvin_range is reversed")
    if not (np.abs(np.log2(arrays["ranges.factors"])) <= 1).all():
        raise ValueError("ranges.factors: a range's gain is not half or twice another's")
    for side in ("rows", "columns"):
        end, full = (arrays[f"converters.{side}.{name}"] for name in ("line_end", "full_scale"))
        if end > full:
            raise ValueError(f"converters.{side}.line_end is beyond the full scale")
    if arrays["settling.settle_seconds"] > MAX_DELAY_SECONDS:
        raise ValueError(f"settling.settle_seconds is beyond {MAX_DELAY_SECONDS:g} s")
    if not 10 <= arrays["noise.settings.line_hertz"] <= 1000:
        raise ValueError("noise.settings.line_hertz is no frequency of a power line")


def _shapes(arrays: Arrays, board: Board) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all arrays that are neither single numbers nor words."""
    rows, columns = (board.rows,), (board.columns,)
    crosspoints = rows + columns
    row_terms, column_terms, ranges = (
        arrays[name].shape[-1:]
        for name in (
            "converters.rows.coefficients",
            "converters.columns.coefficients",
            "ranges.ranges_amperes",
        )
    )
    unknowns = 1 + board.branches, 1 + board.branches
    return {
        "nominal_ohms": (board.branches,),
        "branches.open_siemens": crosspoints,
        "branches.branch_siemens": (*crosspoints, board.branches),
        "branches.uncertainty_siemens": (*crosspoints, board.branches),
        "branches.status": (*crosspoints, board.branches),
        "branches.groups": (*arrays["branches.groups"].shape[:1], board.branches),
        "branches.noise_covariance": rows + unknowns,
        "branches.noise_variance_siemens2": columns,
        "branches.signal_covariance_siemens2": rows + unknowns,
        "branches.drift_covariance": rows + rows,
        "branches.wild_readings": crosspoints,
        "branches.kelvin_range": (2,),
        "temperature.per_kelvin": (*crosspoints, board.branches),
        "temperature.uncertainty_per_kelvin": (*crosspoints, board.branches),
        "converters.rows.coefficients": rows + row_terms,
        "converters.rows.covariance": rows + 2 * row_terms,
        "converters.columns.coefficients": columns + column_terms,
        "converters.columns.covariance": columns + 2 * column_terms,
        "converters.offsets.row_volts": rows,
        "converters.offsets.row_uncertainty_volts": rows,
        "converters.offsets.column_volts": columns,
        "converters.offsets.column_uncertainty_volts": columns,
        "converters.offsets.zero_amperes": columns,
        "converters.offsets.zero_uncertainty_amperes": columns,
        "converters.row_status": rows,
        "converters.column_status": columns,
        "ranges.ranges_amperes": ranges,
        "ranges.factors": ranges + columns,
        "ranges.uncertainty": ranges + columns,
    }
