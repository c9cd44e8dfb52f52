"""Voltages and ranges that hold a current."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.crossbar import MAX_TIMES_MEDIAN, held_volts, measuring_volts, smallest_range

RANGES = np.array([1e-6, 1e-5, 1e-4])


@given(st.floats(1e-9, 1e-2), st.floats(0.1, 10.0))
def test_the_widest_range_holds_the_currents_and_would_not_hold_twice_of_them(siemens, volts):
    held = held_volts(RANGES, volts, np.array([siemens, siemens / 3]))
    assert held * siemens <= RANGES[-1] * (1 + 1e-12)
    assert held == volts or 2 * held * siemens > RANGES[-1]
    halvings = np.log2(volts / held)
    assert halvings == np.rint(halvings) >= 0


def test_what_just_fits_is_not_halved():
    assert held_volts(RANGES, 1.0, np.array([1e-4])) == 1.0
    assert held_volts(RANGES, 1.0, np.array([1.01e-4])) == 0.5
    assert held_volts(RANGES, 1.0, np.array([2e-4])) == 0.5
    assert held_volts(RANGES, 1.0, np.array([2.01e-4])) == 0.25
    assert held_volts(RANGES, 1.0, np.zeros(3)) == 1.0


def test_a_column_that_conducts_far_more_than_the_others_has_no_say():
    usual = np.full(5, 1e-4)
    assert held_volts(RANGES, 1.0, np.append(usual, 1e-4 * MAX_TIMES_MEDIAN * 1.01)) == 1.0
    assert held_volts(RANGES, 1.0, np.append(usual, 1e-4 * MAX_TIMES_MEDIAN * 0.99)) < 1.0


@pytest.mark.parametrize(
    ("amperes", "expected"),
    [(0.0, 1e-6), (1e-6, 1e-6), (1.001e-6, 1e-5), (1e-5, 1e-5), (5e-5, 1e-4), (1.0, 1e-4)],
)
def test_the_smallest_range_that_holds_a_current_or_the_widest(amperes, expected):
    assert smallest_range(RANGES, amperes) == expected


@given(st.integers(5, 24))
def test_measuring_volts_are_exact_codes(bits):
    step = 2.0 ** (1 - bits)
    for volts in (measuring_volts(1.0), measuring_volts(1.0) / 2 if bits > 5 else 0.0):
        assert volts / step == np.rint(volts / step)
    assert measuring_volts(1.0) <= 1.0 - step
