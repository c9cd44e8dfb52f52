"""Variance components: variances that add up in known proportions, found from mean squares.

Readings of all columns scatter with the covariance Σ_p θ_p K_p: K_p (columns, columns) is how cause
p reaches the columns, θ_p ≥ 0 its strength. K_p differs between patterns and between spans, which
separates the θ_p. Each mean square is a linear observation of θ, and its own variance follows from
θ. So θ is found by weighted least squares with iterated weights (C. R. Rao, "Estimation of variance
and covariance components", J. Multivariate Anal. 1, 1971).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats

ROUNDS = 30
"""Iterations of the weights."""
PRIOR_RATIO = 100.0
"""Prior standard deviation of a component, over the largest value that any mean square allows. The
prior decides only what no observation determines.
"""


@dataclass(frozen=True)
class MeanSquare:
    """Mean of ‖P d‖² over independent vectors d (columns,) of covariance Σ_p θ_p K_p.

    P is a projection of the columns.
    """

    value: float
    degrees: float
    """Number of vectors averaged."""
    traces: Floats
    """(components,): tr(P K_p P), what a unit of each component adds to the mean square."""
    products: Floats
    """(components, components): tr(P K_p P K_q P)."""


def project(covariances: Floats, projection: Floats) -> tuple[Floats, Floats]:
    """Return `traces` and `products` of K under the projection P.

    K is (components, columns, columns), P (columns, columns).
    """
    projected = projection @ covariances @ projection
    traces = np.trace(projected, axis1=1, axis2=2)
    return np.asarray(traces), np.asarray(np.einsum("pij,qij->pq", projected, projected))


def fit_components(observed: Sequence[MeanSquare], minimum: Floats) -> tuple[Floats, Floats]:
    """Return θ (components,) and its covariance (components, components).

    The mean of n normal ‖P d‖² has the variance 2·tr((P Σ P)²)/n, which gives the weights of the
    least squares. θ is unbiased, so an absent component may come out below zero. In the weights no
    component counts for less than `minimum` (components,) or for less than zero. Components that no
    observation separates share the observed sum, and their uncertainty shows it.
    """
    values = np.array([mean_square.value for mean_square in observed])
    traces = np.array([mean_square.traces for mean_square in observed])
    products = np.array([mean_square.products for mean_square in observed])
    degrees = np.array([mean_square.degrees for mean_square in observed])
    # Components differ by many orders of magnitude, so each is solved for in a unit of its own.
    # Scatter below `minimum` is invisible: no mean square is known to be smaller.
    largest = np.maximum(values, traces @ minimum).max()
    unit = PRIOR_RATIO * np.maximum(largest / traces.max(axis=0), minimum)
    design, products = traces * unit, products * unit[:, None] * unit
    theta, inverse = np.ones(len(unit)), np.eye(len(unit))
    for _ in range(ROUNDS):
        size = np.maximum(theta, minimum / unit)
        weights = np.sqrt(degrees / (2 * np.einsum("p,opq,q->o", size, products, size)))
        weighted = np.concatenate([weights[:, None] * design, np.eye(len(unit))])
        norms = np.linalg.norm(weighted, axis=0)
        directions, triangle = np.linalg.qr(weighted / norms)
        inverse = np.linalg.inv(triangle) / norms[:, None]
        theta = inverse @ (directions[: len(values)].T @ (weights * values))
    return theta * unit, inverse @ inverse.T * unit[:, None] * unit
