"""What is left after a delay, from what is missing after shorter ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.noise.settling import find_settling
from calibration.statistics.measured_value import MeasuredValue

DELAYS = 1e-3 * np.array([0.0, 0.05, 0.1, 0.2, 1.0, 2.0])


@given(start=st.floats(1e-3, 0.5), seconds=st.floats(3e-5, 3e-4), use=st.floats(0, 1e-3))
def test_an_exponential_is_found(start, seconds, use):
    missing = start * np.exp(-DELAYS / seconds)
    found = find_settling(DELAYS, missing, np.full(6, 1e-7), use)
    assert found.seconds.value == pytest.approx(seconds, rel=1e-6)
    assert found.left.value == pytest.approx(start * np.exp(-use / seconds), rel=1e-5)
    assert found.at_once.value == missing[0]
    assert found.left_seen.value == missing[4]


def test_uncertainties_are_those_of_repeated_measurements():
    draw = np.random.default_rng(4)
    truth, noise = 2.5e-3 * np.exp(-DELAYS / 50e-6), np.array([3e-5, 2e-5, 1e-5, 1e-5, 1e-5, 1e-5])
    scores = []
    for _ in range(300):
        found = find_settling(DELAYS, truth + noise * draw.standard_normal(6), noise, 2e-4)
        scores.append((found.left.value - truth[3]) / found.left.uncertainty)
    assert 0.8 < np.std(scores) < 1.3


def test_where_nothing_is_missing_what_is_left_is_what_is_seen():
    missing = np.array([3e-7, -1e-7, 0.0, 2e-7, -2e-7, 0.0])
    found = find_settling(DELAYS, missing, np.full(6, 1e-7), 1e-3)
    assert found.seconds == MeasuredValue(0.0, 2e-3)
    assert found.left == found.left_seen
    assert not found.left.resolved
