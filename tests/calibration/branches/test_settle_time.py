"""Slow boards are waited for, and a delay that somebody set too short is told so."""

import numpy as np
import pytest

from calibration.branches.settle_time import (
    MARGIN_BITS,
    TOLERATED_SHARE,
    USUAL_BITS,
    USUAL_SECONDS,
    choose_settle_time,
)
from calibration.converters.measure import ChannelStatus, measure_converters
from calibration.crossbar import MAX_DELAY_SECONDS
from simulator.preset import load_preset
from tests.support.simulated_boards import STILL, changed, small, switched_on

MOVING = load_preset("8x4").with_effects(**STILL | {"settling": 1.0})
APERTURE_SECONDS = 20e-3


def board_with(seconds, **more):
    slow = {"dac_seconds": seconds, "switch_seconds": seconds}
    board = switched_on(changed(MOVING, settling=slow, **more), 1)
    board.configure(aperture_seconds=APERTURE_SECONDS)
    return board


def missing(delay_seconds, seconds):
    """What an aperture misses of a value when rows have turned from the opposite one."""
    ratio = APERTURE_SECONDS / seconds
    return 2 * np.exp(-delay_seconds / seconds) * -np.expm1(-ratio) / ratio


@pytest.mark.parametrize("seconds", [50e-6, 500e-6, 5e-3, 50e-3, 0.3])
def test_a_board_is_waited_for_as_long_as_it_needs(seconds):
    board = board_with(seconds)
    found = choose_settle_time(board, None)
    assert found.chosen == "auto"
    assert board.delay_seconds == found.settle_seconds == found.needed_seconds
    assert board.aperture_seconds == APERTURE_SECONDS
    assert missing(found.settle_seconds, seconds) < 1.2 * TOLERATED_SHARE
    assert found.settle_seconds < 20 * seconds
    assert 0.9 * seconds < found.time_constant_seconds < 1.6 * seconds
    assert not found.too_short


def test_converters_of_a_slow_board_are_not_taken_for_dead():
    board = board_with(5e-3)
    choose_settle_time(board, None)
    found = measure_converters(board)
    assert (found.column_status == ChannelStatus.OK).all()
    assert (found.row_status == ChannelStatus.OK).all()


@pytest.mark.parametrize("seconds", [5e-3, 50e-3])
def test_a_delay_that_is_too_short_is_told_with_the_one_that_is_needed(seconds):
    board = board_with(seconds)
    found = choose_settle_time(board, 1e-3)
    assert board.delay_seconds == found.settle_seconds == 1e-3
    assert found.too_short
    assert found.missing_share == pytest.approx(missing(1e-3, seconds), rel=0.4)
    assert "settle_seconds = 0.001 is TOO SHORT" in found.in_words
    assert f"needs {found.needed_seconds:.2g}" in found.in_words
    assert not choose_settle_time(board, 1.01 * found.needed_seconds).too_short


def test_a_board_that_is_slower_than_any_delay_is_told_so():
    found = choose_settle_time(board_with(2.0), None)
    assert found.settle_seconds == 10
    assert "too slow" in found.in_words


@pytest.mark.parametrize("seconds", [500e-6, 50e-3])
@pytest.mark.parametrize("bits", [17.0, 20.0, 24.0])
def test_more_bits_are_waited_for(seconds, bits):
    found = choose_settle_time(board_with(seconds), None)
    share = 2.0 ** -(bits + MARGIN_BITS)
    assert missing(found.seconds_for(bits), seconds) < 1.2 * share
    assert missing(0.8 * found.seconds_for(bits), seconds) > share


@pytest.mark.parametrize("bits", [-np.inf, 0.0, 11.0, USUAL_BITS])
def test_fewer_bits_do_not_make_settling_the_limit(bits):
    found = choose_settle_time(board_with(5e-3), None)
    assert found.seconds_for(bits) == found.settle_seconds


def test_a_delay_that_somebody_set_stays_whatever_is_wanted():
    assert choose_settle_time(board_with(5e-3), 1e-3).seconds_for(30.0) == 1e-3


def test_no_product_waits_longer_than_a_board_can():
    assert choose_settle_time(board_with(0.3), None).seconds_for(1e300) == MAX_DELAY_SECONDS


def test_where_nothing_can_be_read_the_usual_delay_is_taken():
    board = switched_on(small(defects={"open": 1.0}), 1)
    found = choose_settle_time(board, None)
    assert (found.settle_seconds, found.needed_seconds) == (USUAL_SECONDS, 0.0)
    assert "was not measured" in found.in_words
