"""What calibration needs of a board, however it is reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.arrays import Bools, Floats

MAX_DELAY_SECONDS = 10.0
"""Longest settling time that a board can be asked for (docs/board-protocol.md)."""
NO_BRANCH = -1
"""As the branch of a probe: every switch open."""
MAX_TIMES_MEDIAN = 20.0
"""Times the median column's current that a column may draw and still have a say in range and
voltage.
"""


class Moment(NamedTuple):
    """When something was measured."""

    seconds: float
    """Since power-on, on the board's clock."""
    kelvin: float
    """What the board's thermometer said."""


class Crossbar(Protocol):
    """A board that drives its rows when it measures. Rows, columns and branches count from 0; an
    overloaded reading is NaN.
    """

    @property
    def rows(self) -> int: ...
    @property
    def columns(self) -> int: ...
    @property
    def branches(self) -> int: ...
    @property
    def nominal_ohms(self) -> Floats:
        """Nominal resistance of each branch of a crosspoint (branches,), ohm."""
        ...

    @property
    def row_volts_limit(self) -> float:
        """Largest voltage a row can be driven to, either sign."""
        ...

    @property
    def ranges_amperes(self) -> Floats:
        """Full scales of the column amplifiers, ascending, ampere."""
        ...

    @property
    def range_amperes(self) -> float:
        """The range in force, ampere."""
        ...

    @property
    def aperture_seconds(self) -> float:
        """The integration time in force."""
        ...

    @property
    def delay_seconds(self) -> float:
        """The settling time in force."""
        ...

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Set the range, the integration time, the settling time; None leaves one as it is."""
        ...

    def moment(self) -> tuple[float, float]:
        """Return the time on the board's clock, seconds, and what its thermometer says, kelvin."""
        ...

    def apply(self, pattern: Bools) -> None:
        """Set every switch from a pattern (rows, columns, branches)."""
        ...

    def column_currents(self, row_volts: ArrayLike) -> Floats:
        """Drive vectors (vectors, rows) in turn, volts; return one reading of each (vectors,
        columns), ampere.
        """
        ...

    def scan(
        self,
        rows: NDArray[np.int_],
        branches: NDArray[np.int_],
        row_volts: Floats,
        readings: int = 1,
    ) -> Floats:
        """Probe points one after another: one row driven, one branch of it closed in every column,
        the rest open.

        `rows`, `branches` (NO_BRANCH for none) and `row_volts` are (points,). Returns (points,
        readings, columns) amperes.
        """
        ...

    def rest(self) -> None:
        """Stop driving the rows: what comes next is computed. Switches and settings stay, and the
        next measurement drives again.
        """
        ...


Progress = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


def measuring_volts(row_volts_limit: float) -> float:
    """Return the row voltage that measurements use: 15/16 of the limit.

    Both +V and −V then are exact codes of a binary DAC of 5 bits or more; the limit itself is not,
    because +range has no code.
    """
    return row_volts_limit * 15 / 16


def smallest_range(ranges_amperes: Floats, amperes: float) -> float:
    """Return the smallest range that holds a current, or the largest there is."""
    index = int(np.searchsorted(ranges_amperes, amperes))
    return float(ranges_amperes[min(index, len(ranges_amperes) - 1)])


def largest_usual(values: Floats) -> float:
    """Return the largest of values (columns,) ≥ 0 that are at most MAX_TIMES_MEDIAN their median.

    It is 0 where there are no values.
    """
    if not values.size:
        return 0.0
    return float(values[values <= MAX_TIMES_MEDIAN * np.median(values)].max(initial=0.0))


def held_volts(ranges_amperes: Floats, volts: float, siemens: Floats) -> float:
    """Return `volts`, halved until the widest range holds the currents of columns (columns,) of so
    much conductance. Halves of an exact code of a DAC are exact codes as well.

    A column that conducts more than MAX_TIMES_MEDIAN times as much as the median has no say.
    """
    amperes = volts * largest_usual(siemens)
    halvings = np.ceil(np.log2(max(amperes / float(ranges_amperes[-1]), 1.0)))
    return float(volts * 2.0**-halvings)
