"""The scale: as large as keeps every healthy weight within half of its pair's reach."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from calibration.errors import MatrixError
from calibration.programming.targets import check_matrix, choose_targets
from tests.support.branch_calibrations import calibration_of, drawn_siemens

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 6)


def reach_of(weights, calibration):
    """(rows, outputs): the furthest each pair gets in the direction of its weight."""
    rows, outputs = weights.shape
    sums = (calibration.branch_siemens * calibration.usable).sum(axis=2)
    reach = np.empty(weights.shape)
    for row in range(rows):
        for output in range(outputs):
            plus, minus = 2 * output, 2 * output + 1
            if weights[row, output] <= 0:
                plus, minus = minus, plus
            opened = calibration.open_siemens[row]
            reach[row, output] = sums[row, plus] + opened[plus] - opened[minus]
    return reach


@st.composite
def boards(draw):
    """Weights, and a calibration of a board that may be larger and has dead and stuck branches."""
    random = np.random.default_rng(draw(seeds))
    rows, outputs = draw(sides), draw(sides)
    size = rows + draw(st.integers(0, 2)), 2 * (outputs + draw(st.integers(0, 2)))
    usable = random.random((*size, 10)) < draw(st.sampled_from([1.0, 0.9, 0.5]))
    stuck = np.where(random.random(size) < 0.1, random.uniform(0, 3e-5, size), 1e-10)
    weights = random.uniform(-1, 1, (rows, outputs)) * 10.0 ** draw(st.integers(-50, 50))
    weights[random.random(weights.shape) < 0.2] = 0
    assume(weights.any())
    return weights, calibration_of(drawn_siemens(random, *size), usable, stuck)


@settings(deadline=None, max_examples=200)
@given(boards())
def test_healthy_weights_lie_within_half_of_their_reach_and_one_at_the_half(case):
    weights, calibration = case
    reach = reach_of(weights, calibration)
    healthy = (weights != 0) & (reach > max(np.median(reach) / 2, 0))
    assume(healthy.any())
    targets = choose_targets(weights, calibration)
    fraction = np.abs(targets.difference_siemens[healthy]) / reach[healthy]
    assert fraction.max() == pytest.approx(0.5, rel=1e-12)


@settings(deadline=None, max_examples=100)
@given(boards())
def test_differences_are_the_weights_times_the_scale(case):
    weights, calibration = case
    try:
        targets = choose_targets(weights, calibration)
    except MatrixError:
        assume(False)
    assert (targets.scale_siemens > 0).all()
    assert np.isfinite(targets.scale_siemens).all()
    np.testing.assert_array_equal(targets.difference_siemens, weights * targets.scale_siemens)


@settings(deadline=None, max_examples=50)
@given(boards(), st.integers(-20, 20))
def test_a_matrix_in_other_units_is_the_same_matrix(case, power):
    weights, calibration = case
    try:
        targets = choose_targets(weights, calibration)
    except MatrixError:
        assume(False)
    others = choose_targets(weights * 2.0**power, calibration)
    np.testing.assert_allclose(
        others.difference_siemens, targets.difference_siemens, rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("lost", [5, 10])
def test_crosspoint_that_lost_its_large_branches_costs_the_others_nothing(lost):
    branch = drawn_siemens(np.random.default_rng(1), 4, 8)
    weights = np.ones((4, 4))
    reach = branch[:, 0::2].sum(axis=2)
    weakest = np.unravel_index(reach.argmin(), reach.shape)
    victim = next(cell for cell in np.ndindex(4, 4) if cell != weakest)
    whole = choose_targets(weights, calibration_of(branch))
    usable = np.ones(branch.shape, dtype=bool)
    usable[victim[0], 2 * victim[1], :lost] = False
    with_victim = choose_targets(weights, calibration_of(branch, usable))
    np.testing.assert_array_equal(with_victim.scale_siemens, whole.scale_siemens)
    usable[weakest[0], 2 * weakest[1], :2] = False  # and 40 % weaker counts, in its output alone
    weaker = choose_targets(weights, calibration_of(branch, usable)).scale_siemens
    np.testing.assert_array_equal(weaker < 0.8 * whole.scale_siemens, np.arange(4) == weakest[1])


def test_an_output_of_small_weights_uses_its_conductances_as_one_of_large_weights():
    branch = drawn_siemens(np.random.default_rng(1), 6, 8)
    weights = np.random.default_rng(2).uniform(-1, 1, (6, 4))
    same = choose_targets(weights, calibration_of(branch))
    smaller = choose_targets(weights * np.logspace(0, -90, 4), calibration_of(branch))
    np.testing.assert_allclose(smaller.difference_siemens, same.difference_siemens)


def test_one_huge_weight_is_a_matter_of_its_own_output():
    branch = drawn_siemens(np.random.default_rng(1), 6, 8)
    weights = np.random.default_rng(2).uniform(-1, 1, (6, 4))
    usual = choose_targets(weights, calibration_of(branch)).scale_siemens
    weights[2, 1] = 1e6
    with_huge = choose_targets(weights, calibration_of(branch)).scale_siemens
    np.testing.assert_array_equal(np.delete(with_huge, 1), np.delete(usual, 1))
    assert with_huge[1] < 1e-5 * usual[1]


def test_an_output_that_asks_for_nothing_has_a_scale_like_the_others():
    branch = drawn_siemens(np.random.default_rng(1), 6, 8)
    weights = np.random.default_rng(2).uniform(-1, 1, (6, 4))
    weights[:, 2] = 0.0
    targets = choose_targets(weights, calibration_of(branch))
    others = np.delete(targets.scale_siemens, 2)
    assert others.min() <= targets.scale_siemens[2] <= others.max()
    assert not targets.difference_siemens[:, 2].any()


def test_an_output_of_weak_pairs_alone_is_scaled_by_these():
    branch = drawn_siemens(np.random.default_rng(1), 6, 8)
    usable = np.ones(branch.shape, dtype=bool)
    usable[:, 2:4, :7] = False
    targets = choose_targets(np.ones((6, 4)), calibration_of(branch, usable))
    reach = np.where(usable, branch, 0.0)[:, 2].sum(axis=1)
    assert targets.scale_siemens[1] == pytest.approx(reach.min() / 2)


def test_dead_branches_of_one_output_cost_no_other():
    branch = drawn_siemens(np.random.default_rng(1), 6, 8)
    usable = np.ones(branch.shape, dtype=bool)
    usable[:, 2:4] = False
    whole = choose_targets(np.ones((6, 4)), calibration_of(branch)).scale_siemens
    left = choose_targets(np.ones((6, 4)), calibration_of(branch, usable)).scale_siemens
    np.testing.assert_array_equal(np.delete(left, 1), np.delete(whole, 1))
    assert np.isfinite(left).all()


def test_dead_side_is_no_matter_to_a_weight_of_the_other_sign():
    branch = drawn_siemens(np.random.default_rng(1), 2, 4)
    usable = np.ones(branch.shape, dtype=bool)
    usable[0, 0] = False
    weights = np.array([[-1.0, 0.1], [0.1, 0.1]])
    targets = choose_targets(weights, calibration_of(branch, usable))
    assert targets.scale_siemens[0] == pytest.approx(branch[0, 1].sum() / 2)


def test_only_the_part_in_use_counts():
    branch = drawn_siemens(np.random.default_rng(1), 6, 8)
    weights = np.random.default_rng(2).uniform(-1, 1, (3, 2))
    whole = choose_targets(weights, calibration_of(branch))
    usable = np.zeros(branch.shape, dtype=bool)
    usable[:3, :4] = True
    part = choose_targets(weights, calibration_of(branch, usable))
    np.testing.assert_array_equal(part.scale_siemens, whole.scale_siemens)
    assert part.total_siemens == whole.total_siemens


def test_total_is_half_of_what_a_pair_has():
    branch = drawn_siemens(np.random.default_rng(1), 8, 8)
    targets = choose_targets(np.ones((8, 4)), calibration_of(branch))
    pairs = branch[:, 0::2].sum(axis=2) + branch[:, 1::2].sum(axis=2)
    assert targets.total_siemens == pytest.approx(np.median(pairs) / 2)


def test_nothing_works():
    branch = drawn_siemens(np.random.default_rng(1), 2, 4)
    leaky = np.array([[1e-10, 2e-10, 2e-10, 1e-10]] * 2)
    calibration = calibration_of(branch, np.zeros(branch.shape, dtype=bool), leaky)
    for weights in (np.ones((2, 2)), -np.ones((2, 2))):
        with pytest.raises(MatrixError, match="no crosspoint"):
            choose_targets(weights, calibration)


@pytest.mark.parametrize(
    ("matrix", "complaint"),
    [
        ([[1.0, np.nan]], "row 1, output 2 is nan"),
        ([[1.0, 2.0], [np.inf, 0.0]], "row 2, output 1 is inf"),
        ([1.0, 2.0], "2 dimensions"),
        (np.ones((2, 2, 2)), "2 dimensions"),
        (3.0, "2 dimensions"),
        (np.ones((0, 3)), "0 × 3 is empty"),
        (np.ones((3, 0)), "3 × 0 is empty"),
        (np.zeros((3, 3)), "all weights are zero"),
        ([[1j, 2.0]], "real numbers, not complex128"),
        ([["1", "2"]], "real numbers"),
        ([[None, 2.0]], "real numbers, not NoneType"),
        (np.array([["2026-01-01"]], dtype="datetime64[D]"), "real numbers"),
        ([[1.0], [1.0, 2.0]], "regular array"),
        (np.full((2, 2), 1e-300), "too far from 1"),
        (np.full((2, 2), -1e300), "too far from 1"),
        (np.full((2, 2), 5e-324), "too far from 1"),
    ],
)
def test_what_is_no_matrix(matrix, complaint):
    with pytest.raises(MatrixError, match=complaint):
        check_matrix(matrix)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i8", "u8", "?", ">f8"])
def test_all_kinds_of_real_numbers(dtype):
    matrix = check_matrix(np.array([[0, 1], [1, 1]], dtype))
    assert matrix.dtype == np.float64
    assert matrix.tolist() == [[0, 1], [1, 1]]


def test_small_weights_beside_a_large_one():
    weights = check_matrix([[1.0, 1e-300], [5e-324, 0.0]])
    branch = drawn_siemens(np.random.default_rng(1), 2, 4)
    targets = choose_targets(weights, calibration_of(branch))
    assert targets.scale_siemens == pytest.approx(2 * [branch[0, 0].sum() / 2])
