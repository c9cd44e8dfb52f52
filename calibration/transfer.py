"""Measure what a programmed board really does: its transfer matrix and its zero, in the range of
use.

All rows are driven at once with orthogonal ±V vectors (a Hadamard weighing design) and then with
their negatives: every reading carries every row, so the noise falls with the square root of the
number of vectors, and the amplifiers work in the range and near the currents of real products (the
gains of two ranges differ by 10 bits).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

from calibration.crossbar import Crossbar


class OverloadError(Exception):
    """A column read beyond its range where it must not."""


@dataclass(frozen=True)
class TransferMeasurement:
    """A measured transfer matrix, of the rows that are in use."""

    siemens: NDArray[np.float64]
    """(used rows, columns)"""
    zero_amperes: NDArray[np.float64]
    """(columns,): what a column reads with all rows set to 0 V."""
    uncertainty_siemens: NDArray[np.float64]
    """(columns,): standard uncertainty of each element of a column (type A)."""
    began: tuple[float, float] = (0.0, 0.0)
    """The board's clock, seconds, and its temperature, kelvin, when the measurement began."""
    ended: tuple[float, float] = (0.0, 0.0)
    """The same when it ended."""


def measure_transfer(
    board: Crossbar, used_rows: int, used_columns: int, volts: float
) -> TransferMeasurement:
    """Measure the transfer matrix of the pattern that is applied, for the first `used_rows` rows.

    Columns from `used_columns` on are in the result as well, as NaN where they overload.

    The rows sit at two settings only, +V and −V, which are exact codes. The line through what a DAC
    puts out at these two is the one that its curve is stated from (`calibration.converters`), so
    they are the actual voltages in the scale of the products.

    With H a Hadamard matrix of order m ≥ rows and I± the readings of ±V·H, the estimate is
    T = Hᵀ(I₊ − I₋) / (2mV), its uncertainty s / (V·√(2m)) with s the standard deviation of one
    reading, found from the scatter of I₊ + I₋, which holds nothing but the zero (Harwit & Sloane
    1979, weighing designs).

    Raises OverloadError that names the first used column beyond its range.
    """
    order = 1 << max(1, (used_rows - 1).bit_length())
    design = np.zeros((order, board.rows))
    design[:, :used_rows] = hadamard(order)[:, :used_rows]
    began = board.moment()
    amperes = board.column_currents(volts * np.concatenate([design, -design]))
    ended = board.moment()
    overloaded = np.flatnonzero(np.isnan(amperes[:, :used_columns]).any(axis=0))
    if len(overloaded):
        raise OverloadError(f"column {overloaded[0]} overloads its range with rows at ±{volts:g} V")
    plus, minus = amperes[:order], amperes[order:]
    common = (plus + minus) / 2
    return TransferMeasurement(
        siemens=design[:, :used_rows].T @ (plus - minus) / (2 * order * volts),
        zero_amperes=common.mean(axis=0),
        uncertainty_siemens=common.std(axis=0, ddof=1) / (volts * np.sqrt(order)),
        began=began,
        ended=ended,
    )
