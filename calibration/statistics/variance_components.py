"""What a scatter is made of: variances that add up in known proportions, found from mean squares.

Readings of all columns scatter by a covariance Σ_p θ_p K_p: K_p (columns, columns) says how cause p
reaches the columns, θ_p ≥ 0 how strong it is. Under different patterns and over different spans
the K_p differ, and that tells the θ_p apart. Each mean square is a linear observation of θ, and
its own variance follows from θ: so weighted least squares, with the weights found in turn (C. R.
Rao, "Estimation of variance and covariance components", J. Multivariate Anal. 1, 1971).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats

ROUNDS = 30
PRIOR_RATIO = 100.0
"""Standard deviation of what is supposed of a component before, over the most that a mean square
would let it be. It decides nothing but what nothing tells.
"""


@dataclass(frozen=True)
class MeanSquare:
    """Mean of ‖P d‖² over independent vectors d (columns,) of covariance Σ_p θ_p K_p, P a
    projection of the columns.
    """

    value: float
    degrees: float
    """How many vectors it is the mean of."""
    traces: Floats
    """(components,): tr(P K_p P), what a unit of each component adds to it."""
    products: Floats
    """(components, components): tr(P K_p P K_q P)."""


def project(covariances: Floats, projection: Floats) -> tuple[Floats, Floats]:
    """Return `traces` and `products` of K (components, columns, columns) under P (columns,
    columns).
    """
    seen = projection @ covariances @ projection
    traces = np.trace(seen, axis1=1, axis2=2)
    return np.asarray(traces), np.asarray(np.einsum("pij,qij->pq", seen, seen))


def fit_components(observed: Sequence[MeanSquare], least: Floats) -> tuple[Floats, Floats]:
    """Return θ (components,) and its covariance (components, components).

    The mean of n normal ‖P d‖² has the variance 2·tr((P Σ P)²)/n, and the estimate is that of
    weighted least squares with it. θ comes without a bias, so a component that is not there may
    come out below zero; in the weights none counts for less than `least` (components,), nor for
    less than nothing. Components that nothing tells apart share what is seen of them, and their
    uncertainty says so.
    """
    values = np.array([one.value for one in observed])
    traces = np.array([one.traces for one in observed])
    products = np.array([one.products for one in observed])
    degrees = np.array([one.degrees for one in observed])
    # Components differ by many orders of magnitude: each in a unit of its own. What scatters by
    # less than `least` is not seen, and so no mean square is known to be smaller than that.
    largest = np.maximum(values, traces @ least).max()
    most = PRIOR_RATIO * np.maximum(largest / traces.max(axis=0), least)
    design, products = traces * most, products * most[:, None] * most
    theta, inverse = np.ones(len(most)), np.eye(len(most))
    for _ in range(ROUNDS):
        size = np.maximum(theta, least / most)
        weights = np.sqrt(degrees / (2 * np.einsum("p,opq,q->o", size, products, size)))
        weighted = np.concatenate([weights[:, None] * design, np.eye(len(most))])
        norms = np.linalg.norm(weighted, axis=0)
        directions, triangle = np.linalg.qr(weighted / norms)
        inverse = np.linalg.inv(triangle) / norms[:, None]
        theta = inverse @ (directions[: len(values)].T @ (weights * values))
    return theta * most, inverse @ inverse.T * most[:, None] * most
