"""The budget says what the products err by, and of what."""

import math

import pytest

from tests.instrument.budgets import budgeted

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


def of_cause(budget, cause):
    return next(row.relative_error for row in budget.rows if row.cause == cause)


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
    budget, measured = budgeted(preset, seed)
    assert 1 / AGREES < measured / budget.relative_error < AGREES
    assert all(math.isfinite(row.relative_error) for row in budget.rows)


@pytest.mark.parametrize("effect", [*SHOWS, *TAKEN_OUT, *TOO_SLOW, "wire"])
def test_an_effect_ten_times_as_large(effect):
    usual, usual_error = budgeted("8x4", 2)
    budget, measured = budgeted("8x4", 2, effect, 10.0)
    assert 1 / AGREES < measured / budget.relative_error < AGREES
    if effect in SHOWS:
        grown = {
            row.cause: row.relative_error / of_cause(usual, row.cause)
            for row in budget.rows
            if of_cause(usual, row.cause)
        }
        # not by all of ten where the temperature has had less time to change
        assert grown[SHOWS[effect]] > 3
    else:
        assert measured < AGREES * usual_error


def test_rows_are_summed_in_squares():
    budget, _ = budgeted("8x4", 1)
    squares = sum(row.relative_error**2 for row in budget.rows)
    assert budget.relative_error == pytest.approx(math.sqrt(squares))
    assert len({row.cause for row in budget.rows}) == len(budget.rows)
