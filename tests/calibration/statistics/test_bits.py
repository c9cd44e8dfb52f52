"""Relative errors as bits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.statistics.bits import MAX_BITS, as_bits, as_finite_bits


@given(st.floats(1e-12, 1.0))
def test_bits(error):
    assert 2.0 ** -as_bits(error) == pytest.approx(error)
    assert as_finite_bits(np.array([error]))[0] == pytest.approx(as_bits(error))


def test_no_error():
    assert as_bits(0.0) == math.inf
    bits = as_finite_bits(np.array([[0.0, 2.0**-MAX_BITS, 2.0**-61, 0.25]]))
    np.testing.assert_array_equal(bits, [[MAX_BITS, MAX_BITS, MAX_BITS, 2.0]])
