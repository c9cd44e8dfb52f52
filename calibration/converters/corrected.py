"""A board with corrected converters.

Rows are driven to the voltages asked for; columns are read without the curves of their ADCs and on
one scale in all ranges. The result is a Crossbar itself, so calibration, programming and products
use it as any other board.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.arrays import Bools, Floats
from calibration.converters.measure import Converters
from calibration.converters.range_gains import RangeGains
from calibration.crossbar import Crossbar


@dataclass(frozen=True)
class CorrectedCrossbar:
    """A board and its converters; the board still rounds voltages to codes of its DACs."""

    board: Crossbar
    converters: Converters
    ranges: RangeGains | None = None
    """None before the ranges are compared: each range is then on its own scale."""

    @property
    def rows(self) -> int:
        """Number of rows, of the board as all properties below."""
        return self.board.rows

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.board.columns

    @property
    def branches(self) -> int:
        """Number of branches at each crosspoint."""
        return self.board.branches

    @property
    def nominal_ohms(self) -> Floats:
        """Nominal resistance of each branch of a crosspoint (branches,), ohm."""
        return self.board.nominal_ohms

    @property
    def row_volts_limit(self) -> float:
        """Largest row voltage, of either sign."""
        return self.board.row_volts_limit

    @property
    def ranges_amperes(self) -> Floats:
        """Full scales of the column amplifiers, ascending, ampere."""
        return self.board.ranges_amperes

    @property
    def range_amperes(self) -> float:
        """The range in use, ampere."""
        return self.board.range_amperes

    @property
    def aperture_seconds(self) -> float:
        """The integration time in use."""
        return self.board.aperture_seconds

    @property
    def delay_seconds(self) -> float:
        """The settling time in use."""
        return self.board.delay_seconds

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Set range, integration time and settling time; None leaves a setting as it is."""
        self.board.configure(
            range_amperes=range_amperes,
            aperture_seconds=aperture_seconds,
            delay_seconds=delay_seconds,
        )

    def moment(self) -> tuple[float, float]:
        """Return the time on the board's clock, seconds, and its temperature, kelvin."""
        return self.board.moment()

    def apply(self, pattern: Bools) -> None:
        """Set every switch from a pattern (rows, columns, branches)."""
        self.board.apply(pattern)

    def column_currents(self, row_volts: ArrayLike) -> Floats:
        """Drive vectors (vectors, rows), volts, in turn; return one reading of each.

        Returns (vectors, columns), ampere.
        """
        settings = self.converters.settings(np.asarray(row_volts, dtype=np.float64))
        return self._corrected(self.board.column_currents(settings))

    def scan(
        self,
        rows: NDArray[np.int_],
        branches: NDArray[np.int_],
        row_volts: Floats,
        readings: int = 1,
    ) -> Floats:
        """Probe points (points,) in turn; return (points, readings, columns), ampere.

        Rows that are not driven are set to 0 V by the board, without a correction.
        """
        settings = self.converters.settings(row_volts, rows)
        return self._corrected(self.board.scan(rows, branches, settings, readings))

    def rest(self) -> None:
        """Stop driving the rows."""
        self.board.rest()

    def _corrected(self, amperes: Floats) -> Floats:
        range_amperes = self.board.range_amperes
        straight = self.converters.straightened(amperes, range_amperes)
        if self.ranges is None:
            return straight
        return np.asarray(straight * self.ranges.of_range(range_amperes))
