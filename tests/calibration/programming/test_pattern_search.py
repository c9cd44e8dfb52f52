"""Converging in the model: never worse, far beyond what selecting each pair for itself reaches."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.programming.board_model import first_estimate, predict
from calibration.programming.moves import make_moves
from calibration.programming.pairs import differences, pair_banks
from calibration.programming.pattern_search import choose, couple, descend, evaluated
from calibration.selection import select
from kirchhoff import Wire, transfer_matrix
from tests.support.branch_calibrations import calibration_of, drawn_siemens

BOARD = Wire(0.02, 0.02, 0.05, 0.05)
STRONG = Wire(1.0, 1.0, 5.0, 5.0)
SCALE, TOTAL = 2e-5, 4.4e-5


def job(seed, rows, outputs, wire, branches=10, uncertainty=1e-13):
    """An estimate, wanted differences, patterns chosen pair by pair; every pair counts."""
    random = np.random.default_rng(seed)
    calibration = calibration_of(drawn_siemens(random, rows, 2 * outputs, branches))
    spread = np.full(calibration.status.shape, uncertainty)
    calibration = replace(calibration, uncertainty_siemens=spread)
    estimate = replace(first_estimate(calibration, wire), branches=calibration)
    wanted = SCALE * branches / 10 * random.uniform(-1, 1, (rows, outputs))
    bank = pair_banks(calibration, rows, outputs)
    chosen = choose(bank, wanted, TOTAL * branches / 10, SCALE * 2.0**-11).pattern
    return estimate, wanted, chosen, np.ones(wanted.shape, dtype=bool)


def bits(error, wanted):
    return -np.log2(np.sqrt((error**2).mean() / (wanted**2).mean()))


def moved_targets(estimate, wanted, chosen, rounds):
    """Peer: move every target by its error, select the nearest sum, again and again; the best."""
    rows, outputs = wanted.shape
    bank = pair_banks(estimate.branches, rows, outputs)
    aim, best = wanted.ravel().copy(), np.inf
    for _ in range(rounds):
        error = evaluated(estimate, wanted, chosen).error_siemens
        best = min(best, float(np.sqrt((error**2).mean())))
        aim -= error.ravel()
        chosen = select(bank.signed_siemens, aim, usable=bank.usable).pattern
    return best


@pytest.mark.parametrize(
    ("rows", "outputs", "wire"), [(40, 20, BOARD), (30, 15, Wire(0.02, 0.3, 0.5, 1.0))]
)
def test_coupling_is_what_the_network_does(rows, outputs, wire):
    wanted = job(1, rows, outputs, wire)[1]
    board_rows = rows + 3  # the last rows are not in use, but their wire is in the way
    siemens = np.full((board_rows, 2 * outputs), 2e-7)
    siemens[:rows, 0::2] = (TOTAL + wanted) / 2
    siemens[:rows, 1::2] = (TOTAL - wanted) / 2
    coupling = couple(wire, board_rows, (rows, outputs))
    before = differences(transfer_matrix(siemens, wire), outputs)
    for i, p in ((0, 0), (rows - 1, outputs - 1), (rows // 2, outputs // 3)):
        total = 1e-3 * TOTAL
        changed = siemens.copy()
        changed[i, 2 * p : 2 * p + 2] += total / 2
        change = differences(transfer_matrix(changed, wire), outputs) - before
        expected = np.zeros_like(change)
        expected[i] -= wanted[i] * coupling.row_ohms[p] * total
        expected[:rows, p] -= wanted[:, p] * coupling.column_ohms[i] * total
        others = np.ones(change.shape, dtype=bool)
        others[rows:], others[i, p] = False, False
        np.testing.assert_allclose(
            change[others], expected[others], atol=0.05 * np.abs(expected).max()
        )


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_moves_lessen_the_sum_of_squares_by_what_they_say(rows, outputs, seed):
    random = np.random.default_rng(seed)
    error, wanted = random.standard_normal((2, rows, outputs))
    done = (random.random(error.shape) < 0.7).astype(float)
    row_ohms, column_ohms = random.random((outputs, outputs)), random.random((rows, rows))
    count = 5
    at = random.integers(0, rows, count), random.integers(0, outputs, count)
    step, total, variance = random.standard_normal((3, count)) * [[1.0], [0.3], [0.3]]

    expected, counted, made = error.copy(), done.copy(), np.zeros(count, dtype=bool)
    for move, (i, p) in enumerate(zip(*at, strict=True)):
        trial = expected.copy()
        trial[i] -= wanted[i] * row_ohms[p] * total[move]
        trial[:, p] -= wanted[:, p] * column_ohms[i] * total[move]
        trial[i, p] = expected[i, p] + step[move]
        trial[i, p] -= wanted[i, p] * (row_ohms[p, p] + column_ohms[i, i]) * total[move]
        counted[i, p] = 1
        before, after = (float((counted * squares**2).sum()) for squares in (expected, trial))
        made[move] = before - after > variance[move]
        expected = trial if made[move] else expected
        counted[i, p] = abs(expected[i, p]) <= 2.0

    answered = make_moves(
        error, done, wanted, row_ohms, column_ohms, 2.0, at, step, total, variance
    )
    np.testing.assert_array_equal(answered, made)
    np.testing.assert_allclose(error, expected, atol=1e-12)
    np.testing.assert_array_equal(done, counted)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 10),
    st.integers(1, 6),
    st.integers(2, 10),
    st.sampled_from([Wire(0, 0, 0, 0), BOARD, STRONG]),
    st.integers(0, 2**32 - 1),
)
def test_it_is_never_worse_than_it_began(rows, outputs, branches, wire, seed):
    estimate, wanted, chosen, counts = job(seed, rows, outputs, wire, branches)
    after = descend(estimate, wanted, chosen, counts)
    before = evaluated(estimate, wanted, chosen)
    assert after.expected_rms(counts) <= before.expected_rms(counts)
    again = evaluated(estimate, wanted, after.chosen)
    np.testing.assert_array_equal(again.error_siemens, after.error_siemens)


@pytest.mark.parametrize(
    ("rows", "outputs", "wire", "least_bits", "beyond_peer"),
    [(64, 16, BOARD, 17, 3), (32, 16, STRONG, 14.4, 4)],
)
def test_it_goes_far_beyond_moving_targets(rows, outputs, wire, least_bits, beyond_peer):
    estimate, wanted, chosen, counts = job(2, rows, outputs, wire)
    after = descend(estimate, wanted, chosen, counts)
    reached = bits(after.error_siemens, wanted)
    peer = bits(np.array(moved_targets(estimate, wanted, chosen, 20)), wanted)
    assert reached > least_bits
    assert reached > peer + beyond_peer


def test_predicted_error_is_that_of_the_network():
    estimate, wanted, chosen, counts = job(3, 20, 10, STRONG)
    after = descend(estimate, wanted, chosen, counts)
    pattern = after.chosen.reshape(20, 10, 2, 10).reshape(20, 20, 10)
    siemens = (pattern * estimate.branches.branch_siemens).sum(axis=2)
    network = differences(transfer_matrix(siemens, STRONG), 10)
    np.testing.assert_allclose(after.error_siemens, network - wanted, atol=1e-18)
    assert (after.variance > 0).all()
    variance = predict(estimate, pattern).variance
    np.testing.assert_allclose(after.variance, variance[:, 0::2] + variance[:, 1::2])


def test_an_uncertain_branch_is_left_alone():
    estimate, wanted, chosen, counts = job(4, 12, 6, BOARD)
    covariance = estimate.covariance.copy()
    covariance[:, :, 3, 3] += 1e-9**2  # one branch of ten
    doubtful = replace(estimate, covariance=covariance)
    after = descend(doubtful, wanted, chosen, counts)
    careless = descend(estimate, wanted, chosen, counts)
    closed = [result.chosen.reshape(-1, 2, 10)[:, :, 2].mean() for result in (after, careless)]
    assert closed[0] < closed[1]
    unaware = evaluated(doubtful, wanted, careless.chosen)
    assert after.expected_rms(counts) < unaware.expected_rms(counts)


def test_a_pair_that_cannot_be_helped_costs_the_others_nothing():
    estimate, wanted, chosen, counts = job(5, 24, 12, STRONG)
    alone = descend(estimate, wanted, chosen, counts)
    hopeless = wanted.copy()
    hopeless[7, 5] = 10 * SCALE
    others = counts.copy()
    others[7, 5] = False
    after = descend(estimate, hopeless, chosen, others)
    left = after.error_siemens[others]
    assert bits(left, wanted[others]) > bits(alone.error_siemens[others], wanted[others]) - 0.4
    cell = 7 * 12 + 5
    np.testing.assert_array_equal(after.chosen[cell], chosen[cell])


def test_nothing_to_do():
    estimate, wanted, chosen, counts = job(6, 3, 2, BOARD)
    untouched = descend(estimate, wanted, chosen, ~counts)
    np.testing.assert_array_equal(untouched.chosen, chosen)
    assert untouched.expected_rms(~counts) == 0
