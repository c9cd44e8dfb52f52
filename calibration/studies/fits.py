"""A straight line through points, and how well it is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

CONFIDENCE = 0.95


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
