"""The time constant is measured, and readings wait for as long as it asks."""

import numpy as np
import pytest

from calibration.branches.characterization import characterize
from calibration.branches.probe_settling import measure_tail
from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.preset import load_preset
from tests.support.simulated_boards import STILL, small, switched_on

MOVING = load_preset("8x4").with_effects(**STILL | {"settling": 1.0})


def board_with(dac_seconds, seed=1):
    preset = MOVING.model_dump()
    preset["settling"]["dac_seconds"] = dac_seconds
    return switched_on(type(MOVING).model_validate(preset), seed)


def measure(board):
    board.configure(range_amperes=3e-5)
    return measure_tail(board, 4, 0, 0.9375)


@pytest.mark.parametrize("seconds", [50e-6, 1e-3, 5e-3, 50e-3])
def test_time_constant_is_found(seconds):
    found = measure(board_with(seconds)).time_constant_seconds
    assert 0.95 * seconds < found < 1.6 * seconds  # the last residue seen gives an upper limit


@pytest.mark.parametrize("seconds", [50e-6, 1e-3, 5e-3, 50e-3])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8])
def test_the_delay_leaves_no_more_than_is_tolerated(seconds, tolerance):
    delay = measure(board_with(seconds)).needed_seconds(0.02, tolerance)
    ratio = 0.02 / seconds
    left = 2 * np.exp(-delay / seconds) * -np.expm1(-ratio) / ratio  # moves are by twice the value
    assert left < 1.2 * tolerance


def test_what_settles_at_once_is_not_waited_for():
    found = measure(switched_on(small(), 1))
    assert found.time_constant_seconds == 0
    assert found.needed_seconds(0.02, 1e-7) < 1e-4


def test_a_slow_board_is_waited_for_longer():
    fast, slow = (characterize(board_with(seconds)) for seconds in (50e-6, 500e-6))
    assert 3e-4 < fast.delay_seconds < 1e-3
    assert 3e-3 < slow.delay_seconds < 1e-2
    np.testing.assert_allclose(slow.branch_siemens, fast.branch_siemens, rtol=2e-5, atol=8e-11)


class Overloading(SimulatedCrossbar):
    """A board of which some columns overload, for some time after a move or always."""

    until_seconds: dict[int, float]
    """By the column's number."""

    def scan(self, rows, branches, row_volts, readings=1):
        amperes = super().scan(rows, branches, row_volts, readings)
        for column, seconds in self.until_seconds.items():
            if self.delay_seconds < seconds:
                amperes[:, :, column] = np.nan
        return amperes


@pytest.mark.parametrize(
    "until_seconds",
    [{0: np.inf}, {0: 1e-4, 1: 3e-4, 2: np.inf}, dict.fromkeys(range(6), 2e-4)],
)
def test_columns_that_overload_change_nothing(until_seconds):
    boards = [Overloading(MOVING, 1, Clock()) for _ in range(2)]
    boards[0].until_seconds, boards[1].until_seconds = {}, until_seconds
    for board in boards:
        board.switch_outputs(True)
    sound, struck = (measure(board).needed_seconds(0.02, 1e-6) for board in boards)
    assert struck == pytest.approx(sound, rel=0.3)


def test_where_nothing_can_be_read_it_waits_as_long_as_it_ever_would():
    board = Overloading(MOVING, 1, Clock())
    board.until_seconds = dict.fromkeys(range(8), np.inf)
    board.switch_outputs(True)
    assert measure(board).needed_seconds(0.02, 1e-6) == pytest.approx(20.48e-3)
