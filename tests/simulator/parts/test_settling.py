"""Settling: reading early is wrong by what the time constants leave."""

import numpy as np
import pytest

from tests.support.simulated_boards import NO_NOISE, NO_WIRE, changed, small, switched_on

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


def misses(board, after):
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
    got = misses(board, lambda: board.apply(pattern))
    np.testing.assert_allclose(got, expected(SWITCH), atol=2e-4)


def test_a_row_settles_with_the_dacs_time_constant(board):
    board.apply(np.ones_like(board.pattern))
    board.read(2)
    got = misses(board, lambda: board.set_row_volts(np.full(board.rows, -0.25)))
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


@pytest.mark.parametrize("late_seconds", [30e-6, 1.0])
def test_time_that_went_into_something_else_settles_as_well(board, late_seconds):
    """A reading asked for late is late, whoever spent the time."""

    def switch_and_dawdle():
        board.apply(np.ones_like(board.pattern))
        board.clock.advance(late_seconds, "settling")

    got = misses(board, switch_and_dawdle)
    np.testing.assert_allclose(got, np.exp(-late_seconds / SWITCH) * expected(SWITCH), atol=2e-4)


def test_a_pause_between_readings_settles_as_well(board):
    board.apply(np.ones_like(board.pattern))
    board.configure(aperture_seconds=APERTURE, delay_seconds=0.0)
    step = board.read()[0]
    early = board.read()[0]
    board.clock.advance(3 * DAC, "settling")
    late = board.read()[0]
    final = board.read(200)[-1]
    # From the middle of one aperture to the middle of the next, and the pause.
    np.testing.assert_allclose(
        (late - final) / (early - final), np.exp(-(3 * DAC + APERTURE) / DAC), atol=1e-3
    )
    assert (np.abs(step - final) > np.abs(early - final)).all()


def test_a_row_and_a_switch_that_move_together_settle_as_the_slower(board):
    board.apply(np.ones_like(board.pattern))

    def both():
        board.set_row_volts(np.full(board.rows, -0.25))
        board.apply(board.pattern)

    np.testing.assert_allclose(misses(board, both), expected(DAC), atol=2e-4)


def test_what_drifts_between_readings_was_not_switched():
    """A temperature that has changed since the last reading leaves nothing to settle."""
    warm = changed(STEPPED, population={"tcr_per_kelvin": 0.01})
    board = switched_on(warm, 1)
    board.configure(range_amperes=1e-3, aperture_seconds=APERTURE, delay_seconds=0.0)
    board.set_row_volts(np.full(board.rows, 0.5))
    board.apply(np.ones_like(board.pattern))
    cold = board.read(200)[-1]
    board.ambient.step_kelvin = 5.0
    board.clock.advance(1.0, "settling")
    first, last = board.read()[0], board.read(200)[-1]
    assert (np.abs(last / cold - 1) > 0.04).all()
    np.testing.assert_allclose(first, last, rtol=1e-6)
