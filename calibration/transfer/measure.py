"""Measure the transfer matrix and the zero of a programmed board, in the range of use.

All rows are driven at once with orthogonal ±V vectors (a Hadamard weighing design), then with their
negatives. Every reading carries every row, so the noise falls with the square root of the number of
vectors, and the amplifiers work in the range and near the currents of real products (the gains of
two ranges differ by 10 bits).

The first vector of Sylvester's matrix drives all rows alike. Its current is √m times that of any
other, far out on the ADC's curve, whose error would then be in every element of a column. Signs on
the rows that are a bent function of the row's number make all vectors alike and keep them
orthogonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import hadamard

from calibration.arrays import Floats
from calibration.crossbar import Crossbar, Moment
from calibration.errors import OverloadError
from calibration.records import Record

GAIN_DRIFT_SIGMA = 1e-5
"""Standard deviation of the relative change of a whole board's gain from a vector to its negative:
100 ppm/K, 0.1 K.
"""


@dataclass(frozen=True, eq=False, repr=False)
class TransferMeasurement(Record):
    """A measured transfer matrix of the rows in use."""

    siemens: Floats
    """(used rows, columns)"""
    zero_amperes: Floats
    """(columns,): column readings with all rows set to 0 V."""
    uncertainty_siemens: Floats
    """(columns,): standard uncertainty of each element of a column (type A)."""
    volts: float
    """Row voltage of the measurement, of either sign."""
    began: tuple[float, float] = (0.0, 0.0)
    """(seconds on the board's clock, board temperature in kelvin) at the start."""
    ended: tuple[float, float] = (0.0, 0.0)
    """The same at the end."""

    @property
    def middle(self) -> Moment:
        """Mean of the moments of start and end."""
        (began, cold), (ended, warm) = self.began, self.ended
        return Moment((began + ended) / 2, (cold + warm) / 2)


def measure_transfer(
    board: Crossbar, used_rows: int, used_columns: int, volts: float
) -> TransferMeasurement:
    """Measure the transfer matrix of the applied pattern, for the first `used_rows` rows.

    Columns from `used_columns` on are in the result as well; they are NaN where they overload.

    The rows sit at two settings only, +V and −V, which are exact codes. The line through a DAC's
    output at these two is the reference of its curve (`calibration.converters`), so they are the
    actual voltages in the scale of the products.

    With H a Hadamard matrix of order m ≥ rows and I± the readings of ±V·H, the estimate is T =
    Hᵀ(I₊ − I₋) / (2mV). Its uncertainty is s / (V·√(2m)), s the standard deviation of one reading,
    from the scatter of I₊ + I₋, which holds nothing but the zero (Harwit & Sloane 1979, weighing
    designs). Equal conductances draw at most √m times the current of one row (√2m for odd powers of
    two).

    Raises OverloadError that names the first used column beyond its range.
    """
    signs = weighing_signs(used_rows)
    order = len(signs)
    design = np.zeros((order, board.rows))
    design[:, :used_rows] = signs
    began = board.moment()
    readings = board.column_currents(volts * np.concatenate([design, -design]))
    ended = board.moment()
    amperes, scatter_left = _without_drift(readings)
    overloaded = np.flatnonzero(np.isnan(amperes[:, :used_columns]).any(axis=0))
    if len(overloaded):
        raise OverloadError(
            f"column {overloaded[0] + 1} overloads its range with rows at ±{volts:g} V"
        )
    plus, minus = amperes[:order], amperes[order:]
    common = (plus + minus) / 2
    return TransferMeasurement(
        siemens=signs.T @ (plus - minus) / (2 * order * volts),
        zero_amperes=common.mean(axis=0),
        uncertainty_siemens=common.std(axis=0, ddof=1) / (volts * np.sqrt(order * scatter_left)),
        volts=volts,
        began=began,
        ended=ended,
    )


def _without_drift(
    amperes: Floats,
) -> tuple[Floats, Floats]:
    """Correct readings for a gain of the whole board that drifts along a straight line in time.

    `amperes` (2·vectors, columns) are the readings of vectors, then of their negatives. Returns
    them as at mid time, and the share (columns,) of their variance about the zero that the fit has
    left.

    A board that warms up by 0.1 K conducts 10 ppm less. With b the slope of (I₊ + I₋)/2 on (I₊ −
    I₋)/2, each less its mean, over all vectors and columns, the gain falls by 2b from a vector to
    its negative. A prior of 0 ± GAIN_DRIFT_SIGMA keeps noise from being taken for drift where
    little distinguishes them. Where the fit would remove half of the scatter or more, nothing is
    corrected.
    """
    vectors = len(amperes) // 2
    half = (amperes[:vectors] - amperes[vectors:]) / 2
    common = (amperes[:vectors] + amperes[vectors:]) / 2
    half, common = half - half.mean(axis=0), common - common.mean(axis=0)
    power, together = np.nansum(half**2, axis=0), float(np.nansum(common * half))
    freedom = (vectors - 1) * np.count_nonzero(np.isfinite(common[0])) - 1
    scatter = float(np.nansum(common**2)) - together**2 / (power.sum() or 1.0)
    weight = float(power.sum() + scatter / max(1.0, float(freedom)) / GAIN_DRIFT_SIGMA**2) or 1.0
    left = 1 - power / weight / (vectors - 1)
    if left.min() < 0.5:
        return amperes, np.ones_like(left)
    slope = together / weight
    since_middle = np.arange(2 * vectors) - vectors + 0.5
    return amperes * (1 + 2 * slope / vectors * since_middle)[:, None], left


def weighing_signs(used_rows: int) -> Floats:
    """Return the row signs (vectors, used rows) of `measure_transfer`."""
    order = 1 << max(1, (used_rows - 1).bit_length())
    return np.asarray(hadamard(order)[:, :used_rows] * _flat_signs(order)[:used_rows])


def _flat_signs(order: int) -> Floats:
    """Return signs (order,) whose Walsh-Hadamard transform is flat.

    They are (−1)^(x₀x₁ + x₂x₃ + …), x the binary digits of the place (Rothaus 1976, "On bent
    functions"); flat to √2 where the number of digits is odd.
    """
    digits = np.arange(order)[:, None] >> np.arange(order.bit_length() - 1) & 1
    even, odd = digits[:, 0::2], digits[:, 1::2]
    products = even[:, : odd.shape[1]] * odd
    return np.asarray(1.0 - 2.0 * (products.sum(axis=1) % 2))
