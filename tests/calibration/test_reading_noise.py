"""The noise that plans are made with is the one that readings have."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.branches.characterization import characterize
from calibration.crossbar import NO_BRANCH
from calibration.noise.survey import survey_noise, usual_settings
from calibration.reading_noise import ReadingNoise, measure_reading_noise
from simulator.preset import load_preset
from tests.support.simulated_boards import changed, switched_on

VOLTS, RANGE = 15 / 16, 3e-5
BOARD = changed(load_preset("8x4"), shape={"rows": 8, "columns": 64}).with_effects(
    ambient=0.0, excess_noise=0.0, flicker=0.0, mains=0.0
)
EVERY = np.ones(64, dtype=bool)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("effects", [{}, {"adc_noise": 10.0}, {"dac_noise": 10.0}])
def test_it_is_found_from_a_few_readings(effects, seed):
    """Four readings of each polarity, common to all columns what the row's DAC does: within a
    factor 2.5 for that, and within a tenth for what every column has of its own.
    """
    preset = changed(BOARD, adc={"noise_free_bits": 20 - np.log2(effects.get("adc_noise", 1))})
    preset = preset.with_effects(dac_noise=effects.get("dac_noise", 1.0)).in_force()
    board = switched_on(preset, seed)
    board.configure(range_amperes=RANGE, aperture_seconds=0.02, delay_seconds=1e-3)
    found = measure_reading_noise(board, 4, 0, EVERY, VOLTS)

    pairs = 400
    amperes = board.scan(
        np.full(2 * pairs, 4), np.tile([NO_BRANCH, 0], pairs), np.full(2 * pairs, VOLTS)
    )[:, 0]
    quiet, loud = amperes[0::2].std(axis=0).mean(), amperes[1::2].std(axis=0).mean()
    assert found.range_fraction * RANGE == pytest.approx(quiet, rel=0.1)
    signal = float(np.abs(amperes[1]).mean())
    stated = float(np.sqrt(found.variance(np.array(signal), RANGE)))
    assert loud / 2.5 < stated < 2.5 * loud


def test_a_class_at_another_aperture_is_white():
    classes = ReadingNoise()
    shorter = classes.at_aperture(0.2e-3)
    assert shorter.range_fraction == pytest.approx(10 * classes.range_fraction)
    assert shorter.signal_fraction == pytest.approx(10 * classes.signal_fraction)


def test_the_survey_that_comes_after_agrees():
    """The survey takes noise apart into causes; a probe of a single branch meets two of them."""
    board = switched_on(BOARD, 3)
    board.configure(range_amperes=RANGE, aperture_seconds=0.02, delay_seconds=1e-3)
    planned = [measure_reading_noise(board, 4, 0, EVERY, VOLTS) for _ in range(8)]
    measured = characterize(board)
    settings = usual_settings(
        board, measured, aperture_seconds=0.02, delay_seconds=1e-3, line_hertz=50.0
    )
    survey = survey_noise(board, measured, replace(settings, range_amperes=RANGE))
    adc = survey.adc_noise.value + survey.adc_quantization.value
    of_range = np.mean([one.range_fraction**2 for one in planned])
    assert of_range == pytest.approx(adc, rel=0.1)
    of_signal = np.mean([one.signal_fraction**2 for one in planned])
    dac = survey.dac_noise.value / VOLTS**2
    assert dac / 2 < of_signal < 2 * dac  # 24 degrees of freedom
