"""A board whose converters are corrected: rows are driven to the voltages asked for, columns are
read without their ADCs' curves and on one scale in all ranges.

It is a Crossbar itself, so that whatever calibrates, programs or multiplies need not know.
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
    """A board and its converters. Voltages are rounded by the board to the DACs' codes, as ever."""

    board: Crossbar
    converters: Converters
    ranges: RangeGains | None = None
    """None as long as they are not known: every range then is on its own scale."""

    @property
    def rows(self) -> int:
        """Of the board, as all that follows."""
        return self.board.rows

    @property
    def columns(self) -> int:
        return self.board.columns

    @property
    def branches(self) -> int:
        return self.board.branches

    @property
    def nominal_ohms(self) -> Floats:
        return self.board.nominal_ohms

    @property
    def row_volts_limit(self) -> float:
        return self.board.row_volts_limit

    @property
    def ranges_amperes(self) -> Floats:
        return self.board.ranges_amperes

    @property
    def range_amperes(self) -> float:
        return self.board.range_amperes

    @property
    def aperture_seconds(self) -> float:
        return self.board.aperture_seconds

    @property
    def delay_seconds(self) -> float:
        return self.board.delay_seconds

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Set the range, the integration time, the settling time; None leaves one as it is."""
        self.board.configure(
            range_amperes=range_amperes,
            aperture_seconds=aperture_seconds,
            delay_seconds=delay_seconds,
        )

    def moment(self) -> tuple[float, float]:
        """Return the time on the board's clock, seconds, and what its thermometer says, kelvin."""
        return self.board.moment()

    def apply(self, pattern: Bools) -> None:
        """Set every switch from a pattern (rows, columns, branches)."""
        self.board.apply(pattern)

    def column_currents(self, row_volts: ArrayLike) -> Floats:
        """Drive vectors (vectors, rows) in turn, volts; return one reading of each (vectors,
        columns), ampere.
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
        """Probe points (points,) one after another; return (points, readings, columns), ampere.

        Rows that are not driven are set to 0 V, as the board does it, not driven to it.
        """
        settings = self.converters.settings(row_volts, rows)
        return self._corrected(self.board.scan(rows, branches, settings, readings))

    def rest(self) -> None:
        """Stop driving the rows: what comes next is computed."""
        self.board.rest()

    def _corrected(self, amperes: Floats) -> Floats:
        range_amperes = self.board.range_amperes
        straight = self.converters.straightened(amperes, range_amperes)
        if self.ranges is None:
            return straight
        return np.asarray(straight * self.ranges.of_range(range_amperes))
