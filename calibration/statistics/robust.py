"""Means, medians and limits that a few wild values do not move."""

from __future__ import annotations

import numpy as np

from calibration.arrays import Floats

OUTLYING = 6.0


MEDIAN_TO_SIGMA = 1.4826


def robust_mean(values: Floats, axis: int) -> tuple[Floats, Floats, Floats]:
    """Return mean, standard deviation and count along an axis, of what is finite and within six
    robust standard deviations of the median.
    """
    median = np.nanmedian(values, axis=axis, keepdims=True)
    away = np.abs(values - median)
    limit = OUTLYING * MEDIAN_TO_SIGMA * np.nanmedian(away, axis=axis, keepdims=True)
    kept = away <= limit
    count = kept.sum(axis=axis)
    held = np.where(kept, values - median, 0.0)
    mean = held.sum(axis=axis) / np.maximum(count, 1)
    square = (held**2).sum(axis=axis) - count * mean**2
    spread = np.sqrt(np.maximum(square, 0.0) / np.maximum(count - 1, 1))
    return mean + median.squeeze(axis), spread, count


MEDIAN_OF_CHI_SQUARED = 0.4549
"""Of one degree of freedom: a scatter told by its median does not mind the few that stand out."""


SURPRISE = 6.0
"""Standard deviations beyond which an element says nothing of its row and column, but that its
crosspoint is not what it was.
"""


def column_median(values: Floats) -> Floats:
    """Return the median of what is finite along the last axis; NaN where nothing is."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=-1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-1] - 1), axis=-1)
    middle = np.where(count > 0, (low + high) / 2, np.nan)
    return np.asarray(middle[..., 0])
