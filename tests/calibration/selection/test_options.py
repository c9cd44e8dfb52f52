"""Stuck switches, three-way switches, tolerances, and more branches than can all be searched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.selection import Status, select


def all_states(n, values):
    return np.stack(np.meshgrid(*[values] * n, indexing="ij"), axis=-1).reshape(-1, n).astype(float)


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 9),
    st.sampled_from([(0, 1), (-1, 0, 1)]),
    st.sampled_from(["uniform", "equal", "zeros", "one huge", "denormal"]),
    st.integers(0, 2**32 - 1),
)
def test_no_state_of_the_free_switches_is_nearer(n, values, kind, seed):
    rng = np.random.default_rng(seed)
    cells = 6
    branch = rng.uniform(-1, 1, (cells, n)) * 1e-5
    branch = {
        "uniform": branch,
        "equal": np.sign(branch) * 1e-5,
        "zeros": np.where(rng.random((cells, n)) < 0.5, 0.0, branch),
        "one huge": np.where(np.arange(n) == 0, 1.0, branch),
        "denormal": rng.integers(-1000, 1000, (cells, n)) * 5e-324,
    }[kind]
    target = (branch * rng.random((cells, n))).sum(axis=1) * rng.choice([1, 1, 5, -5], cells)
    usable, stuck = rng.random((cells, n)) < 0.8, rng.random((cells, n)) < 0.2
    result = select(branch, target, usable=usable, stuck_on=stuck, three_way=len(values) == 3)

    assert result.pattern.dtype == (np.int8 if len(values) == 3 else np.bool_)
    assert (result.pattern[stuck] == 1).all()
    assert not result.pattern[~usable & ~stuck].any()
    for c in range(cells):
        states = np.where(usable[c] & ~stuck[c], all_states(n, values), stuck[c])
        nearest = np.abs(states @ branch[c] - target[c]).min()
        rounding = 2e-15 * n * np.abs(branch[c]).sum()
        assert abs(result.residual_siemens[c]) <= nearest + rounding
        sums = states @ branch[c]
        beyond = target[c] > sums.max() + rounding or target[c] < sums.min() - rounding
        if not (usable[c] & ~stuck[c]).any():
            assert result.status[c] == Status.NO_USABLE_BRANCH
        elif beyond:
            assert result.status[c] == Status.OUT_OF_RANGE


@pytest.mark.parametrize("n", [16, 20])
def test_three_ways_are_worth_more_than_two(n):
    """3^n sums against 2^n, over twice the range: log2(3) − 1 bits more for each branch."""
    rng = np.random.default_rng(n)
    branch = 10 ** -rng.uniform(0, 1, (100, n))
    target = rng.uniform(0.4, 0.6, 100) * branch.sum(axis=1)
    two = np.median(np.abs(select(branch, target).residual_siemens))
    three = np.median(
        np.abs(select(branch, target - branch.sum(axis=1) / 2, three_way=True).residual_siemens)
    )
    gained = np.log2(two / three)
    assert gained == pytest.approx(n * (np.log2(3) - 1), abs=2.0)


@pytest.mark.parametrize("three_way", [False, True])
@pytest.mark.parametrize("bits", [4, 10, 16])
def test_a_tolerance_is_kept(bits, three_way):
    rng = np.random.default_rng(bits)
    branch = 10 ** -rng.uniform(0, 1, (300, 36)) * rng.choice([-1, 1], (300, 36))
    target = rng.uniform(-0.2, 0.2, 300) * np.abs(branch).sum(axis=1)
    tolerance = 2.0**-bits * np.abs(branch).sum(axis=1)
    result = select(branch, target, tolerance_siemens=tolerance, three_way=three_way)
    assert (np.abs(result.residual_siemens) <= tolerance).all()
    assert (result.status == Status.OK).all()


def test_the_work_with_a_tolerance_goes_by_the_bits_and_not_by_the_branches(monkeypatch):
    """The switches searched of 20, 30, 40 and 64 branches are the same number."""
    from calibration.selection import dispatch

    searched = []
    original = dispatch.search_part

    def noted(cells, most, switch_states):
        searched.append(most)
        return original(cells, most, switch_states)

    monkeypatch.setattr(dispatch, "search_part", noted)
    rng = np.random.default_rng(1)
    for n in (20, 30, 40, 64):
        branch = 10 ** -rng.uniform(0, 1, (50, n))
        total = branch.sum(axis=1)
        select(branch, 0.4 * total, tolerance_siemens=2.0**-12 * total)
    assert set(searched) == {14}


def test_a_tolerance_that_cannot_be_kept_gives_the_nearest_sum_and_says_so():
    rng = np.random.default_rng(2)
    branch = rng.uniform(0.5, 1.5, (50, 24))
    usable = np.arange(24) < 6
    usable = np.tile(usable, (50, 1))
    target = rng.uniform(0.3, 0.7, 50) * branch[:, :6].sum(axis=1)
    missed = select(branch, target, usable=usable, tolerance_siemens=1e-9)
    assert (missed.status == Status.TOLERANCE_MISSED).all()
    nearest = select(branch, target, usable=usable)
    np.testing.assert_array_equal(missed.pattern, nearest.pattern)


def test_every_tolerance_is_tried_to_the_exact_end():
    """A planted subset of integers: only all of the branches together can meet it."""
    rng = np.random.default_rng(3)
    branch = rng.integers(1, 2**40, (4, 28)).astype(float)
    target = (branch * (rng.random((4, 28)) < 0.5)).sum(axis=1)
    result = select(branch, target, tolerance_siemens=0.0)
    np.testing.assert_array_equal(result.achieved_siemens, target)
    assert (result.status == Status.OK).all()


@pytest.mark.parametrize(("n", "three_way"), [(41, False), (64, False), (25, True), (64, True)])
def test_many_branches_come_as_near_as_those_that_are_searched(n, three_way):
    """2^40 or 3^24 sums: about 2^-40 of the range; stated loosely, for a few unlucky cells."""
    rng = np.random.default_rng(n)
    branch = 10 ** -rng.uniform(0, 1, (2, n)) * rng.choice([-1, 1], (2, n))
    target = rng.uniform(-0.2, 0.2, 2) * np.abs(branch).sum(axis=1)
    result = select(branch, target, three_way=three_way)
    full_scale = np.abs(branch).sum(axis=1)
    assert (np.abs(result.residual_siemens) < 2.0**-33 * full_scale).all()
    assert (result.status == Status.OK).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(41, 64), st.integers(0, 2**32 - 1))
def test_range_of_many_branches_is_that_of_all_of_them(n, seed):
    rng = np.random.default_rng(seed)
    branch = rng.uniform(-1, 1, (1, n))
    high, low = np.maximum(branch, 0).sum(), np.minimum(branch, 0).sum()
    tolerance = 2.0**-8 * (high - low)
    above = select(branch, [high + 1.0], tolerance_siemens=tolerance)
    below = select(branch, [low - 1.0], tolerance_siemens=tolerance)
    within = select(branch, [0.99 * high + 0.01 * low], tolerance_siemens=tolerance)
    assert above.achieved_siemens[0] == pytest.approx(high)
    assert below.achieved_siemens[0] == pytest.approx(low)
    statuses = [int(one.status[0]) for one in (above, below, within)]
    assert statuses == [Status.OUT_OF_RANGE, Status.OUT_OF_RANGE, Status.OK]


def test_a_pair_with_dead_branches_degrades_and_says_so():
    """Opens never in, shorts of a pair always in: what is left does what it can."""
    plus, minus = np.array([4.0, 2.0, 1.0]), np.array([4.0, 2.0, 1.0])
    pair = np.concatenate([plus, -minus])[None]
    usable = np.array([[True, False, True, True, True, False]])
    stuck = np.array([[False, True, False, False, False, False]])
    chosen = select(pair, [1.5], usable=usable, stuck_on=stuck, tolerance_siemens=0.25)
    assert chosen.achieved_siemens[0] in (1.0, 2.0)
    assert chosen.pattern[0, 1]
    assert Status(chosen.status[0]).reason.startswith("too few usable branches")


@pytest.mark.parametrize("status", list(Status))
def test_every_failure_has_a_reason(status):
    assert bool(status.reason) == (status != Status.OK)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"tolerance_siemens": -1.0}, "tolerance_siemens must not be negative"),
        ({"tolerance_siemens": np.nan}, "tolerance_siemens must be finite"),
        ({"tolerance_siemens": np.ones(2)}, "tolerance_siemens has shape"),
        ({"stuck_on": np.ones((1, 3))}, "stuck_on must be bool"),
        ({"stuck_on": np.ones((1, 2), bool)}, "stuck_on has shape"),
    ],
)
def test_bad_options_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        select(np.ones((1, 3)), np.ones(1), **arguments)
