"""The search itself: many branches, against plain integers; the same in any number of threads."""

from bisect import bisect_left

import numba
import numpy as np
import pytest

from calibration.selection import Status, select, select_in_window
from tests.support.cells import assert_same, pairs


def nearest_distance(branch, target):
    """|sum − target| of the nearest subset: big integers, the sums of two halves, bisection."""
    integers = [int(g * 2.0**100) for g in branch]
    wanted = int(target * 2.0**100)
    half = len(integers) // 2
    sums = []
    for part in (integers[:half], integers[half:]):
        reached = [0]
        for g in part:
            reached += [s + g for s in reached]
        sums.append(sorted(reached))
    first, second = sums
    best = min(abs(wanted - s) for s in first)
    for a in first:
        at = bisect_left(second, wanted - a)
        best = min([best] + [abs(a + b - wanted) for b in second[max(at - 1, 0) : at + 1]])
    return best * 2.0**-100


@pytest.mark.parametrize("n", [17, 20, 24, 28])
@pytest.mark.parametrize("signed", [False, True])
def test_nearest_among_many_branches_agrees_with_integers(n, signed):
    rng = np.random.default_rng(n)
    branch = 1e-5 * 10 ** rng.uniform(-1, 0, (3, n))
    if signed:
        branch *= rng.choice([-1, 1], branch.shape)
    target = (branch * rng.random(branch.shape)).sum(axis=1)
    result = select(branch, target)
    for c in range(3):
        rounding = n * 2.0**-53 * np.abs(branch[c]).sum()
        assert abs(result.residual_siemens[c]) <= nearest_distance(branch[c], target[c]) + rounding


@pytest.mark.parametrize("n", [30, 31, 34])
def test_planted_sums_are_found_among_many_branches(n):
    """Integers of 45 bits: few subsets share a sum, so a hit is no accident."""
    rng = np.random.default_rng(n)
    branch = rng.integers(-(2**45), 2**45, (2, n)).astype(float)
    target = (branch * (rng.random((2, n)) < 0.5)).sum(axis=1)
    result = select(branch, target)
    np.testing.assert_array_equal(result.achieved_siemens, target)
    np.testing.assert_array_equal((branch * result.pattern).sum(axis=1), target)


def test_a_window_holds_the_total_of_a_pair():
    """Small moves of the target keep G+ + G-, which the nearest sum alone deals anew."""
    signed, total, target, usable = pairs(200, 20, 1)
    usable[:] = True
    full_scale = total.sum(axis=1)
    held = 0.5 * full_scale
    window = 2.0**-11 * full_scale
    result = select_in_window(signed, target, total, held, window)
    nearest = select(signed, target)
    assert (np.abs(result.residual_siemens) <= window).all()

    def deviation(pattern):
        return np.abs((total * pattern).sum(axis=1) - held) / full_scale

    assert np.median(deviation(result.pattern)) < 1e-3
    assert np.median(deviation(nearest.pattern)) > 1e-2


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_the_result(monkeypatch, threads):
    signed, total, target, usable = pairs(1003, 20, 2)
    signed[::5] = np.where(signed[::5] > 0, 1e-5, -1e-5)  # equal resistors: many equal sums
    window = 2.0**-16 * total.sum(axis=1)

    def both():
        one = select(signed, target, usable=usable)
        two = select_in_window(
            signed[:200], target[:200], total[:200], target[:200], window[:200], usable=usable[:200]
        )
        return one, two

    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    alone = both()
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    for serial, threaded in zip(alone, both(), strict=True):
        assert_same(serial, threaded)


def test_a_cell_is_selected_alike_alone_and_in_company():
    signed, _, target, usable = pairs(21, 12, 3)
    together = select(signed, target, usable=usable)
    for c in range(21):
        alone = select(signed[c : c + 1], target[c : c + 1], usable=usable[c : c + 1])
        np.testing.assert_array_equal(alone.pattern[0], together.pattern[c])


def test_no_cells_give_an_empty_selection():
    result = select(np.empty((0, 5)), np.empty(0))
    assert result.pattern.shape == (0, 5)
    assert result.achieved_siemens.shape == result.status.shape == (0,)


def test_views_and_integers_are_taken_as_they_are():
    branch = np.arange(1, 9).reshape(4, 2).T  # not contiguous, int64
    result = select(branch, [8, 10])
    np.testing.assert_array_equal(result.achieved_siemens, [8.0, 10.0])
    assert not branch.flags.c_contiguous


@pytest.mark.parametrize("second", [0.0, 3e-5, 9e-5])
def test_a_window_beyond_the_range_still_selects_by_the_second_sum(second):
    """The target lies above every sum, but the window reaches back into the range."""
    branch = np.full((1, 4), 1e-5)
    weights = np.array([[1e-5, 2e-5, 3e-5, 4e-5]])
    result = select_in_window(branch, [4.5e-5], weights, [second], 1.6e-5)
    reached = (weights * result.pattern).sum()
    possible = np.array([6e-5, 7e-5, 8e-5, 9e-5, 10e-5])  # three or four switched on
    assert abs(reached - second) == pytest.approx(np.abs(possible - second).min(), abs=1e-18)
    assert result.status[0] == Status.OUT_OF_RANGE


def test_without_usable_branches_the_window_gives_the_empty_pattern():
    result = select_in_window(
        np.ones((1, 3)), [0.0], np.ones((1, 3)), [1.0], 0.5, usable=np.zeros((1, 3), bool)
    )
    assert not result.pattern.any()
    assert result.status[0] == Status.NO_USABLE_BRANCH
