"""Means, medians and limits that a few outliers do not move."""

from __future__ import annotations

import numpy as np

from calibration.arrays import Floats

OUTLIER_SIGMAS = 6.0
"""Standard deviations beyond which a value is an outlier. No more than one of 5·10⁸ normal values
lies there, so that sound values are kept.
"""
MEDIAN_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
MEDIAN_OF_CHI_SQUARED = 0.4549
"""Median of χ² with one degree of freedom, whose mean is 1: the median square of normal values over
this is their variance, whatever a few outliers are.
"""


def robust_mean(values: Floats, axis: int) -> tuple[Floats, Floats, Floats]:
    """Return mean, standard deviation and count of values along an axis, without outliers.

    A value counts if it is finite and within OUTLIER_SIGMAS robust standard deviations of the
    median. The results have the shape of `values` without that axis.
    """
    median = np.nanmedian(values, axis=axis, keepdims=True)
    away = np.abs(values - median)
    limit = OUTLIER_SIGMAS * MEDIAN_TO_SIGMA * np.nanmedian(away, axis=axis, keepdims=True)
    kept = away <= limit
    count = kept.sum(axis=axis)
    held = np.where(kept, values - median, 0.0)
    mean = held.sum(axis=axis) / np.maximum(count, 1)
    square = (held**2).sum(axis=axis) - count * mean**2
    spread = np.sqrt(np.maximum(square, 0.0) / np.maximum(count - 1, 1))
    return mean + median.squeeze(axis), spread, count


def variance_ratio(squares: Floats) -> float:
    """Return the variance that squares show by their median, over the stated one; at least 1.

    `squares` (any shape) are squared deviations over their stated variance; NaN is left out. The
    result is 1 where nothing is finite.
    """
    if not squares.size:
        return 1.0
    ratio = float(finite_median(squares.ravel())) / MEDIAN_OF_CHI_SQUARED
    return max(1.0, float(np.nan_to_num(ratio)))


def finite_median(values: Floats) -> Floats:
    """Return the median of the finite values along the last axis; NaN where there are none."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=-1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-1] - 1), axis=-1)
    middle = np.where(count > 0, (low + high) / 2, np.nan)
    return np.asarray(middle[..., 0])
