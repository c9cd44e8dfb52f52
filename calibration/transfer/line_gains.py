"""Fit the gains of rows and columns to a transfer matrix, measured over predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.statistics import OUTLIER_SIGMAS, variance_ratio

SWEEPS = 8
MAX_DEVIATION = 0.02
"""Largest relative gain deviation of a working converter: a dead driver is not a gain."""
MIN_WEIGHT_SHARE = 1e-3
"""Share of the largest weight below which an element is not informative."""


@dataclass(frozen=True)
class GainSpread:
    """Relative standard deviations of gains before any measurement: the prior."""

    rows: float
    columns: float


@dataclass(frozen=True)
class Gains:
    """Relative deviations of gains from one."""

    rows: Floats
    """(rows,)"""
    columns: Floats
    """(columns,)"""
    common: float

    @property
    def of_elements(self) -> Floats:
        """Gain of each element (rows, columns)."""
        return np.asarray((1 + self.rows)[:, None] * (1 + self.columns) * (1 + self.common))


def fit_gains(deviation: Floats, weight: Floats, spread: GainSpread, *, common: bool) -> Gains:
    """Fit relative deviations (rows, columns) by gains of rows, of columns, and of all in common.

    Least squares with weights 1/variance (rows, columns), 0 where nothing is known, and with a
    prior of 0 ± `spread`. Without `common`, the common gain is zero. Elements are left out that
    deviate from the medians of their row and column by more than OUTLIER_SIGMAS standard
    deviations, stated or observed, whichever are larger.
    """
    weight = np.where(_stands_out(deviation, weight), 0.0, weight)
    rows, columns, shared = np.zeros(len(deviation)), np.zeros(deviation.shape[1]), 0.0
    # One kind at a time: few sweeps suffice, because nearly all elements have a weight.
    for _ in range(SWEEPS):
        if common and weight.any():
            left = deviation - rows[:, None] - columns
            shared = float((left * weight).sum() / weight.sum())
        left = (deviation - rows[:, None] - shared) * weight
        columns = left.sum(axis=0) / (weight.sum(axis=0) + spread.columns**-2)
        left = (deviation - columns - shared) * weight
        rows = left.sum(axis=1) / (weight.sum(axis=1) + spread.rows**-2)
    return Gains(rows, columns, shared)


def _stands_out(deviation: Floats, weight: Floats) -> Bools:
    """Return which elements (rows, columns) deviate by more than gains explain.

    The medians are those of two sweeps of a median polish (Tukey 1977) over the rows and columns
    with an informative element; leakage alone is not informative.
    """
    informative = weight > MIN_WEIGHT_SHARE * weight.max(initial=0.0)
    lines = np.ix_(informative.any(axis=1), informative.any(axis=0))
    left, its_weight = deviation[lines], weight[lines]
    outside = np.zeros(deviation.shape, dtype=bool)
    if its_weight.size:
        for _ in range(2):
            left = left - np.median(left, axis=0)
            left = left - np.median(left, axis=1, keepdims=True)
        squares = left**2 * its_weight
        usual = variance_ratio(squares)
        no_gain = np.abs(deviation[lines] - left - np.median(deviation[lines])) > MAX_DEVIATION
        outside[lines] = no_gain | (squares > OUTLIER_SIGMAS**2 * usual)
    return outside
