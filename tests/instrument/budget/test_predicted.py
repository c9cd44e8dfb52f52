"""The budget says what the products err by, and of what."""

import math

import numpy as np
import pytest

from tests.support.budgets import budgeted

AGREES = 1.4
"""Factor between what is predicted and what is measured."""
SHOWS = {
    "adc_noise": "ADC noise",
    "adc_quantization": "ADC quantization",
    "ambient": "temperature",
    "amplifier_noise": "amplifier noise",
    "dac_noise": "DAC noise",
    "dac_quantization": "DAC quantization",
    "excess_noise": "excess noise",
    "flicker": "1/f noise",
    "johnson": "Johnson noise",
    "mains": "mains",
    "settling": "settling",
    "tcr": "temperature",
}
"""The row that an effect of the simulated board is to be found in."""
TAKEN_OUT = [
    "adc_gain",
    "adc_inl",
    "dac_gain",
    "dac_inl",
    "dac_offset",
    "leakage",
    "sensor",
    "tia_gain",
    "tia_offset",
]
"""Effects that calibration takes out: no row grows, because the products do not suffer."""
TOO_SLOW = ["ageing", "self_heating"]
"""Effects too small to be seen in minutes: their rows are those of a class of parts."""


@pytest.mark.parametrize(
    ("preset", "seed"),
    [
        *(("8x4", seed) for seed in range(1, 6)),
        ("64x16", 1),
        *(pytest.param("64x16", seed, marks=pytest.mark.slow) for seed in (2, 3)),
        *(pytest.param("100x100", seed, marks=pytest.mark.slow) for seed in (1, 2)),
    ],
)
def test_what_is_predicted_is_what_is_measured(preset, seed):
    found = budgeted(preset, seed)
    assert 1 / AGREES < found.ratio < AGREES
    assert all(math.isfinite(row.relative_error) for row in found.budget.rows)


@pytest.mark.parametrize("effect", [*SHOWS, *TAKEN_OUT, *TOO_SLOW, "wire"])
def test_an_effect_ten_times_as_large(effect):
    usual, found = budgeted("8x4", 2), budgeted("8x4", 2, effect, 10.0)
    assert 1 / AGREES < found.ratio < AGREES
    if effect in SHOWS:
        cause = SHOWS[effect]
        # not by all of ten where the temperature has had less time to change
        assert found.of_cause(cause) > 3 * usual.of_cause(cause)
    else:
        assert found.relative_error < AGREES * usual.relative_error


def test_rows_are_summed_in_squares():
    budget = budgeted("8x4", 1).budget
    squares = sum(row.relative_error**2 for row in budget.rows)
    assert budget.relative_error == pytest.approx(math.sqrt(squares))
    assert len({row.cause for row in budget.rows}) == len(budget.rows)


def test_rounding_is_that_of_the_codes():
    found = budgeted("8x4", 1)
    board, converters = found.program.board, found.program.corrected.converters
    settings = converters.settings(found.products.row_volts)
    held = board.dacs.held(settings)
    np.testing.assert_allclose(found.products.rounding_volts, held - settings, atol=1e-12)
    assert (np.abs(held - settings) <= 2.0**-16 + 1e-12).all()


@pytest.mark.parametrize("factor", [1.0, 10.0])
def test_change_of_temperature_is_the_true_one_on_average(factor):
    """Over boards: at single ones the thermometer misses what happens between its readings."""
    true, predicted = [], []
    for seed in range(1, 6):
        found = budgeted("8x4", seed, "ambient", factor)
        transfer, ambient = found.program.programmed.transfer, found.program.board.ambient
        measured = np.linspace(transfer.began[0], transfer.ended[0], 50)
        seconds = np.linspace(found.moments[0][0], found.moments[-1][0], 256)
        then = ambient.deviation_kelvin(measured).mean()
        true.append(((ambient.deviation_kelvin(seconds) - then) ** 2).mean())
        predicted.append(found.products.square_kelvin.mean())
    assert 1 / 2 < np.mean(predicted) / np.mean(true) < 2
