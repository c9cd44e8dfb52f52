"""Curves beyond a line: what they are at its ends, and how sure they are in between."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.converters.curves import Curves, bent


def drawn(seed, channels=3, terms=5, full_scale=2.0, line_end=1.6):
    random = np.random.default_rng(seed)
    root = random.standard_normal((channels, terms, terms))
    return Curves(
        coefficients=random.standard_normal((channels, terms)),
        covariance=root @ root.swapaxes(1, 2),
        full_scale=full_scale,
        line_end=line_end,
    )


def at(x, channels=3):
    return np.repeat(np.atleast_1d(x)[:, None], channels, axis=1)


@given(
    seed=st.integers(0, 10**6),
    full_scale=st.floats(0.1, 10),
    end=st.floats(0.1, 1),
    terms=st.integers(1, 13),
)
def test_a_curve_and_its_uncertainty_are_zero_at_the_ends_of_the_line(seed, full_scale, end, terms):
    curves = drawn(seed, terms=terms, full_scale=full_scale, line_end=end * full_scale)
    ends = at([-curves.line_end, curves.line_end])
    np.testing.assert_allclose(curves.deviation(ends), 0, atol=1e-12)
    np.testing.assert_allclose(curves.uncertainty(ends), 0, atol=1e-6)


def test_a_polynomial_is_its_curve_and_a_line():
    """x³ at full scale 2, less the line through its ends at ±1.6."""
    curves = Curves(np.array([[0.0, 2 / 5 * 8]]), np.zeros((1, 2, 2)), 2.0, 1.6)
    x = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(curves.deviation(x[:, None])[:, 0], x**3 - 1.6**2 * x, atol=1e-12)


def test_no_line_is_in_the_terms():
    x, weights = np.polynomial.legendre.leggauss(40)
    terms = bent(x, 14)
    # What is left is the rounding of the quadrature, which differs between versions of numpy.
    np.testing.assert_allclose(weights @ terms, 0, atol=1e-13)
    np.testing.assert_allclose((weights * x) @ terms, 0, atol=1e-13)
    assert terms.shape == (40, 13)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_uncertainty_is_the_scatter_of_curves_that_scatter_as_stated(seed):
    curves = drawn(seed)
    x = at(np.linspace(-2, 2, 9))
    random = np.random.default_rng(seed)
    draws = np.stack(
        [
            random.multivariate_normal(coefficients, covariance, 4000, method="cholesky")
            for coefficients, covariance in zip(
                curves.coefficients, curves.covariance + 1e-9 * np.eye(5), strict=True
            )
        ],
        axis=1,
    )
    scatter = (draws[:, None] * curves.basis(x)).sum(axis=-1).std(axis=0)
    np.testing.assert_allclose(scatter, curves.uncertainty(x), rtol=0.06)


def test_the_largest_is_found_with_its_sign_and_channel():
    curves = Curves(
        np.array([[1e-6], [-3e-6], [2e-6]]), np.full((3, 1, 1), 1e-14), full_scale=1, line_end=1
    )
    channel, deviation, uncertainty = curves.largest()
    assert channel == 1
    assert deviation == pytest.approx(4.5e-6)  # P₂ − 1 is −3/2 at zero
    assert uncertainty == pytest.approx(1.5e-7)


def test_nothing_is_said_of_what_was_not_read():
    curves = drawn(1)
    assert np.isnan(curves.deviation(at(np.nan))).all()
