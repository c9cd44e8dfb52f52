"""Gains of the amplifiers' ranges, relative to the range in which branches are characterized.

Every range of a column has its own gain. The same current, read in two neighbouring ranges, gives
the ratio of their gains; a chain of such ratios leads from the range of characterization to the
ranges of use and puts all currents on one scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.branches import BranchCalibration
from calibration.converters.curves import Curves
from calibration.crossbar import Crossbar, Progress, measuring_volts, no_progress
from calibration.records import Record

TARGET_FILL, MIN_FILL = 0.85, 0.3
"""Current of a column over the lower range: its target, and the minimum for a comparison."""
HEADROOM = 1.1
"""Over the largest current that any column can draw: ranges beyond that are not needed."""
REPEATS = 4
"""Comparisons of each pair of ranges."""
CLASS_RATIO = 1e-3
"""Relative standard uncertainty of a ratio that was not measured: two gains of 0.1 %."""


@dataclass(frozen=True, eq=False, repr=False)
class RangeGains(Record):
    """Factors that bring the readings of every range to the scale of one of them."""

    ranges_amperes: Floats
    """(ranges,)"""
    factors: Floats
    """(ranges, columns): factors of a reading without its ADC's curve. 1 in the reference range;
    where nothing was measured, the factor of the range below.
    """
    uncertainty: Floats
    """(ranges, columns): standard uncertainty, relative."""
    readings: int
    """ADC readings taken, all columns counted."""

    def of_range(self, range_amperes: float) -> Floats:
        """Return the factors (columns,) of a range."""
        return np.asarray(self.factors[_index(self.ranges_amperes, range_amperes)])


@dataclass(frozen=True)
class _Comparison:
    """The same currents in two ranges, (repeats, columns), ampere; half differences of polarity."""

    low: Floats
    high: Floats


def measure_ranges(
    board: Crossbar,
    curves: Curves,
    calibration: BranchCalibration,
    *,
    progress: Progress = no_progress,
) -> RangeGains:
    """Measure the gains of all ranges that the board's own currents can need.

    The gains are relative to the range of `calibration`; `board` must read without the ADCs'
    `curves`. For each pair of neighbours, enough branches are closed to fill the lower range, and
    the current is read in both ranges with both polarities.

    The uncertainty is of type A from the scatter of the repeats, pooled over columns, plus that of
    the ADC's curve. The curve enters every step of the chain in the same way, so its shares add up
    coefficient by coefficient before they are squared.
    """
    ranges, columns = board.ranges_amperes, board.columns
    reference = _index(ranges, calibration.range_amperes)
    volts = measuring_volts(board.row_volts_limit)
    siemens = np.where(calibration.usable, calibration.branch_siemens, 0.0)
    max_siemens = (siemens.sum(axis=2) + calibration.open_siemens).sum(axis=0).max(initial=0.0)
    max_amperes = HEADROOM * volts * float(max_siemens)
    steps = [lower for lower in range(reference, len(ranges) - 1) if ranges[lower] < max_amperes]
    factors = np.ones((len(ranges), columns))
    variances = np.zeros((len(ranges), columns))  # relative
    bends = np.zeros((len(ranges), *curves.coefficients.shape))
    variances[:reference] = CLASS_RATIO**2
    for lower in range(reference, len(ranges) - 1):
        upper = lower + 1
        factors[upper], bends[upper] = factors[lower], bends[lower]
        variances[upper] = variances[lower] + CLASS_RATIO**2
        if lower not in steps:
            continue
        fill_siemens = TARGET_FILL * ranges[lower] / volts
        board.apply(_filling(siemens, calibration.open_siemens, fill_siemens))
        comparison = _compare(board, ranges[lower], ranges[upper], volts)
        share = comparison.low.mean(axis=0) / ranges[lower]
        measured = share > MIN_FILL  # false where a reading overloaded and is NaN
        progress(upper - reference, len(steps))
        if not measured.any():
            continue
        ratio = comparison.low[:, measured] / comparison.high[:, measured]
        share = share[measured]
        factors[upper, measured] *= ratio.mean(axis=0)
        variances[upper, measured] += ratio.var(axis=0, ddof=1).mean() / REPEATS - CLASS_RATIO**2
        slopes = _slopes(curves, share) - _slopes(curves, share * ranges[lower] / ranges[upper])
        bends[upper, measured] += slopes
    board.apply(np.zeros(calibration.status.shape, dtype=bool))
    board.rest()
    return RangeGains(
        ranges_amperes=ranges,
        factors=factors,
        uncertainty=np.sqrt(variances + curves.spread(bends) ** 2),
        readings=8 * REPEATS * len(steps) * columns,
    )


def _filling(siemens: Floats, open_siemens: Floats, max_siemens: float) -> Bools:
    """Return the pattern (rows, columns, branches) that fills every column to a conductance.

    Branches are closed from the first row on, while they conduct at most `max_siemens` together
    with the open switches of the column.
    """
    rows, columns, branches = siemens.shape
    of_column = np.swapaxes(siemens, 0, 1).reshape(columns, -1)
    total = np.cumsum(of_column, axis=1) + open_siemens.sum(axis=0)[:, None]
    closed = (of_column > 0) & (total <= max_siemens)
    return np.swapaxes(closed.reshape(columns, rows, branches), 0, 1)


def _compare(board: Crossbar, low_amperes: float, high_amperes: float, volts: float) -> _Comparison:
    """Read the present pattern in two ranges.

    The order is low, high, high, low, so that a steady drift cancels.
    """
    low, high = np.empty((REPEATS, board.columns)), np.empty((REPEATS, board.columns))
    for repeat in range(REPEATS):
        first = _half_difference(board, low_amperes, volts)
        highs = [_half_difference(board, high_amperes, volts) for _ in range(2)]
        low[repeat] = (first + _half_difference(board, low_amperes, volts)) / 2
        high[repeat] = np.mean(highs, axis=0)
    return _Comparison(low, high)


def _half_difference(board: Crossbar, range_amperes: float, volts: float) -> Floats:
    """Return half the difference (columns,) of the readings with all rows at +V and at −V."""
    board.configure(range_amperes=range_amperes)
    plus, minus = board.column_currents(volts * np.array([[1.0], [-1.0]]) * np.ones(board.rows))
    return np.asarray((plus - minus) / 2)


def _slopes(curves: Curves, share: Floats) -> Floats:
    """Return how the slope of the ADCs between ∓`share` of the range depends on their coefficients.

    Returns (measured columns, terms).
    """
    return np.asarray((curves.basis(share) - curves.basis(-share)) / (2 * share[:, None]))


def _index(ranges_amperes: Floats, range_amperes: float) -> int:
    return int(np.abs(ranges_amperes - range_amperes).argmin())
