"""The scale: the one of least predicted error, and the prediction is near what comes of it."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.programming.board_model import first_estimate
from calibration.programming.pairs import pair_banks
from calibration.programming.pattern_search import choose, descend
from calibration.programming.scale import FACTORS, best_scale, predicted_error, scaled
from calibration.programming.targets import choose_targets
from kirchhoff import Wire
from tests.support.branch_calibrations import calibration_of, drawn_siemens

BOARD = Wire(0.02, 0.02, 0.05, 0.05)
EVERY_NOISE = [0.0, 1e-11, 1e-10, 1e-9, 1e-8]


def job(seed, rows=20, outputs=10, wire=BOARD, weights=None):
    """An estimate, the targets to begin with, and that every pair counts."""
    random = np.random.default_rng(seed)
    calibration = calibration_of(drawn_siemens(random, rows, 2 * outputs))
    estimate = replace(first_estimate(calibration, wire), branches=calibration)
    if weights is None:
        weights = random.uniform(-1, 1, (rows, outputs))
    return estimate, choose_targets(weights, calibration), np.ones(weights.shape, dtype=bool)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", EVERY_NOISE)
def test_the_best_scale_is_the_one_of_least_predicted_error(seed, noise):
    estimate, start, counts = job(seed)
    best = best_scale(estimate, start, counts, noise)
    errors = np.array(
        [predicted_error(estimate, scaled(start, factor), counts, noise) for factor in FACTORS]
    )
    factor = best.scale_siemens / start.scale_siemens
    chosen = np.abs(np.subtract.outer(FACTORS, factor)).argmin(axis=0)
    np.testing.assert_allclose(np.array(FACTORS)[chosen], factor)
    reached = np.take_along_axis(errors, chosen[None], axis=0)[0]
    # by some bits, as its neighbours are judged with it, and most outputs have one in common
    assert (np.log2(reached / errors.min(axis=0)) < 0.5).all()
    assert np.log2(reached / errors.min(axis=0)).mean() < 0.2
    np.testing.assert_allclose(best.difference_siemens, factor * start.difference_siemens)
    assert best.total_siemens == start.total_siemens


def test_an_output_that_is_nearly_out_of_reach_holds_no_other_back():
    estimate, start, counts = job(4, 20, 10)
    free = best_scale(estimate, start, counts, 1e-8).scale_siemens
    start.difference_siemens[:, 3] *= 1.5
    start.scale_siemens[3] *= 1.5
    held = best_scale(estimate, start, counts, 1e-8).scale_siemens
    np.testing.assert_allclose(np.delete(held, 3), np.delete(free, 3))
    assert held[3] < 0.9 * 1.5 * free[3]


def test_an_output_that_asks_for_nothing_has_a_say_in_nothing():
    estimate, start, counts = job(4, 20, 10)
    start.difference_siemens[:, 3] = 0.0
    best = best_scale(estimate, start, counts, 1e-9)
    assert best.scale_siemens[3] == start.scale_siemens[3]
    assert (predicted_error(estimate, start, counts, 1e-9) > 0).tolist() == 3 * [True] + [
        False
    ] + 6 * [True]


def test_the_more_noise_the_larger_the_scale():
    estimate, start, counts = job(4)
    scales = [
        np.median(best_scale(estimate, start, counts, noise).scale_siemens) for noise in EVERY_NOISE
    ]
    assert scales == sorted(scales)
    assert scales[0] < scales[-1]


def test_noise_alone_is_the_noise_of_a_product():
    estimate, start, counts = job(5)
    noise = 1e-7  # of an element; selection is far below
    random = np.random.default_rng(5)
    inputs = random.uniform(-1, 1, (4000, 20))
    # 32 vectors and their negatives made an element out of readings 8 times as uncertain
    readings = 8 * noise * random.standard_normal((2, 4000, 10))
    exact = inputs @ start.difference_siemens
    matrix = noise * random.standard_normal((2, 20, 10))
    off = readings[0] - readings[1] + inputs @ (matrix[0] - matrix[1]) * np.sqrt(3)
    expected = np.linalg.norm(off, axis=0) / np.linalg.norm(exact, axis=0)
    stated = predicted_error(estimate, start, counts, noise)
    assert np.sqrt(((expected / stated) ** 2).mean()) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(
    ("rows", "outputs", "wire"),
    [(64, 16, BOARD), (32, 40, BOARD), (32, 16, Wire(0.2, 0.2, 0.5, 0.5))],
)
@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_what_selection_should_leave_is_about_what_it_leaves(rows, outputs, wire, factor):
    estimate, start, counts = job(6, rows, outputs, wire)
    targets = scaled(start, factor)
    wanted = targets.difference_siemens
    bank = pair_banks(estimate.branches, rows, outputs)
    chosen = choose(bank, wanted, start.total_siemens, 2.0**-11 * np.abs(wanted).max()).pattern
    left = descend(estimate, wanted, chosen, counts).error_siemens
    reached = np.sqrt((left**2).mean() / (wanted**2).mean())
    stated = np.sqrt((predicted_error(estimate, targets, counts, 0.0) ** 2).mean())
    assert 0.5 < reached / stated < 2


def test_weights_that_do_not_count_do_not_choose():
    estimate, start, counts = job(7)
    lonely = counts.copy()
    lonely[3, 3] = False
    extreme = start.difference_siemens.copy()
    extreme[3, 3] *= 1e3
    changed = replace(start, difference_siemens=extreme)
    for noise in EVERY_NOISE:
        best = best_scale(estimate, start, lonely, noise)
        again = best_scale(estimate, changed, lonely, noise)
        np.testing.assert_array_equal(again.scale_siemens, best.scale_siemens)


def test_nothing_that_counts():
    estimate, start, counts = job(8)
    assert not predicted_error(estimate, start, ~counts, 1e-10).any()
    assert (best_scale(estimate, start, ~counts, 1e-10).scale_siemens > 0).all()


def test_a_few_pairs_with_few_branches_hold_the_scale_down():
    """Three of a thousand, which a sample may miss: near the end of what they reach, subsets are
    thin.
    """
    estimate, start, counts = job(6, 50, 20)
    siemens = estimate.branches.branch_siemens.copy()
    for row, output in ((3, 2), (11, 7), (17, 4)):
        start.difference_siemens[row, output] = np.abs(start.difference_siemens).max()
        strongest = np.argsort(siemens[row, 2 * output])[-2:]
        siemens[row, 2 * output, strongest] = 0.0  # as if they were open
    weak = replace(estimate, branches=replace(estimate.branches, branch_siemens=siemens))
    noise = 1e-8
    free, held = (best_scale(one, start, counts, noise) for one in (estimate, weak))
    assert (held.scale_siemens[[2, 7, 4]] < free.scale_siemens[[2, 7, 4]]).all()
    reach = siemens[[3, 11, 17], [4, 14, 8]].sum(axis=1)
    assert (held.difference_siemens[[3, 11, 17], [2, 7, 4]] < 0.98 * reach).all()
