"""The board as calibration needs it, and the currents and voltages of a measurement."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.arrays import Bools, Floats

MAX_DELAY_SECONDS = 10.0
"""Longest settling time that a board can be set to (docs/board-protocol.md)."""
NO_BRANCH = -1
"""Branch index of a probe with every switch open."""
MAX_TIMES_MEDIAN = 20.0
"""Current of a column over the median column's: a column with more does not count when a range or a
voltage is chosen.
"""


class Moment(NamedTuple):
    """The time and the temperature of a measurement."""

    seconds: float
    """Since power-on, on the board's clock."""
    kelvin: float
    """Reading of the board's thermometer."""


class Crossbar(Protocol):
    """A board that drives its rows while it measures.

    Rows, columns and branches count from 0. An overloaded reading is NaN.
    """

    @property
    def rows(self) -> int:
        """Number of rows."""
        ...

    @property
    def columns(self) -> int:
        """Number of columns."""
        ...

    @property
    def branches(self) -> int:
        """Number of branches at each crosspoint."""
        ...

    @property
    def nominal_ohms(self) -> Floats:
        """Nominal resistance of each branch of a crosspoint (branches,), ohm."""
        ...

    @property
    def row_volts_limit(self) -> float:
        """Largest row voltage, of either sign."""
        ...

    @property
    def ranges_amperes(self) -> Floats:
        """Full scales of the column amplifiers, ascending, ampere."""
        ...

    @property
    def range_amperes(self) -> float:
        """The range in use, ampere."""
        ...

    @property
    def aperture_seconds(self) -> float:
        """The integration time in use."""
        ...

    @property
    def delay_seconds(self) -> float:
        """The settling time in use."""
        ...

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Set range, integration time and settling time; None leaves a setting as it is."""
        ...

    def moment(self) -> tuple[float, float]:
        """Return the time on the board's clock, seconds, and its temperature, kelvin."""
        ...

    def apply(self, pattern: Bools) -> None:
        """Set every switch from a pattern (rows, columns, branches)."""
        ...

    def column_currents(self, row_volts: ArrayLike) -> Floats:
        """Drive vectors (vectors, rows), volts, in turn; return one reading of each.

        Returns (vectors, columns), ampere.
        """
        ...

    def scan(
        self,
        rows: NDArray[np.int_],
        branches: NDArray[np.int_],
        row_volts: Floats,
        readings: int = 1,
    ) -> Floats:
        """Probe points in turn: drive one row, close one of its branches in every column.

        All other switches are open. `rows`, `branches` (NO_BRANCH for none) and `row_volts` are
        (points,). Returns (points, readings, columns), ampere.
        """
        ...

    def rest(self) -> None:
        """Stop driving the rows.

        Called before a computation. Switches and settings stay, and the next measurement drives
        again.
        """
        ...


Progress = Callable[[int, int], None]
"""Called with the number of steps done and the number of all steps."""


def no_progress(done: int, total: int) -> None:
    """Ignore progress."""


def measuring_volts(row_volts_limit: float) -> float:
    """Return the row voltage that measurements use: 15/16 of the limit.

    Both +V and −V are then exact codes of a binary DAC of 5 bits or more. The limit itself is not,
    because +limit has no code.
    """
    return row_volts_limit * 15 / 16


def smallest_range(ranges_amperes: Floats, amperes: float) -> float:
    """Return the smallest range that holds a current, or the widest range if none does."""
    index = int(np.searchsorted(ranges_amperes, amperes))
    return float(ranges_amperes[min(index, len(ranges_amperes) - 1)])


def largest_usual(values: Floats) -> float:
    """Return the largest of values (columns,) ≥ 0 that are at most MAX_TIMES_MEDIAN their median.

    Returns 0 where there are no values.
    """
    if not values.size:
        return 0.0
    return float(values[values <= MAX_TIMES_MEDIAN * np.median(values)].max(initial=0.0))


def held_volts(ranges_amperes: Floats, volts: float, siemens: Floats) -> float:
    """Return `volts`, halved until the widest range holds the currents of all columns.

    `siemens` (columns,) is the conductance of each column; columns that conduct more than
    MAX_TIMES_MEDIAN times the median do not count. Halves of an exact code of a DAC are exact codes
    too.
    """
    amperes = volts * largest_usual(siemens)
    halvings = np.ceil(np.log2(max(amperes / float(ranges_amperes[-1]), 1.0)))
    return float(volts * 2.0**-halvings)
