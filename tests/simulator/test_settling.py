"""Settling: reading early is wrong by what the time constants leave."""

import numpy as np
import pytest

from tests.simulator.boards import NO_NOISE, NO_WIRE, changed, small, switched_on

SWITCH, DAC = 20e-6, 50e-6
APERTURE = 10e-6
STEPPED = changed(
    small(NO_NOISE, NO_WIRE),
    settling={"residue": 1.0, "switch_seconds": SWITCH, "dac_seconds": DAC},
)


@pytest.fixture
def board():
    board = switched_on(STEPPED, 1)
    board.configure(range_amperes=1e-3, aperture_seconds=0.02, delay_seconds=0.01)
    board.set_row_volts(np.full(board.rows, 0.5))
    return board


def misses(board, before, after):
    """What readings one aperture apart miss, of the whole step, right after a change."""
    old = board.read()[0]
    board.configure(aperture_seconds=APERTURE, delay_seconds=0.0)
    after()
    early = board.read(20)
    board.configure(aperture_seconds=0.02, delay_seconds=0.01)
    board.read(3)
    final = board.read()[0]
    return ((early - final) / (old - final)).mean(axis=1)


def expected(tau):
    """Averages of e^(−t/τ) over apertures one after another."""
    starts = APERTURE * np.arange(20)
    return np.exp(-starts / tau) * tau / APERTURE * (1 - np.exp(-APERTURE / tau))


def test_a_switch_settles_with_its_time_constant(board):
    pattern = np.ones_like(board.pattern)
    got = misses(board, None, lambda: board.apply(pattern))
    np.testing.assert_allclose(got, expected(SWITCH), atol=2e-4)


def test_a_row_settles_with_the_dacs_time_constant(board):
    board.apply(np.ones_like(board.pattern))
    board.read(2)
    got = misses(board, None, lambda: board.set_row_volts(np.full(board.rows, -0.25)))
    np.testing.assert_allclose(got, expected(DAC), atol=2e-4)


def test_a_waited_for_step_is_over(board):
    board.apply(np.ones_like(board.pattern))
    board.configure(delay_seconds=1e-3)
    first = board.read()[0]
    board.read(5)
    np.testing.assert_allclose(board.read()[0], first, rtol=3e-8)


def test_a_step_that_is_not_over_adds_to_the_next(board):
    """A product right after another carries the other's remainder."""
    board.apply(np.ones_like(board.pattern))
    board.configure(aperture_seconds=APERTURE, delay_seconds=30e-6)
    high, low = np.full(board.rows, 0.9), np.full(board.rows, -0.9)
    after_low = board.column_currents(np.stack([low, low, low, low, high]))[-1]
    after_high = board.column_currents(np.stack([high, high, high, high, high]))[-1]
    step = board.column_currents(np.stack([high] * 40))[-1] * 2
    left = np.exp(-30e-6 / DAC) * DAC / APERTURE * (1 - np.exp(-APERTURE / DAC))
    np.testing.assert_allclose((after_high - after_low) / step, left, atol=0.02)
