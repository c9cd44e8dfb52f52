"""How well a number is known: a line through points, a share, a quantile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, gammaln, stdtrit, xlog1py, xlogy

from calibration.arrays import Floats

CONFIDENCE = 0.95
RESAMPLES = 1000
RESAMPLED_AT_ONCE = 1 << 18
"""Values, so that memory does not grow with the samples."""


@dataclass(frozen=True)
class Line:
    """y = slope·x + intercept, each with half the width of its confidence interval."""

    slope: float
    slope_margin: float
    intercept: float
    intercept_margin: float


def straight_line(x: ArrayLike, y: ArrayLike) -> Line:
    """Fit a line to points x, y (points,) by least squares.

    Margins are those of ordinary regression, Student's t with points − 2 degrees of freedom at
    CONFIDENCE: they hold what the points scatter about the line, curvature included. NaN below
    three points.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.size < 2:
        return Line(np.nan, np.nan, np.nan, np.nan)
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    intercept = float(y.mean() - slope * x.mean())
    if x.size < 3:
        return Line(slope, np.nan, intercept, np.nan)
    residual = y - slope * x - intercept
    error = float(np.sqrt(residual @ residual / (x.size - 2)))
    quantile = float(stdtrit(x.size - 2, 0.5 + CONFIDENCE / 2))
    return Line(
        slope,
        quantile * error / np.sqrt(spread),
        intercept,
        quantile * error * float(np.sqrt(1 / x.size + x.mean() ** 2 / spread)),
    )


def mean_margin(values: ArrayLike) -> tuple[float, float | None]:
    """Return the mean of values (points,) and half the width of its confidence interval.

    The interval is that of Student's t; a single value has none (None).
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size < 2:
        return float(values.mean()), None
    quantile = float(stdtrit(values.size - 1, 0.5 + CONFIDENCE / 2))
    return float(values.mean()), quantile * float(values.std(ddof=1)) / float(np.sqrt(values.size))


def share_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the confidence interval of a share of which `successes` of `trials` were seen.

    Exact, hence at least CONFIDENCE whatever the share is (Clopper and Pearson, Biometrika 26,
    1934).
    """
    tail = (1 - CONFIDENCE) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return float(low), float(high)


def quantile_interval(values: ArrayLike, level: float) -> tuple[float, float]:
    """Return the confidence interval of the quantile at `level` of a population.

    `values` (trials,) are a sample of it. The ends are two of the values: how many of them lie
    below the quantile is binomial, whatever the distribution (David and Nagaraja, Order Statistics,
    2003, 7.1). An end is ∓inf where there are too few values to tell.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    padded = np.concatenate([[-np.inf], ordered, [np.inf]])
    below = np.cumsum(binomial_weights(ordered.size, level))
    tail = (1 - CONFIDENCE) / 2
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail)) + 1
    return float(padded[low]), float(padded[high])


def quantile_gain_interval(
    values: ArrayLike, others: ArrayLike, level: float, generator: np.random.Generator
) -> tuple[float, float]:
    """Return the confidence interval of the difference of two populations' quantiles at `level`.

    `values` and `others` (trials,) are pairwise samples of the two; the difference is that of the
    first from the second. By resampling the pairs (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, 13.3): what chance does to both alike cancels, which two intervals side by side
    cannot use. Infinite where `quantile_interval` is, for either sample.
    """
    first, second = np.asarray(values, np.float64), np.asarray(others, np.float64)
    if not np.isfinite([quantile_interval(sample, level) for sample in (first, second)]).all():
        return -np.inf, np.inf
    gains: list[float] = []
    while len(gains) < RESAMPLES:
        at_once = min(RESAMPLES - len(gains), max(RESAMPLED_AT_ONCE // first.size, 1))
        again = generator.integers(0, first.size, (at_once, first.size))
        quantiles = (np.quantile(sample[again], level, axis=1) for sample in (first, second))
        gains += np.subtract(*quantiles).tolist()
    low, high = np.quantile(gains, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def binomial_weights(trials: int, share: float) -> Floats:
    """Return the probabilities (trials + 1,) of 0 … trials successes."""
    k = np.arange(trials + 1)
    log_ways = gammaln(trials + 1) - gammaln(k + 1) - gammaln(trials - k + 1)
    return np.asarray(np.exp(log_ways + xlogy(k, share) + xlog1py(trials - k, -share)))
