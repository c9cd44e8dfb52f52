"""A line of non-negative coefficients, against the general solver."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from calibration.statistics.nonnegative_line import fit_nonnegative_line

points = st.integers(2, 12)
seeds = st.integers(0, 2**32 - 1)


@given(points, seeds, st.floats(-2, 2), st.floats(-2, 2), st.sampled_from([1e-20, 1.0, 1e12]))
def test_it_is_the_solution_of_the_general_solver(count, seed, intercept, slope, scale):
    random = np.random.default_rng(seed)
    x = random.uniform(0, 1, count) * scale
    weight = random.uniform(0.1, 10, count)
    y = intercept + slope * x / scale + random.normal(0, 0.3, count)

    found = fit_nonnegative_line(x, y, weight)

    root = np.sqrt(weight)
    expected, _ = nnls(np.column_stack([np.ones(count), x / scale]) * root[:, None], y * root)
    assert np.array([found[0], found[1] * scale]) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_points_that_are_alike_tell_no_slope():
    assert fit_nonnegative_line(np.full(5, 3.0), np.arange(5.0)) == pytest.approx((2.0, 0.0))
    assert fit_nonnegative_line(np.zeros(5), np.arange(5.0)) == pytest.approx((2.0, 0.0))
    assert fit_nonnegative_line(np.full(5, 3.0), -np.arange(5.0)) == (0.0, 0.0)
