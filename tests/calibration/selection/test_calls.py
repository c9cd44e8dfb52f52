"""Laws of the selection, checked against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.selection import Status, select, select_in_window
from tests.support.cells import KINDS, all_patterns, branches, reachable_targets

cases = st.tuples(st.sampled_from(KINDS), st.integers(1, 14), st.integers(0, 2**32 - 1))


@settings(deadline=None, max_examples=150)
@given(cases)
def test_no_usable_subset_is_nearer(case):
    kind, n, seed = case
    rng = np.random.default_rng(seed)
    branch = branches(kind, 9, n, rng)
    target = reachable_targets(branch, rng) * rng.choice([1.0, 1.0, 1.0, 5.0, -5.0], 9)
    usable = rng.random((9, n)) < 0.8
    result = select(branch, target, usable=usable)

    assert not (result.pattern & ~usable).any()
    sums = (branch * usable) @ all_patterns(n).T.astype(float)
    nearest = np.abs(sums - target[:, None]).min(axis=1)
    scale = np.abs(branch).sum(axis=1)
    assert (np.abs(result.residual_siemens) <= nearest + 1e-15 * n * scale).all()
    exact = (branch * result.pattern).sum(axis=1)
    np.testing.assert_allclose(result.achieved_siemens, exact, rtol=0, atol=1e-15 * n * scale.max())
    np.testing.assert_array_equal(result.residual_siemens, result.achieved_siemens - target)


@settings(deadline=None, max_examples=150)
@given(cases, st.sampled_from([0.0, 1e-4, 1e-2, 0.3]))
def test_window_holds_and_no_second_sum_in_it_is_nearer(case, share):
    kind, n, seed = case
    rng = np.random.default_rng(seed)
    branch = branches(kind, 5, n, rng)
    second = np.abs(branch)
    target = reachable_targets(branch, rng)
    second_target = reachable_targets(second, rng)
    usable = rng.random((5, n)) < 0.9
    scale = np.abs(branch).sum(axis=1)
    window = share * scale
    result = select_in_window(branch, target, second, second_target, window, usable=usable)

    assert not (result.pattern & ~usable).any()
    subsets = all_patterns(n).astype(float)
    distance = np.abs((branch * usable) @ subsets.T - target[:, None])
    second_distance = np.abs((second * usable) @ subsets.T - second_target[:, None])
    got_second = np.abs((second * result.pattern).sum(axis=1) - second_target)
    rounding = 1e-15 * n * scale
    for c in range(5):
        inside = distance[c] <= window[c] - rounding[c]
        if inside.any():
            assert abs(result.residual_siemens[c]) <= window[c] + rounding[c]
            assert got_second[c] <= second_distance[c][inside].min() + rounding[c]
        elif not (distance[c] <= window[c] + rounding[c]).any():
            assert abs(result.residual_siemens[c]) <= distance[c].min() + rounding[c]


def test_status_tells_range_and_missing_branches():
    branch = np.tile([1e-5, -2e-5, 3e-5], (5, 1))
    usable = np.array([[True] * 3] * 3 + [[False] * 3] + [[True, False, False]])
    target = np.array([2e-5, 5e-5, -3e-5, 1e-5, 1e-5])
    result = select(branch, target, usable=usable)
    assert [Status(s) for s in result.status] == [
        Status.OK,
        Status.OUT_OF_RANGE,
        Status.OUT_OF_RANGE,
        Status.NO_USABLE_BRANCH,
        Status.OK,
    ]
    np.testing.assert_allclose(result.achieved_siemens, [2e-5, 4e-5, -2e-5, 0.0, 1e-5], rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((np.ones(3), np.ones(1)), "branch_siemens"),
        ((np.ones((1, 0)), np.ones(1)), "branch_siemens"),
        ((np.ones((1, 65)), np.ones(1)), "branch_siemens"),
        ((np.array([[np.nan, 1.0]]), np.ones(1)), "branch_siemens"),
        ((np.full((1, 2), 1e308), np.ones(1)), "branch_siemens"),
        ((np.ones((1, 2), complex), np.ones(1)), "branch_siemens"),
        ((np.array([["a", "b"]]), np.ones(1)), "branch_siemens"),
        ((np.ones((2, 3)), np.ones(3)), "target_siemens"),
        ((np.ones((1, 3)), np.array([np.inf])), "target_siemens"),
        ((np.ones((1, 3)), np.array([True])), "target_siemens"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        select(*arguments)


@pytest.mark.parametrize("usable", [np.ones((1, 3)), np.ones((2, 3), bool), np.ones(3, bool)])
def test_bad_usable_is_refused(usable):
    with pytest.raises(ValueError, match="usable"):
        select(np.ones((1, 3)), np.ones(1), usable=usable)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("second_siemens", np.ones((1, 2))),
        ("second_target_siemens", np.ones(2)),
        ("window_siemens", -1.0),
        ("window_siemens", np.nan),
        ("window_siemens", np.ones(2)),
    ],
)
def test_bad_second_criterion_is_refused_by_name(name, value):
    arguments = {
        "second_siemens": np.ones((1, 3)),
        "second_target_siemens": np.ones(1),
        "window_siemens": 0.1,
    }
    with pytest.raises(ValueError, match=name):
        select_in_window(np.ones((1, 3)), np.ones(1), **(arguments | {name: value}))
