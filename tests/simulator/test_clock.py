"""What readings cost in board time."""

import time

import numpy as np
import pytest

from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from tests.support.simulated_boards import small, switched_on

APERTURE, DELAY = 0.02, 0.001


@pytest.fixture
def board():
    return switched_on(small(), 1)


def cost(board, action):
    before = board.clock.seconds
    action()
    return board.clock.seconds - before


def test_time_adds_up_and_never_runs_backwards():
    clock = Clock()
    assert clock.seconds == 0
    clock.advance(1.5, "settling")
    clock.advance(0, "integrating")
    clock.advance(0.25, "integrating")
    assert clock.seconds == 1.75
    assert clock.spent_seconds == {"settling": 1.5, "integrating": 0.25}
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1e-9, "settling")
    assert clock.seconds == 1.75


def test_a_reading_after_a_change_takes_the_delay_and_one_aperture(board):
    assert cost(board, board.read) == pytest.approx(DELAY + APERTURE)
    assert cost(board, board.read) == pytest.approx(APERTURE)
    assert cost(board, lambda: board.read(7)) == pytest.approx(7 * APERTURE)


@pytest.mark.parametrize(
    "change",
    [
        lambda board: board.open_all(),
        lambda board: board.probe(2, 3),
        lambda board: board.apply(board.pattern),
        lambda board: board.set_row_volts(np.zeros(board.rows)),
    ],
)
def test_every_change_starts_the_delay_anew(board, change):
    board.read()
    assert cost(board, lambda: change(board)) == 0
    assert cost(board, lambda: board.read(3)) == pytest.approx(DELAY + 3 * APERTURE)


def test_delay_counts_from_the_last_change(board):
    board.configure(delay_seconds=0.5)
    board.probe(0, 0)
    board.clock.advance(0.2, "settling")
    assert cost(board, board.read) == pytest.approx(0.3 + APERTURE)
    board.probe(0, 1)
    board.clock.advance(0.2, "settling")
    board.probe(0, 2)
    board.clock.advance(0.6, "settling")
    assert cost(board, board.read) == pytest.approx(APERTURE)


def test_settings_cost_nothing_and_count_at_once(board):
    settings = {"range_amperes": 1e-3, "aperture_seconds": 0.1, "delay_seconds": 0.01}
    board.read()
    assert cost(board, lambda: board.configure(**settings)) == 0
    assert cost(board, board.read) == pytest.approx(0.1)
    board.open_all()
    assert cost(board, board.read) == pytest.approx(0.01 + 0.1)


def test_every_vector_waits_and_is_read_once(board):
    for count in (1, 5, 40):
        vectors = np.zeros((count, board.rows))
        assert cost(board, lambda v=vectors: board.column_currents(v)) == pytest.approx(
            count * (DELAY + APERTURE)
        )


def test_every_scan_point_waits_and_is_read_as_often_as_asked(board):
    rows, branches = np.array([0, 0, 5]), np.array([1, 1, -1])
    volts = np.array([0.5, -0.5, 0.5])
    assert cost(board, lambda: board.scan(rows, branches, volts, 4)) == pytest.approx(
        3 * (DELAY + 4 * APERTURE)
    )


def test_in_real_time_readings_take_as_long_on_the_wall():
    board = SimulatedCrossbar(small(), 1, Clock(realtime=True))
    began = time.perf_counter()
    board.configure(aperture_seconds=0.01, delay_seconds=0.02)
    board.open_all()
    board.read(3)
    assert time.perf_counter() - began >= 0.05 - 1e-3
    assert board.clock.seconds == pytest.approx(0.05)
