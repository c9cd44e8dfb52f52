"""Readings of a characterization as they come, for whoever keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats


@dataclass(frozen=True)
class RowsRead:
    """Readings of some rows as they came, before anything is made of them."""

    rows: NDArray[np.int_]
    """(rows read,)"""
    seconds: Floats
    """(rows read,): the middle of each one's readings, on the board's clock."""
    amperes: Floats
    """(rows read, points, 2, pairs, columns): at +V and at −V; NaN where overloaded."""
    groups: Bools
    """(points, branches): which branches of the row each point closed."""
    row_volts: float
    """V."""
    range_amperes: float
    delay_seconds: float
    kelvin: float
    """What the board's sensor said last."""


def tell_nobody(_read: RowsRead) -> None:
    """Keep nothing."""
