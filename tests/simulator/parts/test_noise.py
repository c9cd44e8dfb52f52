"""Noise of a reading, as the board shows it, against its laws."""

import numpy as np
import pytest
from scipy import stats

from simulator.parts.resistors import draw_branches
from tests.support.simulated_boards import NO_GAIN, NO_NOISE, NO_WIRE, changed, small, switched_on

BOLTZMANN = 1.380649e-23
COLUMNS = 64
READINGS = 300
QUIET = small(
    NO_WIRE,
    NO_GAIN,
    shape={"rows": 1, "columns": COLUMNS, "branches": 1},
    population={"tolerance": 0.0},
    switches={"on_ohms": 1e-3, "off_ohms": 1e15},
)
QUIET = changed(QUIET, NO_NOISE)
KELVIN = {"environment": {"kelvin": 300.0}}
AMPLIFIER = {"tia": {"noise_volts_per_root_hertz": 6e-9}}
ADC = {"adc": {"noise_free_bits": 20.0, "noise_free_at_seconds": 0.02}}


def readings(preset, ohms, aperture_seconds, range_amperes=1e-6, rows=1, seed=1):
    """Noise alone: rows at 0 V, one branch of each row closed."""
    board = switched_on(changed(preset, shape={"rows": rows}, population={"base_ohms": ohms}), seed)
    board.configure(range_amperes=range_amperes, aperture_seconds=aperture_seconds)
    board.apply(np.ones((rows, COLUMNS, 1), dtype=bool))
    return board.read(READINGS)


def assert_variance(noise, expected):
    """The sample's variance, of known mean 0, is what it should be, but for one seed in 10^5."""
    low, high = stats.chi2.ppf([5e-6, 1 - 5e-6], noise.size) / noise.size
    assert low < (noise**2).mean() / expected < high


@pytest.mark.parametrize("ohms", [1e6, 1e5, 1e4])
@pytest.mark.parametrize("aperture_seconds", [1e-3, 1e-2, 1e-1])
def test_thermal_noise_is_nyquists(ohms, aperture_seconds):
    noise = readings(changed(QUIET, KELVIN), ohms, aperture_seconds)
    bandwidth = 1 / (2 * aperture_seconds)
    assert_variance(noise, 4 * BOLTZMANN * 300.0 / ohms * bandwidth)


def test_thermal_noise_follows_the_temperature():
    for kelvin in (77.0, 300.0):
        noise = readings(changed(QUIET, environment={"kelvin": kelvin}), 1e5, 0.02)
        assert_variance(noise, 4 * BOLTZMANN * kelvin / 1e5 * 25.0)


@pytest.mark.parametrize("ohms", [1e6, 1e5, 1e4])
@pytest.mark.parametrize("aperture_seconds", [1e-3, 1e-1])
def test_amplifier_noise_is_amplified_by_all_that_hangs_on_the_column(ohms, aperture_seconds):
    for rows in (1, 4):
        noise = readings(changed(QUIET, AMPLIFIER), ohms, aperture_seconds, rows=rows)
        assert_variance(noise, (6e-9 * rows / ohms) ** 2 / (2 * aperture_seconds))


@pytest.mark.parametrize("range_amperes", [1e-6, 3e-5, 1e-2])
@pytest.mark.parametrize("aperture_seconds", [2e-4, 2e-3, 2e-2])
def test_adc_noise_counts_in_ranges_and_falls_with_the_aperture(range_amperes, aperture_seconds):
    noise = readings(changed(QUIET, ADC), 1e6, aperture_seconds, range_amperes)
    peak_to_peak = 2 * 1.05 * range_amperes / 2**20
    assert_variance(noise, (peak_to_peak / 6.6) ** 2 * 0.02 / aperture_seconds)


def test_the_three_add_in_power():
    loud = {"adc": {"noise_free_bits": 13.0, "noise_free_at_seconds": 0.02}}
    noise = readings(changed(QUIET, KELVIN, AMPLIFIER, loud), 1e4, 0.02, rows=16)
    siemens = 16 / 1e4
    thermal = 4 * BOLTZMANN * 300.0 * siemens * 25.0
    amplifier = (6e-9 * siemens) ** 2 * 25.0
    adc = (2 * 1.05 * 1e-6 / 2**13 / 6.6) ** 2
    assert min(thermal, amplifier, adc) > 0.1 * (thermal + amplifier + adc)  # none can be missed
    assert_variance(noise, thermal + amplifier + adc)


def test_noise_is_normal_and_has_no_memory():
    noise = readings(changed(QUIET, KELVIN, AMPLIFIER, ADC), 1e4, 0.02)
    assert stats.kstest(noise.ravel() / noise.std(), stats.norm.cdf).pvalue > 1e-3
    for here, there in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        correlation = np.corrcoef(here.ravel(), there.ravel())[0, 1]
        assert abs(correlation) < 4.5 / np.sqrt(noise.size)


def test_noise_follows_the_seed():
    preset = changed(QUIET, KELVIN)
    one, again, other = (readings(preset, 1e5, 0.02, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.99


@pytest.mark.parametrize("aperture_seconds", [1e-3, 1e-1])
def test_noise_of_the_dacs_reaches_every_column_of_a_row_alike(aperture_seconds):
    noisy = changed(QUIET, dac={"noise_volts_per_root_hertz": 1e-6})
    noise = readings(noisy, 1e5, aperture_seconds)
    # One draw for each reading: the columns add nothing to the count of what is known.
    np.testing.assert_allclose(noise, np.tile(noise[:, :1], COLUMNS), rtol=1e-6, atol=1e-15)
    assert_variance(noise[:, 0], (1e-6 / 1e5) ** 2 / (2 * aperture_seconds))


def test_noise_of_the_dacs_stays_behind_with_the_outputs_off():
    board = switched_on(changed(QUIET, dac={"noise_volts_per_root_hertz": 1e-6}), 1)
    board.apply(np.ones((1, COLUMNS, 1), dtype=bool))
    assert board.read(5).any()
    board.switch_outputs(False)
    assert not board.read(5).any()


@pytest.mark.parametrize("ohms", [1e6, 1e5])
def test_amplifier_flicker_has_its_level_on_all_that_hangs_on_the_column(ohms):
    for rows in (1, 4):
        flickering = changed(QUIET, tia={"flicker_volts": 1e-6})
        noise = readings(flickering, ohms, 0.02, rows=rows)
        allan = (np.diff(noise, axis=0) ** 2).mean() / 2
        # 2 ln 2 times the density at 1 Hz; 299 differences on 64 columns, half of them new.
        assert allan / (1e-6 * rows / ohms) ** 2 == pytest.approx(2 * np.log(2), rel=0.07)


INDEX = 3e-6
EXCESS = changed(
    QUIET,
    shape={"rows": 6, "branches": 2},
    population={"base_ohms": 1e5, "decades": 1.0, "tolerance": 0.1},
)
EXCESS_DENSITY = INDEX**2 / np.log(10)
"""At 1 Hz, of a resistor's relative fluctuation, so that a decade holds the index's square."""


def excess(volts):
    """Readings (n, columns) of vectors (n, rows) less those of resistors that do not fluctuate."""
    seen = []
    for index in (INDEX, 0.0):
        preset = changed(EXCESS, population={"excess_noise_per_decade": index})
        board = switched_on(preset, 2)
        board.configure(range_amperes=3e-4)
        board.apply(np.ones_like(board.pattern))
        seen.append(board.column_currents(volts))
    return seen[0] - seen[1]


def test_excess_noise_is_the_branches_currents_in_root_sum_square():
    volts = np.tile([0.75, -0.5, 0.25, 0.0, 0.5, 0.5], (400, 1))
    allan = (np.diff(excess(volts), axis=0) ** 2).mean(axis=0) / 2
    siemens = draw_branches(EXCESS, 2).closed_siemens
    power = ((volts[0][:, None, None] * siemens) ** 2).sum(axis=(0, 2))
    level = allan / (EXCESS_DENSITY * power)
    assert level.mean() == pytest.approx(2 * np.log(2), rel=0.07)
    assert np.abs(level / level.mean() - 1).max() < 0.5


def test_excess_noise_follows_the_voltage_and_its_sign():
    one = np.full((40, 6), 0.25)
    single, double, reverse = excess(one), excess(2 * one), excess(-one)
    step = 2 * 1.05 * 3e-4 / 2**32
    np.testing.assert_allclose(double, 2 * single, atol=4 * step)
    np.testing.assert_allclose(reverse, -single, atol=4 * step)
    assert np.abs(single).mean() > 30 * step
    assert not excess(0 * one).any()


def test_reversing_the_voltage_does_not_cancel_excess_noise():
    """A fluctuating resistor is not an offset: a probe at both polarities sees it all."""
    volts = np.tile([[0.9] + [0.0] * 5, [-0.9] + [0.0] * 5], (100, 1))
    noise = excess(volts)
    difference, total = (noise[0::2] - noise[1::2]) / 2, noise[0::2] + noise[1::2]
    assert difference.std() > 2 * total.std()


def test_a_short_has_no_resistor_that_could_fluctuate():
    shorts = changed(EXCESS, defects={"short": 1.0})
    assert not draw_branches(shorts, 1).closed.squared.any()
    assert draw_branches(EXCESS, 1).closed.squared.all()
