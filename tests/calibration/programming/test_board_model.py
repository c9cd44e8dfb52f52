"""What measurements add to the belief about a board is what statistics says they add."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.branches.characterization import characterize
from calibration.programming.board_model import (
    absorb,
    first_estimate,
    observe,
    predict,
    sum_variance,
    sum_weights,
)
from calibration.programming.refinement import program
from calibration.programming.targets import choose_targets
from calibration.transfer.measure import TransferMeasurement, measure_transfer
from calibration.transfer.wires import without_wire_drop
from kirchhoff import Wire, transfer_matrix
from simulator.parts.converters import draw_dacs, draw_readers
from simulator.parts.resistors import draw_branches
from tests.support.branch_calibrations import calibration_of, drawn_siemens
from tests.support.simulated_boards import NO_GAIN, NO_NOISE, small, switched_on

VOLTS, RANGE = 15 / 16, 1e-3
WIRE = Wire(0.02, 0.02, 0.05, 0.05)
NOISE = 2e-11
TO_UNKNOWNS = np.eye(11)
TO_UNKNOWNS[1:, 0] = -1.0
"""From readings (open, each branch alone) to what is open and what each branch adds."""
OF_READINGS = np.diag([1 / 4, *np.full(10, 3 / 4)])
OF_ONE_AT_A_TIME = TO_UNKNOWNS @ OF_READINGS @ TO_UNKNOWNS.T
"""Covariance, over the variance of a branch."""


def made_up(seed, rows=12, columns=16, uncertainty=6e-12):
    """An estimate of a board that is exactly what it says, and a pattern that closes half of it.

    The open crosspoint was read three times as often as each of ten branches, all with one scatter.
    """
    random = np.random.default_rng(seed)
    calibration = replace(calibration_of(drawn_siemens(random, rows, columns)), range_amperes=RANGE)
    calibration = replace(
        calibration,
        uncertainty_siemens=np.full(calibration.status.shape, uncertainty),
        noise_covariance=np.broadcast_to(OF_ONE_AT_A_TIME, (rows, 11, 11)),
        noise_variance_siemens2=np.full(columns, uncertainty**2),
    )
    estimate = replace(first_estimate(calibration, WIRE), branches=calibration)
    pattern = random.random(calibration.status.shape) < 0.5
    pattern[:, :, 0] = True  # every crosspoint conducts
    return estimate, pattern


def seen(siemens, seed=0, noise=NOISE):
    """What is measured where the transfer matrix is (rows, columns)."""
    scatter = noise * np.random.default_rng(seed).standard_normal(siemens.shape)
    columns = siemens.shape[1]
    return TransferMeasurement(
        siemens + scatter, np.zeros(columns), np.full(columns, noise), volts=1.0
    )


def with_branches(estimate, branch_siemens):
    return replace(estimate, branches=replace(estimate.branches, branch_siemens=branch_siemens))


def true_matrix(estimate, pattern):
    crosspoints = estimate.branches.open_siemens + (pattern * estimate.branches.branch_siemens).sum(
        axis=2
    )
    return transfer_matrix(crosspoints, WIRE)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_observations_one_by_one_are_least_squares_of_all_together(unknowns, count, seed):
    random = np.random.default_rng(seed)
    root = random.standard_normal((unknowns, unknowns))
    prior = root @ root.T + np.eye(unknowns)
    h = random.integers(-2, 3, (count, unknowns)).astype(float)
    y = random.standard_normal(count)
    noise = random.uniform(0.1, 1.0, count)

    state, covariance = np.zeros(unknowns), prior
    for weights, seen_here, r in zip(h, y, noise, strict=True):
        surprise = np.array(seen_here - weights @ state)
        step, covariance = observe(covariance, weights, surprise, np.array(r))
        state = state + step

    expected = np.linalg.inv(np.linalg.inv(prior) + h.T @ (h / noise[:, None]))
    np.testing.assert_allclose(state, expected @ h.T @ (y / noise), atol=1e-9)
    np.testing.assert_allclose(covariance, expected, atol=1e-9)
    weights = random.integers(-1, 2, unknowns).astype(float)
    assert sum_variance(weights, covariance) == pytest.approx(
        weights @ expected @ weights, abs=1e-9
    )


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_sum_of_branches_is_as_uncertain_as_the_readings_it_came_from(seed):
    estimate, pattern = made_up(seed, rows=2, columns=2)
    # With n branches closed a crosspoint conducts Σ x q + (1 − n) q₀, q what was read.
    closed = pattern[0, 0].sum()
    expected = 6e-12**2 * (closed * 3 / 4 + (1 - closed) ** 2 / 4)
    stated = sum_variance(sum_weights(pattern[0, 0]), estimate.covariance[0, 0])
    assert stated == pytest.approx(expected)


def test_prediction_is_what_a_noiseless_board_shows():
    preset = small(NO_GAIN, NO_NOISE)
    board = switched_on(preset, 5)
    wire = Wire(**preset.wire.model_dump())
    estimate = first_estimate(characterize(board), wire)
    pattern = np.random.default_rng(5).random((8, 8, 10)) < 0.5
    board.apply(pattern)
    board.configure(range_amperes=RANGE)
    measured = measure_transfer(board, 8, 8, VOLTS)
    np.testing.assert_allclose(predict(estimate, pattern).siemens, measured.siemens, rtol=2e-7)


def test_slope_is_the_derivative_of_the_prediction():
    estimate, pattern = made_up(3)
    pattern[2, 3] = False  # a crosspoint that conducts nothing has a slope as well
    slope = predict(estimate, pattern).slope
    step = 1e-9
    for place in ((0, 0), (2, 3), (11, 15), (5, 8)):
        opened = estimate.branches.open_siemens.copy()
        opened[place] += step
        moved = replace(estimate, branches=replace(estimate.branches, open_siemens=opened))
        change = predict(moved, pattern).siemens - predict(estimate, pattern).siemens
        assert change[place] / step == pytest.approx(slope[place], rel=1e-3)


def test_a_measurement_corrects_what_it_measured_and_lessens_its_uncertainty():
    truth, pattern = made_up(1, rows=40, columns=60)
    estimate, _ = made_up(1, rows=40, columns=60, uncertainty=1e-10)
    off_by = np.linalg.cholesky(estimate.covariance[0, 0]) @ np.random.default_rng(
        2
    ).standard_normal((40, 60, 11, 1))
    off = replace(
        estimate.branches,
        branch_siemens=truth.branches.branch_siemens + off_by[:, :, 1:, 0],
        open_siemens=truth.branches.open_siemens + off_by[:, :, 0, 0],
    )
    estimate = replace(estimate, branches=off)
    wanted = true_matrix(truth, pattern)
    better = absorb(estimate, pattern, seen(wanted), RANGE)
    before, after = predict(estimate, pattern), predict(better, pattern)
    left = after.siemens - wanted
    assert np.abs(left).std() < 0.3 * np.abs(before.siemens - wanted).std()
    assert (after.variance < before.variance / 4).all()
    # what is left is what is said to be left
    assert np.sqrt((left**2 / after.variance).mean()) == pytest.approx(1, abs=0.05)
    assert (better.branches.uncertainty_siemens <= estimate.branches.uncertainty_siemens).all()


def test_temperature_and_gains_leave_the_branches_alone():
    estimate, pattern = made_up(4, rows=30, columns=40)
    random = np.random.default_rng(4)
    rows, columns = 1e-5 * random.standard_normal(30), 1e-3 * random.standard_normal(40)
    matrix = true_matrix(estimate, pattern) * (1 + rows)[:, None] * (1 + columns)
    known = absorb(estimate, pattern, seen(matrix, 1), range_amperes=3e-3)
    assert known.range_amperes == 3e-3
    warm = absorb(known, pattern, seen(matrix * (1 - 5e-5), 2), range_amperes=3e-3)
    moved = warm.branches.branch_siemens - estimate.branches.branch_siemens
    assert np.abs(moved).max() < 4 * 6e-12
    ratio = predict(warm, pattern).siemens / matrix - 1
    assert np.abs(ratio).max() < 4e-6


def test_a_switch_that_died_is_found_and_costs_its_neighbours_nothing():
    truth, pattern = made_up(6, rows=20, columns=30)
    pattern[7, 9, 0] = True
    dead = truth.branches.branch_siemens.copy()
    dead[7, 9, 0] = 0.0
    matrix = true_matrix(with_branches(truth, dead), pattern)
    better = absorb(truth, pattern, seen(matrix), RANGE)
    assert predict(better, pattern).siemens[7, 9] == pytest.approx(matrix[7, 9], rel=2e-5)
    moved = np.abs(better.branches.branch_siemens - truth.branches.branch_siemens)
    moved[7, 9] = 0.0
    assert moved.max() < 4 * 6e-12


def test_a_wild_reading_is_outvoted():
    pattern = np.random.default_rng(3).random((8, 8, 10)) < 0.5

    def moved_by_a_second_measurement(wild_amperes):
        board = switched_on(small(), 3)
        estimate = first_estimate(characterize(board), WIRE)
        board.apply(pattern)
        board.configure(range_amperes=RANGE)
        estimate = absorb(estimate, pattern, measure_transfer(board, 8, 8, VOLTS), RANGE)
        readings = board.column_currents

        def wild(volts):
            amperes = readings(volts)
            amperes[3, 2] += wild_amperes
            return amperes

        board.column_currents = wild
        after = absorb(estimate, pattern, measure_transfer(board, 8, 8, VOLTS), RANGE)
        moved = after.branches.branch_siemens - estimate.branches.branch_siemens
        return moved / estimate.branches.uncertainty_siemens

    tame, wild = moved_by_a_second_measurement(0.0), moved_by_a_second_measurement(1e-4)
    assert np.abs(wild[:, 2]).max() < 1e-3  # who is that uncertain has nothing to say
    assert (wild - tame)[:, [0, 1, 3, 4, 5, 6, 7]].std() < 0.3


def test_a_column_that_overloads_tells_nothing_of_itself():
    estimate, pattern = made_up(8)
    measured = seen(true_matrix(estimate, pattern))
    measured.siemens[:, 5] = np.nan
    measured.uncertainty_siemens[5] = np.nan
    better = absorb(estimate, pattern, measured, RANGE)
    same = better.branches.branch_siemens == estimate.branches.branch_siemens
    assert same[:, 5].all()
    assert not same[:, [4, 6]].all()
    assert np.isfinite(better.branches.branch_siemens).all()


def test_a_crosspoint_that_could_not_be_characterized_is_learned():
    truth, pattern = made_up(9, rows=20, columns=20)
    status = truth.branches.status.copy()
    status[4, 4] = 2
    pattern[4, 4] = False
    blind = replace(
        truth.branches, status=status, branch_siemens=truth.branches.branch_siemens.copy()
    )
    blind.branch_siemens[4, 4] = 0.0
    blind.uncertainty_siemens[4, 4] = 0.0
    estimate = replace(first_estimate(blind, WIRE), branches=blind)
    opened = truth.branches.open_siemens.copy()
    opened[4, 4] = 1 / 300
    conducting = replace(blind, open_siemens=opened)
    matrix = true_matrix(replace(estimate, branches=conducting), pattern)
    for repeat in range(3):
        estimate = absorb(estimate, pattern, seen(matrix, repeat), RANGE)
    assert estimate.branches.open_siemens[4, 4] == pytest.approx(1 / 300, rel=1e-3)


@cache
def programmed_board(seed):
    """A board of 64 × 16 weights on which nothing drifts, characterized, and programmed."""
    preset = small(shape={"rows": 64, "columns": 32})
    board = switched_on(preset, seed)
    calibration = characterize(board)
    weights = np.random.default_rng(seed).uniform(-1, 1, (64, 16))
    return preset, calibration, program(board, calibration, choose_targets(weights, calibration))


def errors(preset, seed, branches):
    """(rows, columns, branches): what branch values err by, gains of rows and columns apart."""
    drawn = draw_branches(preset, seed)
    gains = (1 + draw_dacs(preset.dac, 64, seed).gain_error)[:, None] * (
        1 + draw_readers(preset.tia, preset.adc, 32, seed).adc_gain_error
    )
    truth = (drawn.closed_siemens - drawn.open_siemens) * gains[:, :, None]
    weight = (truth / branches.uncertainty_siemens) ** 2
    left = branches.branch_siemens / truth - 1
    for _ in range(10):
        for axis in ((0, 2), (1, 2)):
            mean = (left * weight).sum(axis, keepdims=True) / weight.sum(axis, keepdims=True)
            left = left - mean
    return left * truth


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_programming_makes_the_calibration_better_and_it_stays_honest(seed):
    preset, calibration, programmed = programmed_board(seed)
    before = without_wire_drop(calibration, Wire(**preset.wire.model_dump()))
    after = programmed.estimate.branches
    was, is_now = errors(preset, seed, before), errors(preset, seed, after)
    assert after.uncertainty_siemens.mean() < 0.95 * before.uncertainty_siemens.mean()
    assert is_now.std() < 0.97 * was.std()
    covered = np.abs(is_now) < 1.96 * after.uncertainty_siemens
    assert 0.93 < covered.mean() < 0.97


def test_errors_that_did_not_scatter_are_found_out():
    preset, calibration, _ = programmed_board(1)
    relative = 2e-5
    off = 1 + relative * np.random.default_rng(2).standard_normal(calibration.status.shape)
    wrong = replace(calibration, branch_siemens=calibration.branch_siemens * off)
    board = switched_on(preset, 1)
    weights = np.random.default_rng(1).uniform(-1, 1, (64, 16))
    programmed = program(board, wrong, choose_targets(weights, wrong))
    after = programmed.estimate.branches
    stated = np.sqrt((after.uncertainty_siemens / after.branch_siemens) ** 2).mean()
    assert relative / 1.3 < stated < relative * 1.1
    left = errors(preset, 1, after)
    assert left.std() < 0.95 * (calibration.branch_siemens * (off - 1)).std()
    assert 0.92 < (np.abs(left) < 1.96 * after.uncertainty_siemens).mean() < 0.98
