"""The room: an Ornstein-Uhlenbeck temperature that is a function of time alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.parts.environment import Ambient
from tests.support.simulated_boards import changed, small

SIGMA, TAU = 0.5, 600.0
ROOM = changed(
    small(), environment={"ambient_kelvin": SIGMA, "ambient_seconds": TAU, "sensor_kelvin": 0.1}
).environment


def test_variance_and_correlation_time():
    # 2,000 correlation times: n of them give independent pieces enough for 4 % of the variance.
    times = np.arange(0, 2000 * TAU, 100.0)
    x = Ambient(ROOM, 1).deviation_kelvin(times)
    assert x.std() == pytest.approx(SIGMA, rel=0.05)
    assert abs(x.mean()) < 5 * SIGMA / np.sqrt(1000)
    for lag in (1, 3, 6, 12):
        correlation = (x[:-lag] * x[lag:]).mean() / SIGMA**2
        assert correlation == pytest.approx(np.exp(-lag * 100 / TAU), abs=0.12)


def test_boards_differ_from_the_start():
    first = [Ambient(ROOM, seed).deviation_kelvin(np.zeros(1))[0] for seed in range(400)]
    assert np.std(first) == pytest.approx(SIGMA, rel=0.2)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 5000), min_size=1, max_size=20))
def test_a_function_of_time_alone(times):
    at_once = Ambient(ROOM, 3).deviation_kelvin(np.array(times))
    one_by_one = Ambient(ROOM, 3)
    for time, expected in zip(times, at_once, strict=True):
        assert one_by_one.deviation_kelvin(np.array([time]))[0] == expected


def test_it_moves_smoothly_over_an_aperture():
    times = np.linspace(0, 60, 3001)
    steps = np.diff(Ambient(ROOM, 1).deviation_kelvin(times))
    # One grid second moves it by σ√(2/τ), a fiftieth of that at most five sigmas' fiftieth.
    assert np.abs(steps).max() < 6 * SIGMA * np.sqrt(2 / TAU) / 50


def test_sensor_is_off_by_one_constant_that_differs_between_boards():
    errors = []
    for seed in range(300):
        room = Ambient(ROOM, seed)
        off = [
            room.sensed_kelvin(time) - ROOM.kelvin - room.deviation_kelvin(np.array([time]))[0]
            for time in (0.0, 1000.0)
        ]
        assert off[0] == pytest.approx(off[1], abs=1e-9)
        errors.append(off[0])
    assert 0.09 < np.abs(errors).max() <= 0.1 + 1e-9
    assert abs(np.mean(errors)) < 5 * 0.1 / np.sqrt(3 * 300)


def test_a_step_adds_to_what_was_drawn():
    room, same = Ambient(ROOM, 1), Ambient(ROOM, 1)
    room.step_kelvin = 3.0
    times = np.array([0.0, 7.5])
    np.testing.assert_allclose(room.deviation_kelvin(times), same.deviation_kelvin(times) + 3.0)
