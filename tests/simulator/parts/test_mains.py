"""Mains pickup: whole line cycles reject it."""

import numpy as np
import pytest

from simulator.parts.mains import Mains
from tests.support.simulated_boards import changed, small

VOLTS = 20e-6


def mains(deviation=0.0, seed=1, columns=50):
    room = changed(
        small(), environment={"mains_volts": VOLTS, "mains_deviation_hertz": deviation}
    ).environment
    return Mains(room, columns, seed)


TIMES = np.linspace(0, 10, 5000)


@pytest.mark.parametrize("aperture", [1e-5, 1e-3, 5e-3, 0.01, 0.015, 0.03, 0.07])
def test_an_aperture_averages_as_its_sinc(aperture):
    seen = mains().volts(TIMES, aperture)
    amplitude = VOLTS * abs(np.sin(np.pi * 50 * aperture) / (np.pi * 50 * aperture))
    assert np.abs(seen).max() == pytest.approx(amplitude, rel=1e-3)


@pytest.mark.parametrize("cycles", [1, 2, 5, 10])
def test_whole_cycles_leave_what_the_lines_frequency_is_off(cycles):
    aperture = cycles / 50
    assert np.abs(mains().volts(TIMES, aperture)).max() < 1e-12 * VOLTS
    left = [np.abs(mains(0.02, seed).volts(TIMES, aperture)).max() for seed in range(40)]
    # sinc near a zero: the relative deviation of the frequency, 0.02 / 50 at most.
    assert 0.3 * 4e-4 * VOLTS < max(left) <= 4e-4 * VOLTS * (1 + 1e-3)


def test_average_over_an_aperture_is_that_of_the_sine():
    pickup = mains(0.02)
    fine = pickup.volts(np.linspace(0.1, 0.113, 20001), 1e-9).mean(axis=0)
    np.testing.assert_allclose(pickup.volts(np.array([0.1065]), 0.013)[0], fine, atol=1e-4 * VOLTS)


def test_one_frequency_and_a_phase_for_each_column():
    seen = mains(0.02).volts(TIMES, 1e-4)
    assert len({round(float(column), 9) for column in seen[0] / VOLTS}) == seen.shape[1]
    # One frequency on all: every column is a mix of the same sine and cosine.
    assert np.linalg.matrix_rank(seen, tol=1e-9 * VOLTS * len(TIMES)) == 2
