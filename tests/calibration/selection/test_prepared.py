"""Re-selection: the same as a fresh selection, whatever was kept."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.selection import prepare, select, select_prepared
from tests.support.cells import KINDS, assert_same, branches, pairs, reachable_targets


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(KINDS), st.integers(1, 14), st.integers(0, 2**32 - 1))
def test_new_targets_get_the_patterns_of_a_fresh_selection(kind, n, seed):
    rng = np.random.default_rng(seed)
    branch = branches(kind, 20, n, rng)
    usable = rng.random((20, n)) < rng.choice([0.5, 0.9, 1.0])
    prepared = prepare(branch, usable=usable)
    for _ in range(2):
        target = reachable_targets(branch, rng) * rng.choice([1.0, 1.0, 1.0, 5.0, -5.0], 20)
        assert_same(select_prepared(prepared, target), select(branch, target, usable=usable))


@pytest.mark.parametrize("n", [20, 22, 23, 24, 27, 29])
def test_many_branches_get_the_patterns_of_a_fresh_selection(n):
    branch, _, target, usable = pairs(40, n - n % 2, n)
    if n % 2:
        branch, usable = np.c_[branch, 2e-6 * np.ones(40)], np.c_[usable, np.ones(40, bool)]
    count = 40 if n < 26 else 17
    branch, target, usable = branch[:count], target[:count], usable[:count]
    prepared = prepare(branch, usable=usable)
    assert_same(select_prepared(prepared, target), select(branch, target, usable=usable))


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_the_result(monkeypatch, threads):
    branch, _, target, usable = pairs(1003, 16, 2)
    branch[::5] = np.where(branch[::5] > 0.0, 1e-5, -1e-5)  # equal resistors: many equal sums
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    fresh = select(branch, target, usable=usable)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    assert_same(select_prepared(prepare(branch, usable=usable), target), fresh)


def test_prepared_cells_do_not_follow_the_callers_arrays():
    branch, _, target, usable = pairs(20, 12, 3)
    fresh = select(branch, target, usable=usable)
    prepared = prepare(branch, usable=usable)
    branch *= -1.0
    usable[:] = False
    assert_same(select_prepared(prepared, target), fresh)


def test_no_cells_give_an_empty_selection():
    result = select_prepared(prepare(np.empty((0, 5))), np.empty(0))
    assert result.pattern.shape == (0, 5)


def test_memory_is_what_the_docstring_says():
    for n, entry_bytes in ((19, 6), (20, 6), (24, 10)):
        halves = prepare(np.ones((160, n))).halves
        per_cell = sum(array.nbytes for array in halves) / 160
        assert per_cell == pytest.approx(entry_bytes * 2 ** ((n + 1) // 2), rel=0.01)


def test_too_many_branches_are_refused_with_the_memory_they_would_take():
    with pytest.raises(ValueError, match=r"31 branches.* 10485760 bytes"):
        prepare(np.ones((16, 31)))


@pytest.mark.parametrize(
    "target", [np.ones(3), np.ones((2, 1)), np.array([np.nan, 1.0]), np.array([True, False])]
)
def test_bad_targets_are_refused_by_name(target):
    prepared = prepare(np.ones((2, 3)))
    with pytest.raises(ValueError, match="target_siemens"):
        select_prepared(prepared, target)


@pytest.mark.parametrize("branch", [np.ones(3), np.array([[np.inf, 1.0]]), np.ones((1, 0))])
def test_bad_branches_are_refused_by_name(branch):
    with pytest.raises(ValueError, match="branch_siemens"):
        prepare(branch)
