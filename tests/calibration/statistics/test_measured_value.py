"""What an estimate says of something that cannot be negative."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, truncnorm

from calibration.statistics.measured_value import MeasuredValue


@given(st.floats(-20, 20), st.floats(1e-3, 1e3))
def test_expected_is_the_mean_of_the_normal_distributions_part_above_zero(places, uncertainty):
    value = places * uncertainty
    mean = truncnorm.mean(-places, np.inf, loc=value, scale=uncertainty)
    assert MeasuredValue(value, uncertainty).expected == pytest.approx(mean, rel=1e-6)


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9))
def test_expected_is_positive_and_at_least_the_value(value, uncertainty):
    expected = MeasuredValue(value, uncertainty).expected
    assert expected >= 0
    assert expected >= value * (1 - 1e-12)


@given(st.floats(-1e9, -50))
def test_expected_of_a_value_far_below_zero_follows_its_asymptotic_series(places):
    series = 1 - 2 / places**2 + 10 / places**4
    expected = MeasuredValue(3 * places, 3.0).expected
    assert expected == pytest.approx(3 / -places * series, rel=1e-8)


def test_expected_without_uncertainty_is_the_value():
    assert MeasuredValue(3.0, 0.0).expected == 3
    assert MeasuredValue(-3.0, 0.0).expected == 0


def test_most_is_exceeded_once_in_twenty():
    draws = np.random.default_rng(1).normal(5.0, 1.0, 20_000)
    exceeded = np.mean([MeasuredValue(value, 1.0).upper_limit < 5.0 for value in draws])
    assert exceeded == pytest.approx(norm.sf(1.645), abs=0.005)


def test_what_is_resolved():
    assert MeasuredValue(2.1, 1.0).resolved
    assert not MeasuredValue(1.9, 1.0).resolved
    assert not MeasuredValue(-5.0, 1.0).resolved
