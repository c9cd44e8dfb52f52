"""Arrays of a calibration, with dimensions, units and uncertainties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from numpy.typing import NDArray

from calibration.branches import BranchStatus
from calibration.converters import ChannelStatus
from instrument.board_calibration import Calibration
from instrument.history.quantity import NO_UNIT, Quantity

ROW, COLUMN = ("row",), ("column",)
CROSSPOINT, BRANCH = ("row", "column"), ("row", "column", "branch")


class _Uncertain(NamedTuple):
    """Values, and the standard uncertainty of each."""

    stem: str
    suffix: str
    """The name is stem and suffix; that of the uncertainty has the word between them."""
    dimensions: tuple[str, ...]
    unit: str
    meaning: str
    values: NDArray[Any]
    uncertainty: NDArray[Any]

    def quantities(self) -> Iterator[Quantity]:
        name, uncertain = self.stem + self.suffix, f"{self.stem}_uncertainty{self.suffix}"
        yield Quantity(name, self.dimensions, self.unit, self.meaning, self.values)
        meaning = f"standard uncertainty of {name}"
        yield Quantity(uncertain, self.dimensions, self.unit, meaning, self.uncertainty)


def of_calibration(calibration: Calibration) -> Iterator[Quantity]:
    """Yield the arrays of a calibration."""
    converters, ranges = calibration.converters, calibration.ranges
    if calibration.nominal_ohms is not None:
        meaning = "nominal resistance"
        yield Quantity("nominal_ohms", ("branch",), "ohm", meaning, calibration.nominal_ohms)
    yield Quantity(
        "branch_status",
        BRANCH,
        NO_UNIT,
        "whether a branch works",
        calibration.branches.status,
        BranchStatus,
    )
    for side, status in (("row", converters.row_status), ("column", converters.column_status)):
        meaning = f"whether a {side} works"
        yield Quantity(f"{side}_status", (side,), NO_UNIT, meaning, status, ChannelStatus)
    for side, unit, meaning, curves in (
        ("row", "V", "coefficients of a DAC's curve", converters.rows),
        ("column", NO_UNIT, "coefficients of an ADC's curve, of the range", converters.columns),
    ):
        name = f"{side}_curve" + ("_volts" if unit == "V" else "")
        yield Quantity(name, (side, f"{side}_degree"), unit, meaning, curves.coefficients)
    yield Quantity("range_amperes", ("range",), "A", "full scale", ranges.ranges_amperes)
    for uncertain in _uncertain(calibration):
        yield from uncertain.quantities()


def _uncertain(calibration: Calibration) -> Iterator[_Uncertain]:
    branches, temperature = calibration.branches, calibration.temperature
    offsets, ranges = calibration.converters.offsets, calibration.ranges
    yield _Uncertain(
        "branch",
        "_siemens",
        BRANCH,
        "S",
        "conductance that closing a branch's switch adds; 0 where it does not work",
        branches.branch_siemens,
        branches.uncertainty_siemens,
    )
    yield _Uncertain(
        "open",
        "_siemens",
        CROSSPOINT,
        "S",
        "conductance of a crosspoint with every switch open",
        branches.open_siemens,
        branches.open_uncertainty_siemens,
    )
    yield _Uncertain(
        "branch",
        "_per_kelvin",
        BRANCH,
        "1/K",
        "relative temperature coefficient of a branch; 0 where it does not work",
        temperature.per_kelvin,
        temperature.uncertainty_per_kelvin,
    )
    yield _Uncertain(
        "row_offset",
        "_volts",
        ROW,
        "V",
        "offset of a row's DAC, relative to the mean of the amplifiers' offsets",
        offsets.row_volts,
        offsets.row_uncertainty_volts,
    )
    yield _Uncertain(
        "column_offset",
        "_volts",
        COLUMN,
        "V",
        "offset of a column's amplifier, relative to the mean of all",
        offsets.column_volts,
        offsets.column_uncertainty_volts,
    )
    yield _Uncertain(
        "zero",
        "_amperes",
        COLUMN,
        "A",
        "reading of a column with every switch open",
        offsets.zero_amperes,
        offsets.zero_uncertainty_amperes,
    )
    yield _Uncertain(
        "range_factor",
        "",
        ("range", "column"),
        NO_UNIT,
        "factor that brings a reading to the scale of the range of characterization",
        ranges.factors,
        ranges.uncertainty,
    )
