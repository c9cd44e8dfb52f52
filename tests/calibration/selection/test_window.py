"""Two criteria: whatever the second sum is, and whichever kernel finds it."""

from dataclasses import replace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.selection import select, select_in_window
from calibration.selection.nearest.sums import Answer, Cells
from calibration.selection.preset_switches import TwoSums, preset_for_two_sums
from calibration.selection.window.abreast import search_abreast
from calibration.selection.window.one_by_one import SETTLED, SecondCriterion
from calibration.selection.window.pairs import nearest_total_abreast
from tests.support.cells import (
    KINDS,
    all_patterns,
    assert_same,
    branches,
    pairs,
    reachable_targets,
)

SECONDS = ("total", "unrelated", "the same", "one huge", "few", "none", "nearly none")


def second_weights(kind, branch, rng):
    unrelated = rng.uniform(-1.0, 1.0, branch.shape)
    huge = unrelated.copy()
    huge[:, 0] = 1e9
    return {
        "total": np.abs(branch),
        "unrelated": unrelated,
        "the same": branch.copy(),
        "one huge": huge,
        "few": rng.integers(-1, 2, branch.shape).astype(float),
        "none": np.zeros(branch.shape),
        "nearly none": unrelated * 1e-300,
    }[kind]


def assert_nearest_in_window(cells, second, second_target, window, result):
    """The law, by all sums (cells, subsets) of both criteria."""
    branch, target, usable = cells
    n = branch.shape[1]
    subsets = all_patterns(n).astype(float)
    assert not (result.pattern & ~usable).any()
    distance = np.abs((branch * usable) @ subsets.T - target[:, None])
    second_distance = np.abs((second * usable) @ subsets.T - second_target[:, None])
    got = np.abs((branch * result.pattern).sum(axis=1) - target)
    got_second = np.abs((second * result.pattern).sum(axis=1) - second_target)
    rounding = 1e-15 * n * np.abs(branch).sum(axis=1)
    second_rounding = 1e-15 * n * np.abs(second).sum(axis=1)
    for c in range(len(target)):
        inside = distance[c] <= window[c] - rounding[c]
        if inside.any():
            assert got[c] <= window[c] + rounding[c]
            assert got_second[c] <= second_distance[c][inside].min() + second_rounding[c]
        elif not (distance[c] <= window[c] + rounding[c]).any():
            assert got[c] <= distance[c].min() + rounding[c]


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(SECONDS),
    st.integers(1, 12),
    st.sampled_from([0.0, 1e-16, 1e-12, 1e-9, 1e-5, 1e-3, 0.1, 3.0]),
    st.integers(0, 2**32 - 1),
)
def test_no_second_sum_in_the_window_is_nearer(kind, second_kind, n, share, seed):
    rng = np.random.default_rng(seed)
    branch = branches(kind, 20, n, rng)
    second = second_weights(second_kind, branch, rng)
    target = reachable_targets(branch, rng) * rng.choice([1.0, 1.0, 1.0, 1.5, -1.0], 20)
    second_target = reachable_targets(second, rng) * rng.choice([1.0, 1.0, 5.0, -5.0], 20)
    usable = rng.random((20, n)) < rng.choice([0.5, 0.9, 1.0])
    window = share * np.abs(branch).sum(axis=1) * rng.uniform(0.5, 2.0, 20)
    result = select_in_window(branch, target, second, second_target, window, usable=usable)
    cells = Cells(branch, target, usable)
    assert_nearest_in_window(cells, second, second_target, window, result)


@pytest.mark.parametrize("second_kind", ["total", "unrelated"])
@pytest.mark.parametrize("bits", [3, 6, 9, 11, 14, 18, 24])
def test_no_second_sum_in_the_window_is_nearer_among_many_branches(second_kind, bits):
    branch, _, target, usable = pairs(6, 18, bits)
    rng = np.random.default_rng(bits)
    second = second_weights(second_kind, branch, rng)
    second_target = reachable_targets(second, rng)
    window = 2.0**-bits * np.abs(branch).sum(axis=1)
    result = select_in_window(branch, target, second, second_target, window, usable=usable)
    cells = Cells(branch, target, usable)
    assert_nearest_in_window(cells, second, second_target, window, result)


def test_a_cell_is_selected_alike_alone_and_in_company_and_in_threads(monkeypatch):
    branch, second, target, usable = pairs(403, 16, 5)
    rng = np.random.default_rng(5)
    for cells in (slice(0, None, 5), slice(200, 250)):  # equal resistors: many equal sums
        branch[cells] = np.where(branch[cells] > 0.0, 1e-5, -1e-5)
        second[cells] = 1e-5
    second[::3] = rng.uniform(-1e-5, 1e-5, second[::3].shape)
    second_target = reachable_targets(second, rng)
    window = 10.0 ** rng.uniform(-7, -2, 403) * np.abs(branch).sum(axis=1)

    def run(some):
        arguments = (branch, target, second, second_target, window)
        return select_in_window(*(a[some] for a in arguments), usable=usable[some])

    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    together = run(slice(None))
    for c in range(0, 403, 7):
        np.testing.assert_array_equal(run([c]).pattern[0], together.pattern[c])
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 3)
    assert_same(run(slice(None)), together)


def test_an_empty_window_gives_what_select_gives():
    branch, total, target, usable = pairs(100, 14, 6)
    second_target = 0.5 * total.sum(axis=1)
    nearest = select(branch, target, usable=usable)
    window = 0.999 * np.abs(nearest.residual_siemens)
    for second in (total, total[:, ::-1]):
        result = select_in_window(branch, target, second, second_target, window, usable=usable)
        assert_same(result, nearest)


@pytest.mark.parametrize("bits", [5, 9, 13])
@pytest.mark.parametrize("outward", [False, True])
def test_the_fast_search_leaves_little_to_the_slow_one(outward, bits):
    branch, total, target, usable = pairs(300, 16, 7)
    second = second_weights("unrelated", branch, np.random.default_rng(7))
    second_target = reachable_targets(second, np.random.default_rng(8))
    window = 2.0**-bits * total.sum(axis=1)
    answer = Answer(np.empty((300, 16), np.bool_), np.empty(300), np.empty(300, np.int8))
    outcome = np.empty(300, np.int64)
    if outward:
        cells = Cells(second, second_target, usable)
        criterion = SecondCriterion(branch, target, np.abs(second).sum(axis=1))
    else:
        cells = Cells(branch, target, usable)
        criterion = SecondCriterion(second, second_target, window)
    search_abreast(cells, criterion, outward, window, answer, outcome)
    assert np.mean(outcome == SETTLED) > 0.98


def test_the_search_over_totals_leaves_little_to_the_slow_one():
    branch, total, target, usable = pairs(300, 20, 7)
    full_scale = total.sum(axis=1)
    criterion = SecondCriterion(total, 0.5 * full_scale, 2.0**-13 * full_scale)
    answer = Answer(np.empty((300, 20), np.bool_), np.empty(300), np.empty(300, np.int8))
    outcome = np.empty(300, np.int64)
    nearest_total_abreast(Cells(branch, target, usable), criterion, answer, outcome)
    assert np.mean(outcome == SETTLED) > 0.98


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(SECONDS),
    st.integers(2, 10),
    st.integers(11, 16),
    st.integers(0, 2**32 - 1),
)
def test_of_more_branches_than_are_searched_no_setting_of_the_searched_is_nearer(
    kind, second_kind, most, n, seed
):
    rng = np.random.default_rng(seed)
    branch = branches(kind, 20, n, rng)
    second = second_weights(second_kind, branch, rng)
    target, second_target = reachable_targets(branch, rng), reachable_targets(second, rng)
    usable = rng.random((20, n)) < rng.choice([0.0, 0.5, 0.9, 1.0])
    window = 2.0 ** -rng.uniform(1, 30, 20) * np.abs(branch).sum(axis=1)
    result = select_in_window(
        branch, target, second, second_target, window, usable=usable, most_searched=most
    )
    two_sums = TwoSums(branch, second, target, second_target)
    searched, on = preset_for_two_sums(two_sums, usable, most)
    np.testing.assert_array_equal(searched.sum(axis=1), np.minimum(most, usable.sum(axis=1)))
    assert not (on & (searched | ~usable)).any()
    np.testing.assert_array_equal(result.pattern & ~searched, on)
    left = target - (on * branch).sum(axis=1)
    second_left = second_target - (on * second).sum(axis=1)
    searched_part = replace(result, pattern=result.pattern & searched)
    cells = Cells(branch, left, searched)
    # What is set beforehand is rounded with the rest: the edge of a window is that much less sharp.
    assert_nearest_in_window(cells, second, second_left, window, searched_part)


@pytest.mark.parametrize("branches_of_a_side", [15, 20, 24, 32])
def test_pairs_of_up_to_64_branches_meet_difference_and_total(branches_of_a_side):
    branch, total, target, usable = pairs(200, 2 * branches_of_a_side, 3)
    full_scale = (total * usable).sum(axis=1)
    wanted, window = 0.5 * full_scale, 2.0**-19 * full_scale
    result = select_in_window(
        branch, target, total, wanted, window, usable=usable, most_searched=24
    )
    within = np.abs(result.residual_siemens) <= window * (1 + 1e-9)
    off = np.abs((result.pattern * total).sum(axis=1) - wanted) / full_scale
    assert within.mean() > 0.98
    assert np.median(off) < 1e-3
    assert not (result.pattern & ~usable).any()


@pytest.mark.parametrize("most", [1, 41])
def test_so_many_cannot_be_searched(most):
    with pytest.raises(ValueError, match="most_searched"):
        select_in_window([[1.0]], [1.0], [[1.0]], [1.0], 0.1, most_searched=most)
