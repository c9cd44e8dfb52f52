"""Variances that add up are told apart, with the uncertainty that they really have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.statistics.variance_components import MeanSquare, fit_components, project

COLUMNS = 6
POWERS = st.integers(-12, 3)


def covariances(seed):
    """Two kinds on every column alone, one common to all."""
    random = np.random.default_rng(seed)
    shared = random.uniform(0.5, 1.5, COLUMNS)
    return np.stack(
        [np.eye(COLUMNS), np.diag(random.uniform(0.1, 10, COLUMNS)), np.outer(shared, shared)]
    )


def observations(theta, draw=None):
    """Mean squares under three patterns and in two directions: what is expected, or drawn."""
    common = np.ones(COLUMNS) / np.sqrt(COLUMNS)
    together = np.outer(common, common)
    observed = []
    for strength, degrees in (([1, 1, 0], 60), ([1, 30, 5], 40), ([1, 3, 100], 50)):
        covariance = covariances(7) * np.array(strength)[:, None, None]
        total = np.tensordot(theta, covariance, 1)
        for direction in (together, np.eye(COLUMNS) - together):
            traces, products = project(covariance, direction)
            value = traces @ theta
            if draw is not None:
                vectors = draw.multivariate_normal(np.zeros(COLUMNS), total, degrees)
                value = ((vectors @ direction) ** 2).sum() / degrees
            observed.append(MeanSquare(value, degrees, traces, products))
    return observed


@given(st.tuples(POWERS, POWERS, POWERS))
def test_exact_from_what_is_expected_however_far_apart(powers):
    theta = 10.0 ** np.array(powers)
    found, covariance = fit_components(observations(theta), np.full(3, 1e-60))
    # What is far below the others is known to rounding of the largest.
    assert (np.abs(found - theta) <= 1e-6 * theta + 1e-3 * np.sqrt(np.diag(covariance))).all()


@pytest.mark.parametrize("theta", [[1.0, 1.0, 1.0], [1.0, 0.0, 0.1], [0.1, 2.0, 0.0]])
def test_uncertainty_is_that_of_repeated_measurements(theta):
    draw = np.random.default_rng(3)
    scores = []
    for _ in range(400):
        found, covariance = fit_components(observations(np.array(theta), draw), np.full(3, 1e-9))
        scores.append((found - theta) / np.sqrt(np.diag(covariance)))
    scores = np.array(scores)
    assert (np.abs(scores.mean(axis=0)) < 0.25).all()
    assert (np.abs(scores.std(axis=0) - 1) < 0.2).all()
