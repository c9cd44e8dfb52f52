"""Sentinels: what has moved since a board was programmed is told from eight readings."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.branches.characterization import characterize
from calibration.crossbar import Moment
from calibration.errors import OverloadError
from calibration.programming.pairs import differences
from calibration.programming.refinement import program
from calibration.programming.sentinels import WATCH_SECONDS, watch, watched
from calibration.programming.targets import choose_targets
from tests.support.simulated_boards import small, switched_on

WIDE = small(shape={"rows": 16, "columns": 16})


@cache
def programmed():
    """A still board with a matrix on it."""
    board = switched_on(WIDE, 1)
    calibration = characterize(board)
    weights = np.random.default_rng(1).uniform(-1, 1, (16, 7))
    return board, program(board, calibration, choose_targets(weights, calibration))


class Moved:
    """The board, with what columns read changed."""

    def __init__(self, board, change):
        self.board, self.change = board, change

    def __getattr__(self, name):
        return getattr(self.board, name)

    def column_currents(self, row_volts):
        return self.change(row_volts, self.board.column_currents(row_volts))


def seen(change=lambda _, amperes: amperes):
    board, done = programmed()
    return watch(Moved(board, change), done)


@pytest.mark.parametrize("gain", [1.0, 1 + 3e-5, 0.999])
def test_the_gain_is_found_within_its_uncertainty(gain):
    found = [seen(lambda _, amperes: gain * amperes) for _ in range(60)]
    own = np.array([one.gain for one in found])
    u = np.array([one.gain_uncertainty for one in found])
    assert (u < 1e-6).all()
    # the transfer matrix, and its error, is the same in all
    assert np.abs(own - gain).max() < 4 * u.max()
    assert own.std() < u.mean() < 4 * own.std()
    assert all(one.strayed == () for one in found)
    assert np.median([one.relative_drift for one in found]) < 3e-6


@pytest.mark.parametrize("column", [0, 5, 13])
@pytest.mark.parametrize("reads", [0.0, 1.01, np.nan])
def test_a_column_that_broke_is_named_and_has_no_say(column, reads):
    def broken(_, amperes):
        amperes[:, column] *= reads
        return amperes * (1 - 5e-5)

    found = seen(broken)
    assert found.strayed == (column,)
    assert found.gain == pytest.approx(1 - 5e-5, abs=4 * found.gain_uncertainty)
    assert found.relative_drift < 1e-5


def test_columns_that_are_not_in_use_have_no_say():
    def broken(_, amperes):
        amperes[:, 14:] = np.nan
        return amperes

    assert seen(broken).strayed == ()


def test_a_board_that_answers_nothing_is_an_error():
    with pytest.raises(OverloadError, match="no column"):
        seen(lambda _, amperes: np.full_like(amperes, np.nan))


@pytest.mark.parametrize("relative", [2e-5, 1e-4, 1e-3])
def test_drift_of_the_pairs_is_told_from_a_gain(relative):
    _, done = programmed()
    ratios = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        error = (
            relative * done.transfer.siemens * random.standard_normal(done.transfer.siemens.shape)
        )
        found = seen(lambda volts, amperes, error=error: amperes * (1 + 1e-4) + volts @ error)
        wanted = differences(done.transfer.siemens, 7)
        truth = np.linalg.norm(differences(error, 7)) / np.linalg.norm(wanted)
        ratios.append(found.relative_drift / truth)
    assert np.sqrt(np.mean(np.square(ratios))) == pytest.approx(1, rel=0.15)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=40))
def test_a_gain_never_becomes_older_than_allowed(seconds):
    moments = [Moment(when, 300.0) for when in sorted(seconds)]
    found = watched(moments, Moment(0.0, 299.0))
    assert len(found) == len(moments)
    for (now, _), since in zip(moments, found, strict=True):
        assert 0 <= now - since.seconds <= WATCH_SECONDS
        assert since in [(0.0, 299.0), *moments]
