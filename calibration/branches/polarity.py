"""Noise and outliers, from the half sum of both polarities.

Where a half difference (I₊ − I₋)/2 holds the conductance, the half sum

    (I₊ + I₋)/2 = z + S·d

holds only offsets: z of the column's amplifier, d the offset voltage of row and column across the
conductance S of the probe. All points of a crosspoint share these two, so the rest is noise alone,
as large as that of the half difference, and no repetition is needed. An outlier cannot hide: it
moves the half sum by as much as the half difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.statistics import (
    OUTLIER_SIGMAS,
    finite_median,
    fit_nonnegative_line,
    variance_ratio,
)

MIN_NOISE_SHARE = 0.1
"""Minimum variance of a column, over the mean of all columns."""
MIN_FREEDOM = 1e-9
MIN_LEFT_SHARE = 0.1
"""A point of whose variance the fit leaves a smaller share does not count for the noise."""


@dataclass
class NoiseTally:
    """Squared residuals of half sums from their offsets, summed over rows."""

    squares: Floats
    """(points, columns)"""
    freedom: Floats
    """(points, columns): degrees of freedom in each sum."""
    signal: Floats
    """(points,): square of the current read, mean over the columns, ampere²."""

    def fit(self) -> tuple[Floats, float]:
        """Return the variance of one pair's half difference, in two parts.

        The first does not depend on the signal: (columns,), ampere². The second grows with the
        signal: its relative variance. Least squares of `variance = a² + b²·I²` over the points,
        each weighted by its degrees of freedom, then a² column by column.
        """
        weight = self.freedom.sum(axis=1)
        variance = self.squares.sum(axis=1) / np.maximum(weight, MIN_FREEDOM)
        if not variance.any():
            return np.zeros(self.squares.shape[1]), 0.0
        usual = float(variance.max())
        expected = np.full(len(variance), usual)
        for _ in range(3):
            additive, relative = fit_nonnegative_line(self.signal, variance, weight / expected**2)
            expected = np.maximum(additive + relative * self.signal, 1e-3 * usual)
        column_weight = self.freedom / expected[:, None] ** 2
        rest = self.squares - self.freedom * relative * self.signal[:, None]
        sums = (rest / expected[:, None] ** 2).sum(axis=0)
        weights = np.maximum(column_weight.sum(axis=0), MIN_FREEDOM / usual**2)
        return np.maximum(sums / weights, MIN_NOISE_SHARE * additive), relative


@dataclass(frozen=True)
class Judged:
    """Pairs of readings of some rows, with the outliers found."""

    half_differences: Floats
    """(rows, points, columns): mean over the good pairs, ampere; NaN where there is none."""
    wild: Bools
    """(rows, points, pairs, columns)"""
    noise: NoiseTally


def judge_pairs(
    plus: Floats,
    minus: Floats,
    additive_variance: Floats,
    relative_variance: float,
    unjudged: Bools,
) -> Judged:
    """Find outliers among pairs of both polarities (rows, points, pairs, columns), ampere.

    The variances are those of one half difference: (columns,), ampere², and relative to the current
    squared. Where the median pair scatters by more, all variances are taken as larger. Points
    `unjudged` (rows, points) are not judged: readings beside a short follow no offset.

    The offsets of each crosspoint are fitted first by slopes of pairs of points far apart in
    current and by medians (Theil 1950), which an outlier does not move, and then by weighted least
    squares without the outliers.
    """
    rows, points, pairs, columns = plus.shape
    half_difference, half_sum = (plus - minus) / 2, (plus + minus) / 2
    judged = np.isfinite(half_sum) & ~unjudged[:, :, None, None]

    def cells(values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Crosspoints first, their points and pairs last."""
        return np.moveaxis(values, 3, 1).reshape(rows, columns, points * pairs)

    judged_cells = np.asarray(cells(judged), dtype=bool)
    s = np.where(judged_cells, np.abs(cells(half_difference)), np.nan)
    e = np.where(judged_cells, cells(half_sum), np.nan)
    sigma = np.sqrt(additive_variance[None, :, None] + relative_variance * np.nan_to_num(s) ** 2)
    slope, zero = _resistant_line(s, e)
    misfit = np.abs(e - zero - slope * s) / sigma
    limit = OUTLIER_SIGMAS * sigma * np.sqrt(variance_ratio(misfit**2))
    residual, _ = _line_residual(s, e, judged_cells & (misfit * sigma <= limit), sigma)
    wild = judged_cells & (np.abs(residual) > limit)
    residual, left = _line_residual(s, e, judged_cells & ~wild, sigma)

    is_wild = np.moveaxis(wild.reshape(rows, columns, points, pairs), 1, 3)
    usable = np.isfinite(half_difference) & ~is_wild
    count = usable.sum(axis=2)
    mean = np.where(usable, half_difference, 0.0).sum(axis=2) / np.maximum(count, 1)
    mean = np.where(count > 0, mean, np.nan)

    tells = judged_cells & ~wild & (left > MIN_LEFT_SHARE)

    def over_rows(values: Floats) -> Floats:
        held = np.where(tells, values, 0.0).sum(axis=0)
        return np.asarray(held.reshape(columns, points, pairs).sum(axis=2).T)

    freedom = over_rows(left)
    counts = over_rows(np.ones_like(left)).sum(axis=1)
    signal = over_rows(np.nan_to_num(s) ** 2).sum(axis=1) / np.maximum(counts, 1)
    return Judged(mean, is_wild, NoiseTally(over_rows(residual**2), freedom, signal))


def _resistant_line(s: Floats, e: Floats) -> tuple[Floats, Floats]:
    """Return slope and intercept (…, 1) of e over s (…, points), each a median."""
    order = np.argsort(np.where(np.isfinite(s), s, np.inf), axis=-1, kind="stable")
    s, e = np.take_along_axis(s, order, axis=-1), np.take_along_axis(e, order, axis=-1)
    count = np.isfinite(e).sum(axis=-1, keepdims=True)
    half = count // 2
    first = np.arange(s.shape[-1])
    partner = np.minimum(first + count - half, s.shape[-1] - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (np.take_along_axis(e, partner, axis=-1) - e) / (
            np.take_along_axis(s, partner, axis=-1) - s
        )
    pairs = np.isfinite(slopes) & (first < half)
    slope = np.nan_to_num(finite_median(np.where(pairs, slopes, np.nan)))[..., None]
    return slope, np.nan_to_num(finite_median(e - slope * s))[..., None]


def _line_residual(s: Floats, e: Floats, good: Bools, sigma: Floats) -> tuple[Floats, Floats]:
    """Return residuals of e from the weighted line through the good points, and 1 − leverage.

    1 − leverage is the share of each point's variance that the fit leaves. Arrays are (…, points).
    """
    weight = np.where(good, 1 / sigma**2, 0.0)
    s, e = np.nan_to_num(s), np.nan_to_num(e)
    total = weight.sum(axis=-1, keepdims=True)
    total = np.where(total > 0, total, 1.0)
    middle = (weight * s).sum(axis=-1, keepdims=True) / total
    level = (weight * e).sum(axis=-1, keepdims=True) / total
    away = s - middle
    moment = (weight * away**2).sum(axis=-1, keepdims=True)
    moment = np.where(moment > 0, moment, np.inf)
    slope = (weight * away * (e - level)).sum(axis=-1, keepdims=True) / moment
    leverage = weight * (1 / total + away**2 / moment)
    return e - level - slope * away, 1 - leverage
