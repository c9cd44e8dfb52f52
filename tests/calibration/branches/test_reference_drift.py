"""Drift is what the reference shows; what it does not show is uncertain."""

import numpy as np
import pytest

from calibration.branches.reference_drift import Bracket, find_reference, track_drift
from calibration.statistics.robust import robust_mean
from tests.support.simulated_boards import changed, small, switched_on

ADDITIVE = 1e-6
EVERY = np.ones(32, dtype=bool)


def brackets(seed, common, spread=0.0, every_seconds=2.0, noise=ADDITIVE):
    """Readings of 32 reference branches that drift by `common`, each for itself by a share."""
    random = np.random.default_rng(seed)
    siemens = random.uniform(9e-6, 1.1e-5, 32)
    own = spread * random.standard_normal(32)
    return [
        Bracket(
            every_seconds * index,
            300 + 1e4 * step,
            siemens * (1 + step * (1 + own) + noise * random.standard_normal(32)),
        )
        for index, step in enumerate(common)
    ]


def walk(seed, count=40, step=5e-6):
    return np.cumsum(step * np.random.default_rng(seed).standard_normal(count))


def test_a_board_that_stands_still_does_not_drift():
    track = track_drift(brackets(1, np.zeros(40)), ADDITIVE, 0.0, EVERY)
    assert track.peak_to_peak < 3 * ADDITIVE / np.sqrt(32)
    assert track.own_floor == track.own_slope == 0


def test_drift_between_brackets_is_covered_by_its_uncertainty():
    scores = []
    for seed in range(60):
        # The walk is seen at every other point only; in between the estimate has to guess.
        true = walk(seed, 41)
        track = track_drift(brackets(seed, true[::2], every_seconds=2.0), ADDITIVE, 0.0, EVERY)
        between, variance = track.common_at(np.arange(1, 40, 2.0))
        scores.append((between - (true[1:-1:2] - true[::2].mean())) / np.sqrt(variance))
    scores = np.array(scores)
    assert 0.85 < scores.std() < 1.1
    assert 0.93 < (np.abs(scores) < 1.96).mean() < 0.98


def test_a_jump_makes_what_lies_beside_it_uncertain_and_nothing_else():
    common = np.where(np.arange(40) < 20, 0.0, 2e-4)
    track = track_drift(brackets(3, common), ADDITIVE, 0.0, EVERY)
    _, variance = track.common_at(np.array([20.0, 39.0, 60.0]))
    assert np.sqrt(variance[1]) == pytest.approx(1e-4, rel=0.05)  # half of the jump
    assert np.sqrt(variance[[0, 2]]).max() < 2e-6
    assert track.peak_to_peak == pytest.approx(2e-4, rel=0.02)


def test_how_far_branches_drift_apart_is_seen():
    common = np.linspace(-1e-4, 1e-4, 30)
    slopes = [
        track_drift(brackets(seed, common, spread=0.3), ADDITIVE, 0.0, EVERY).own_slope
        for seed in range(20)
    ]
    assert np.mean(slopes) == pytest.approx(0.3, rel=0.1)


def test_single_wild_readings_of_the_reference_do_not_move_it():
    plain = brackets(5, walk(5))
    wild = brackets(5, walk(5))
    wild[7].siemens[3] *= 1.5
    wild[20].siemens[8] = np.nan
    one, other = (track_drift(each, ADDITIVE, 0.0, EVERY) for each in (plain, wild))
    np.testing.assert_allclose(other.common, one.common, atol=ADDITIVE)


def test_a_reference_that_dies_half_way_is_believed_until_then():
    dying = brackets(6, walk(6))
    for bracket in dying[30:]:
        bracket.siemens[:] = 0.0
    track = track_drift(dying, ADDITIVE, 0.0, EVERY)
    assert len(track.seconds) == 30
    assert track.peak_to_peak < 1e-3


def test_without_a_reference_the_sensor_says_how_uncertain_all_is():
    track = track_drift(brackets(7, [0.0, 2e-4]), 0.0, 0.0, None)
    level, variance = track.common_at(np.array([0.0, 2.0]))
    assert not level.any()
    np.testing.assert_allclose(np.sqrt(variance), 100e-6 * 1.0)  # ±1 K about the mean


def test_the_reference_is_a_live_row_near_the_middle():
    board = switched_on(small(), 1)
    reference = find_reference(board, 1 / board.nominal_ohms, 0.9375, 2e-5)
    assert reference.row in (3, 4)
    assert reference.branch == 0
    assert reference.columns.all()


def test_a_board_without_live_branches_has_no_reference():
    board = switched_on(changed(small(), defects={"open": 1.0}), 1)
    assert find_reference(board, 1 / board.nominal_ohms, 0.9375, 2e-5) is None


def test_robust_mean_leaves_out_what_stands_out():
    values = np.random.default_rng(1).standard_normal((50, 100))
    values[:, 0] = 1e6
    values[:, 1] = np.nan
    mean, spread, count = robust_mean(values, axis=1)
    assert (count == 98).all()
    assert np.abs(mean).max() < 0.5
    assert spread.mean() == pytest.approx(1, rel=0.05)
