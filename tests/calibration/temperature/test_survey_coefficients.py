"""Temperature coefficients from a change of temperature, against what makes them up."""

import numpy as np
import pytest

from calibration.statistics.measured_value import MeasuredValue
from calibration.temperature.survey_coefficients import (
    CHANGE_KELVIN,
    CLASS_PER_KELVIN,
    common_coefficient,
    prior_deviation,
    square_coefficient,
    wander,
)


@pytest.mark.parametrize("of_error", [0.0, 0.5, 1.0, 3.0])
def test_the_square_of_an_uncertain_change_is_as_uncertain_as_draws_of_it(of_error):
    """Of many branches without noise nothing but the change of temperature is uncertain."""
    change, own = MeasuredValue(of_error * 0.1, 0.1), 50e-6
    drawn = np.random.default_rng(1).normal(change.value, change.uncertainty, 1_000_000) ** 2
    relative = drawn.var() / drawn.mean() ** 2
    changes = own * np.sqrt(drawn.mean()) * np.random.default_rng(2).choice([-1, 1], 10**5)
    found = square_coefficient(changes, np.zeros(10**5), change, own)
    assert found.value == pytest.approx(own**2, rel=0.01)
    # with what is supposed, a square that is as uncertain as it is large
    both = 1 / (1 / relative + 1)
    assert found.uncertainty == pytest.approx(own**2 * np.sqrt(both), rel=0.01)


@pytest.mark.parametrize("noise", [0.0, 20e-6, 200e-6])
def test_the_square_of_a_few_coefficients_scatters_as_it_says(noise):
    random, own, change = np.random.default_rng(3), 100e-6, MeasuredValue(2.0, 1e-6)
    found = []
    for _ in range(1500):
        changes = 2.0 * own * random.standard_normal(8) + noise * random.standard_normal(8)
        # Hardly anything is supposed: 1 %/K.
        found.append(square_coefficient(changes, np.full(8, noise), change, own))
    values = np.array([one.value for one in found])
    seen = 2 / 8 * (own**2 + (noise / 2) ** 2) ** 2
    both = 1 / (1 / seen + 1 / own**4)
    assert values.mean() == pytest.approx(own**2, rel=0.08)
    assert np.median([one.uncertainty for one in found]) == pytest.approx(np.sqrt(both), rel=0.2)


@pytest.mark.parametrize("change", [0.0, 0.02, 1.0])
def test_the_common_coefficient_is_the_mean_of_what_is_seen_and_supposed(change):
    truth, noise = 80e-6, 1e-6
    found = common_coefficient(truth * change, noise, MeasuredValue(change, 0.0), 100e-6)
    information = (change / noise) ** 2 + 100e-6**-2
    assert found.uncertainty == pytest.approx(information**-0.5)
    assert found.value == pytest.approx(truth * (change / noise) ** 2 / information)
    # An uncertain change of temperature makes it less certain, by the coefficient's own size.
    blurred = common_coefficient(truth * change, noise, MeasuredValue(change, 0.01), 100e-6)
    assert blurred.uncertainty >= found.uncertainty
    if change == 1.0:
        assert blurred.uncertainty == pytest.approx(np.hypot(noise, 0.01 * truth), rel=0.02)


def test_a_board_that_drifts_less_than_its_sensor_moves_is_no_worse_than_that():
    moved = 100 * CHANGE_KELVIN
    assert prior_deviation(20e-6 * moved, moved) == pytest.approx(20e-6)
    assert prior_deviation(1.0, moved) == CLASS_PER_KELVIN
    assert prior_deviation(0.0, moved) == pytest.approx(1e-6)
    # A sensor that has hardly moved tells nothing.
    assert prior_deviation(20e-6, 9.9 * CHANGE_KELVIN) == CLASS_PER_KELVIN
    assert prior_deviation(0.0, 10.1 * CHANGE_KELVIN) == pytest.approx(1e-6)


def test_a_random_walk_wanders_as_fast_as_it_was_made_to():
    random, rate = np.random.default_rng(4), 4e-3
    passed = random.uniform(0.5, 2.0, 20_000)
    kelvin = 296 + np.cumsum(np.sqrt(rate * passed) * random.standard_normal(20_000))
    assert wander(np.cumsum(passed), kelvin) == pytest.approx(rate, rel=0.05)
    assert wander(np.array([1.0, 2.0]), np.array([296.0, 296.0 + CHANGE_KELVIN / 2])) == 0
    assert wander(np.array([1.0, 1.0]), np.array([296.0, 297.0])) == 0
    once = wander(np.array([1.0, 1.0, 3.0]), np.array([296.0, 297.0, 298.0]))
    assert once == pytest.approx((1 - CHANGE_KELVIN**2) / 2)
