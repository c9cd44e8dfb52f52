"""Precision against the number of branches used."""

import numpy as np
import pytest

from calibration.programming.precision_by_branches import bits_against_branches
from calibration.programming.targets import choose_targets
from calibration.selection import select
from tests.support.branch_calibrations import calibration_of, drawn_siemens


@pytest.fixture(scope="module")
def case():
    random = np.random.default_rng(5)
    weights = random.uniform(-1, 1, (12, 6))
    return weights, calibration_of(drawn_siemens(random, 12, 12))


def test_every_branch_brings_about_a_bit(case):
    weights, calibration = case
    coverage = bits_against_branches([weights], calibration)
    np.testing.assert_array_equal(coverage.branches_per_weight, 2 * np.arange(1, 11))
    for bits in (coverage.median_bits, coverage.worst_bits):
        assert (np.diff(bits) > -1).all()  # a draw may be unlucky once
        slope = np.polyfit(coverage.branches_per_weight, bits, 1)[0]
        assert 0.6 < slope < 1.2
    assert (coverage.median_bits >= coverage.worst_bits).all()


def test_tiles_are_looked_at_together(case):
    weights, calibration = case
    tiles = weights[:6], weights[6:, :5]
    apart = [bits_against_branches([tile], calibration) for tile in tiles]
    together = bits_against_branches(tiles, calibration)
    worst = np.minimum(*(coverage.worst_bits for coverage in apart))
    np.testing.assert_array_equal(together.worst_bits, worst)
    low, high = np.sort([coverage.median_bits for coverage in apart], axis=0)
    assert ((low <= together.median_bits) & (together.median_bits <= high)).all()


def test_last_point_is_the_whole_board(case):
    weights, calibration = case
    coverage = bits_against_branches([weights], calibration)
    targets = choose_targets(weights, calibration)
    errors = np.empty(weights.shape)
    for row, output in np.ndindex(weights.shape):
        plus, minus = calibration.branch_siemens[row, 2 * output : 2 * output + 2]
        wanted = targets.difference_siemens[row, output]
        nearest = select(np.concatenate([plus, -minus])[None], [wanted])
        errors[row, output] = abs(nearest.residual_siemens[0])
    errors /= np.abs(targets.difference_siemens).max()
    assert coverage.median_bits[-1] == pytest.approx(-np.log2(np.median(errors)))
    assert coverage.worst_bits[-1] == pytest.approx(-np.log2(errors.max()))
    assert coverage.median_bits[-1] > 16


def test_first_point_is_one_branch_on_each_side():
    branch = np.zeros((1, 2, 3))
    branch[0] = [[4e-6, 2e-6, 1e-6], [4e-6, 2e-6, 1e-6]]
    coverage = bits_against_branches([np.array([[1.0]])], calibration_of(branch))
    assert coverage.branches_per_weight.tolist() == [2, 4, 6]
    # one branch: half of it is wanted, all or nothing is to be had
    assert coverage.worst_bits[0] == pytest.approx(0)
    assert coverage.median_bits[0] == pytest.approx(0)


def test_dead_branches_are_not_counted_on():
    random = np.random.default_rng(5)
    branch = drawn_siemens(random, 8, 8)
    usable = random.random(branch.shape) < 0.7
    weights = random.uniform(-1, 1, (8, 4))
    whole = bits_against_branches([weights], calibration_of(branch))
    lossy = bits_against_branches([weights], calibration_of(branch, usable))
    assert 2 < whole.median_bits[-1] - lossy.median_bits[-1] < 12
