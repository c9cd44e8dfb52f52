"""Switches that remember where they came from are found; others are not accused."""

import numpy as np
import pytest

from instrument.validation.hysteresis import leave_and_return
from instrument.validation.repeatability import repeat
from tests.support.programs import LINEAR, NOISY, program
from tests.support.tiled_programs import changed, programmed_of

INPUTS = np.random.default_rng(5).uniform(-1, 1, (40, 8))
REMEMBERED = 1e-3


class Sticky:
    """A board that conducts a little more after all its switches were closed."""

    def __init__(self, board):
        self._board = board
        self.rows, self.columns = board.rows, board.columns
        self.configure, self.lock = board.configure, board.lock
        self._factor = 1.0

    def apply(self, pattern):
        if pattern.all() or not pattern.any():
            self._factor = 1 + REMEMBERED * pattern.all()
        self._board.apply(pattern)

    @property
    def held_crc(self):
        return self._board.held_crc

    @property
    def range_amperes(self):
        return self._board.range_amperes

    def column_currents(self, row_volts):
        return self._factor * self._board.column_currents(row_volts)


def test_switches_that_remember_differ_by_what_they_remember():
    still = program(**LINEAR)
    sticky = Sticky(still.board)
    found = leave_and_return(changed(still, board=sticky, corrected=sticky), INPUTS)
    assert found.relative_difference == pytest.approx(REMEMBERED, rel=1e-2)
    assert found.relative_noise < 1e-9


def test_switches_that_do_not_remember_return_within_the_noise():
    noisy = program(**NOISY)
    found = leave_and_return(noisy, INPUTS)
    assert found.from_open.shape == found.from_closed.shape == (8, 16, 4)
    # 64 differences, and noise from 7 degrees of freedom each.
    assert found.relative_difference == pytest.approx(found.relative_noise, rel=0.4)
    assert found.relative_scatter == pytest.approx(
        repeat(noisy, INPUTS, 16).relative_noise, rel=0.2
    )


def test_a_steady_drift_is_not_hysteresis():
    still = program(**LINEAR)
    board, seen = still.board, []

    class Drifting:
        rows, columns = board.rows, board.columns
        apply, configure = staticmethod(board.apply), staticmethod(board.configure)
        lock = board.lock
        held_crc = property(lambda _: board.held_crc)
        range_amperes = property(lambda _: board.range_amperes)

        @staticmethod
        def column_currents(row_volts):
            seen.append(0)
            return (1 + 1e-4 * len(seen)) * board.column_currents(row_volts)

    drifting = Drifting()
    found = leave_and_return(changed(still, board=drifting, corrected=drifting), INPUTS)
    assert found.relative_scatter > 1e-4
    assert found.relative_difference < 1e-9


def test_the_programmed_pattern_stands_afterwards():
    still = program(**LINEAR)
    leave_and_return(still, INPUTS)
    assert (still.board.pattern == programmed_of(still).pattern).all()
