"""Gains of rows and columns, from what a transfer matrix shows against what was predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.statistics import MEDIAN_OF_CHI_SQUARED, SURPRISE

SWEEPS = 8
MOST_GAIN = 0.02
"""What no converter deviates by that works: a driver that died is no matter of gain."""
LEAST_WEIGHT = 1e-3
"""Over the largest weight."""


@dataclass(frozen=True)
class GainSpread:
    """Standard deviations, relative, of gains before anything is measured."""

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
        """(rows, columns): the gain of each element."""
        return np.asarray((1 + self.rows)[:, None] * (1 + self.columns) * (1 + self.common))


def fit_gains(deviation: Floats, weight: Floats, spread: GainSpread, *, common: bool) -> Gains:
    """Fit relative deviations (rows, columns) by those of rows, columns, and of all in common.

    Least squares with weights 1/variance (rows, columns), 0 where nothing is known, and with a
    prior of 0 ± `spread`; without `common`, nothing is. Elements are left out that are off the
    medians of their row and column by more than SURPRISE standard deviations, the stated or the
    usual, whichever is larger.
    """
    weight = np.where(_stands_out(deviation, weight), 0.0, weight)
    rows, columns, shared = np.zeros(len(deviation)), np.zeros(deviation.shape[1]), 0.0
    # One kind after another: few sweeps do, because nearly all elements are known.
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
    """Say which elements (rows, columns) are no matter of gains.

    The medians are those of two sweeps of a median polish (Tukey 1977), over the rows and columns
    of which something is known well; leakage alone tells nothing.
    """
    tells = weight > LEAST_WEIGHT * weight.max(initial=0.0)
    known = np.ix_(tells.any(axis=1), tells.any(axis=0))
    left, trusted = deviation[known], weight[known]
    outside = np.zeros(deviation.shape, dtype=bool)
    if trusted.size:
        for _ in range(2):
            left = left - np.median(left, axis=0)
            left = left - np.median(left, axis=1, keepdims=True)
        squares = left**2 * trusted
        usual = max(1.0, float(np.median(squares)) / MEDIAN_OF_CHI_SQUARED)
        no_gain = np.abs(deviation[known] - left - np.median(deviation[known])) > MOST_GAIN
        outside[known] = no_gain | (squares > SURPRISE**2 * usual)
    return outside
