"""Readings of a characterization as they come, for a caller that keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats


@dataclass(frozen=True)
class RowsRead:
    """Unprocessed readings of some rows."""

    rows: NDArray[np.int_]
    """(rows read,)"""
    seconds: Floats
    """(rows read,): the middle of each row's readings, on the board's clock."""
    amperes: Floats
    """(rows read, points, 2, pairs, columns): at +V and at −V; NaN where overloaded."""
    groups: Bools
    """(points, branches): the branches of the row that each point closed."""
    row_volts: float
    """V."""
    range_amperes: float
    delay_seconds: float
    kelvin: float
    """Last temperature of the board's sensor."""


def tell_nobody(_read: RowsRead) -> None:
    """Ignore the readings."""
