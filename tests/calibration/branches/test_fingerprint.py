"""A board is known again by its branches, and another of its type is told apart."""

import numpy as np
import pytest

from calibration.branches.fingerprint import MAX_PROBES, is_calibrated_board
from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.preset import load_preset
from tests.support.branch_calibrations import calibration_of


def board_of(seed):
    board = SimulatedCrossbar(load_preset("8x4"), seed, Clock())
    board.switch_outputs(True)
    return board


@pytest.mark.parametrize("seed", range(6))
def test_the_same_board_is_known_and_others_are_not(seed):
    board = board_of(seed)
    # What the board reads of itself, without any care: half a per cent off.
    volts = 15 / 16
    siemens = np.empty((board.rows, board.columns, board.branches))
    board.configure(range_amperes=3e-5)
    for branch in range(board.branches):
        rows = np.arange(board.rows)
        read = board.scan(rows, np.full(board.rows, branch), np.full(board.rows, volts))
        siemens[:, :, branch] = read.mean(axis=1) / volts
    usable = np.random.default_rng(seed).random(siemens.shape) > 0.1
    calibration = calibration_of(siemens, usable)
    board.configure(range_amperes=1e-3)
    assert is_calibrated_board(board, calibration)
    assert board.range_amperes == pytest.approx(1e-3)
    for other in range(1, 5):
        assert not is_calibrated_board(board_of(seed + other), calibration)


def test_branches_from_the_first_to_the_last_are_probed_once_in_either_polarity():
    board, probed = board_of(1), []
    siemens = np.ones((board.rows, board.columns, board.branches)) * 1e-5
    scan = board.scan

    def noted(rows, branches, row_volts, readings=1):
        probed.extend(zip(rows.tolist(), branches.tolist(), row_volts.tolist(), strict=True))
        return scan(rows, branches, row_volts, readings)

    board.scan = noted
    is_calibrated_board(board, calibration_of(siemens))
    assert len(probed) == len(set(probed)) == 2 * MAX_PROBES
    volts = {point[2] for point in probed}
    assert {-one for one in volts} == volts
    last = board.rows - 1, board.branches - 1
    assert {(0, 0), last} < {point[:2] for point in probed}
