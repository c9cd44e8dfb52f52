"""Products: read in the range that holds them, whichever that is."""

from typing import cast

import numpy as np
import pytest

from calibration.branches.characterization import characterize
from calibration.errors import OverloadError
from calibration.programming.refinement import program
from calibration.programming.targets import choose_targets
from drivers.crossbar_board import CrossbarBoard
from instrument.matrix.programmed import ProgrammedMatrix
from tests.support.in_process import as_driver
from tests.support.simulated_boards import small, switched_on


@pytest.fixture(scope="module")
def programmed():
    board = as_driver(switched_on(small(shape={"rows": 32, "columns": 8}), 2))
    calibration = characterize(board)
    weights = np.random.default_rng(2).uniform(-1, 1, (32, 4))
    done = program(board, calibration, choose_targets(weights, calibration))
    return ProgrammedMatrix(
        board=cast(CrossbarBoard, board),
        corrected=board,
        weights=weights,
        programmed=done,
        volts_per_unit=15 / 16,
        input_full_scale=1.0,
    )


def test_the_worst_inputs_are_read_in_the_wider_range_and_the_others_are_not(programmed):
    board, done = programmed.board, programmed.programmed
    assert len(done.ranges) > 1
    random = np.random.default_rng(3)
    usual = random.uniform(-1, 1, (20, 32))
    worst = np.concatenate([np.ones((1, 32)), -np.ones((1, 32)), random.uniform(0.9, 1, (3, 32))])
    inputs = np.concatenate([usual[:10], worst, usual[10:]])

    ranges = []
    read = board.column_currents

    def watched(volts):
        ranges.append((board.range_amperes, len(volts)))
        return read(volts)

    board.column_currents = watched
    answered = programmed @ inputs
    assert ranges == [(done.range_amperes, 20), (done.ranges[-1].range_amperes, 5)]
    assert board.range_amperes == done.range_amperes
    error = answered - inputs @ programmed.weights
    full_scale = np.abs(programmed.weights).sum(axis=0).max()
    assert np.abs(error[:10]).max() < 2.0**-13 * full_scale
    assert np.abs(error).max() < 2.0**-13 * full_scale


def test_one_vector_more_than_the_range_of_use_holds(programmed):
    answered = programmed @ np.ones(32)
    assert answered == pytest.approx(programmed.weights.sum(axis=0), abs=2e-3)


def test_a_gain_that_sentinels_show_is_taken_off_products(programmed):
    board = programmed.board
    read, x = board.column_currents, np.random.default_rng(4).uniform(-1, 1, (5, 32))
    before = programmed @ x
    board.column_currents = lambda volts: 1.001 * read(volts)
    try:
        watched = programmed.watched()
        assert watched.gain == pytest.approx(1.001, abs=1e-5)
        assert programmed.gain == 1
        assert programmed.gain_seconds < watched.gain_seconds <= board.moment()[0]
        full_scale = np.abs(programmed.weights).sum(axis=0).max()
        assert np.abs(watched @ x - before).max() < 2e-5 * full_scale
        assert np.abs(programmed @ x - before).max() > 1e-4 * full_scale
    finally:
        board.column_currents = read


def test_a_column_beyond_every_range_is_named():
    board = as_driver(switched_on(small(), 2))
    calibration = characterize(board)
    weights = np.random.default_rng(2).uniform(-1, 1, (8, 4))
    done = program(board, calibration, choose_targets(weights, calibration))
    matrix = ProgrammedMatrix(cast(CrossbarBoard, board), board, weights, done, 15 / 16, 1.0)
    read = board.column_currents

    def overloading(volts):
        amperes = read(volts)
        amperes[:, 3] = np.nan
        return amperes

    board.column_currents = overloading
    with pytest.raises(OverloadError, match="column 4 "):
        matrix @ np.zeros(8)
