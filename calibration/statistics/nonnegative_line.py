"""A straight line with intercept and slope ≥ 0: how variances add up."""

from __future__ import annotations

import numpy as np

from calibration.arrays import Floats

MIN_DETERMINANT = 1e-13
"""Determinant of the normal equations over the largest possible; below it all points have the same
x.
"""


def fit_nonnegative_line(x: Floats, y: Floats, weight: Floats | None = None) -> tuple[float, float]:
    """Return intercept and slope of `y = intercept + slope·x` by weighted least squares, both ≥ 0.

    `x` (≥ 0), `y` and `weight` (> 0; all 1 if None) are (points,). The slope is 0 where all of `x`
    are equal. If neither free coefficient is negative, these minimize the sum of squares; otherwise
    the minimum lies on one of the two edges of the quadrant. For two unknowns these are all of
    Lawson and Hanson's active sets (Solving Least Squares Problems, chapter 23).
    """
    weight = np.ones(len(x)) if weight is None else weight
    scale = float(x.max()) or 1.0
    terms = np.stack([np.ones(len(x)), x / scale])
    normal, right = (terms * weight) @ terms.T, (terms * weight) @ y
    determinant = normal[0, 0] * normal[1, 1] - normal[0, 1] ** 2
    if determinant <= MIN_DETERMINANT * normal[0, 0] * normal[1, 1]:
        return max(0.0, float(right[0] / normal[0, 0])), 0.0
    intercept = (normal[1, 1] * right[0] - normal[0, 1] * right[1]) / determinant
    slope = (normal[0, 0] * right[1] - normal[0, 1] * right[0]) / determinant
    if intercept >= 0 and slope >= 0:
        return float(intercept), float(slope) / scale
    # Along each edge the sum of squares falls by right²/normal, as far as right is positive.
    edge = np.maximum(right, 0.0) / normal.diagonal()
    if edge[0] * right[0] >= edge[1] * right[1]:
        return float(edge[0]), 0.0
    return 0.0, float(edge[1]) / scale
