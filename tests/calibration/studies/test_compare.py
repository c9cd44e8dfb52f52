"""Columns of what is measured beside what is predicted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.studies.compare import (
    crossing,
    fitted_rows,
    held,
    mean_excess,
    reached_bits,
    reaching,
    seen_share,
)
from calibration.studies.fits import mean_margin


def row(n, bits, low, high, predicted):
    return {
        "n": n,
        "bits": bits,
        "bits_low": low,
        "bits_high": high,
        "predicted_bits": predicted,
    }


ROWS = [row(8, 4.0, 3.5, 4.5, 4.2), row(9, 5.0, 4.8, 5.2, 5.3), row(10, 7.0, None, None, 6.0)]


def test_held_counts_intervals_and_takes_an_unknown_end_as_open():
    assert held(ROWS, "bits") == {"points": 3, "held": 2}


def test_excess_is_measured_minus_predicted():
    assert mean_excess(ROWS, "bits")["excess"] == pytest.approx(0.5 / 3)


def test_reaching_interpolates_every_curve():
    found = reaching(ROWS[:2], "n", "bits", 4.75, "at")
    assert found["at"] == pytest.approx(8.75)
    assert found["predicted_at"] == pytest.approx(8.5)
    assert found["at_low"] == pytest.approx(8 + 0.25 / 0.7)
    assert found["at_high"] == pytest.approx(8 + 1.25 / 1.3)
    assert found["at_low"] < found["at"] < found["at_high"]


def test_what_is_never_reached_is_not_made_up():
    assert reaching(ROWS[:2], "n", "bits", 20.0, "at") == dict.fromkeys(
        ("at", "at_low", "at_high", "predicted_at")
    )


@given(st.floats(-5, 5), st.floats(0.1, 3), st.floats(-1, 1), st.booleans())
def test_crossing_is_found_on_lines_that_rise_and_fall(start, slope, offset, falls):
    x = np.array([0.0, 1.0, 2.5, 7.0])
    sign = -1 if falls else 1
    wanted = start + sign * slope * (3 + offset)
    assert crossing(x, start + sign * slope * x, wanted) == pytest.approx(3 + offset, abs=1e-9)


STEPS = st.tuples(st.floats(0.1, 3), st.floats(0.1, 5))
"""How far the next point of a line is, and how much higher or lower."""


@given(st.lists(STEPS, min_size=1, max_size=6), st.integers(0, 5), st.floats(0, 1), st.booleans())
def test_crossing_lies_on_the_segment_that_passes_whatever_the_others_slopes(
    steps, at, part, falls
):
    at = min(at, len(steps) - 1)
    x = np.cumsum([1.0, *(dx for dx, _ in steps)])
    y = np.cumsum([2.0, *(-dy if falls else dy for _, dy in steps)])
    there = [(1 - part) * line[at] + part * line[at + 1] for line in (x, y)]
    assert crossing(x, y, there[1]) == pytest.approx(there[0], abs=1e-9)


def test_crossing_is_the_first_of_several_and_none_beyond_the_ends():
    x, y = np.array([0.0, 1.0, 3.0, 4.0]), np.array([0.0, 4.0, 2.0, 5.0])
    assert crossing(x, y, 3.0) == pytest.approx(0.75)
    assert crossing(x[1:], y[1:], 3.0) == pytest.approx(2.0)
    assert crossing(x, y, 4.5) == pytest.approx(3 + 2.5 / 3)
    assert crossing(x, y, 5.0) == 4.0
    assert crossing(x, y, 5.1) is None
    assert crossing(x, y, -0.1) is None


def test_a_level_line_is_crossed_where_it_begins():
    assert crossing(np.array([1.0, 2.0, 5.0]), np.array([0.0, 3.0, 3.0]), 3.0) == 2.0
    assert crossing(np.array([1.0, 2.0]), np.array([3.0, 3.0]), 3.0) == 1.0


def test_a_share_of_all_instances_reaches_the_bits():
    bits = np.arange(1000) / 100
    half, most = reached_bits(bits, 0.5), reached_bits(bits, 0.9)
    assert half["bits_low"] < half["bits"] < half["bits_high"]
    assert (bits >= most["bits"]).mean() == pytest.approx(0.9, abs=0.002)
    assert reached_bits(np.arange(5.0), 0.9)["bits_low"] is None


def test_shares_carry_their_interval():
    seen = seen_share("perfect", np.array([1.0, 0.0, 1.0, 1.0]))
    assert seen["perfect"] == 0.75
    assert 0 < seen["perfect_low"] < 0.75 < seen["perfect_high"] < 1


def test_lines_leave_out_the_small_unless_nothing_else_is_there():
    rows = [{"n": n} for n in range(4, 11)]
    assert [one["n"] for one in fitted_rows(rows)] == [8, 9, 10]
    assert len(fitted_rows(rows[:6])) == 6


def test_margin_of_a_mean_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(7)
    means = [mean_margin(generator.normal(2, 3, 6)) for _ in range(4000)]
    assert np.mean([abs(mean - 2) <= margin for mean, margin in means]) == pytest.approx(
        0.95, abs=0.012
    )
    assert mean_margin([4.0]) == (4.0, None)
