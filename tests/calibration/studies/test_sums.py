"""Errors of a nearest sum and of the worst target, against all sums written out and sorted."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.selection import select
from calibration.studies.sums import (
    nearest_error,
    nearest_error_of_size,
    neighbours,
    sorted_sums,
    sums_by_size,
    worst_error,
)

WEIGHTS = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=8)


def all_sums(weights, states):
    choices = [[0.0, g] if states == 2 else [-g, 0.0, g] for g in weights]
    return np.sort([sum(choice) for choice in itertools.product(*choices)])


def worst_by_sorting(sums, low, high):
    """The farthest target is an end of the interval or midway between two sums."""
    midway = 0.5 * (sums[1:] + sums[:-1])
    targets = np.concatenate([[low, high], midway[(midway > low) & (midway < high)]])
    return np.abs(targets[:, None] - sums).min(axis=1).max()


@settings(deadline=None, max_examples=60)
@given(WEIGHTS, st.sampled_from([2, 3]))
def test_sums_are_all_there_in_order(weights, states):
    made = sorted_sums(np.array(weights), states)
    np.testing.assert_allclose(made, all_sums(weights, states), atol=1e-12)
    assert (np.diff(made) >= 0).all()


@settings(deadline=None, max_examples=150)
@given(
    WEIGHTS,
    st.sampled_from([2, 3]),
    st.integers(0, 8),
    st.floats(-5, 5, width=32),
    st.floats(0, 3, width=32),
)
def test_errors_are_those_of_all_sums(weights, states, cut, low, width):
    g = np.array(weights)
    lists = sorted_sums(g[:cut], states), sorted_sums(g[cut:], states)
    sums = all_sums(weights, states)
    assert nearest_error(*lists, low) == pytest.approx(np.abs(sums - low).min(), abs=1e-12)
    wanted = worst_by_sorting(sums, low, low + width)
    assert worst_error(*lists, low, low + width) == pytest.approx(wanted, abs=1e-12)


def sums_of_size(weights, size):
    return np.sort([sum(chosen) for chosen in itertools.combinations(weights, size)])


@settings(deadline=None, max_examples=60)
@given(WEIGHTS)
def test_every_size_has_its_own_sums(weights):
    made = sums_by_size(np.array(weights))
    assert len(made) == len(weights) + 1
    for size, sums in enumerate(made):
        np.testing.assert_allclose(sums, sums_of_size(weights, size), atol=1e-12)


@settings(deadline=None, max_examples=150)
@given(WEIGHTS, st.integers(0, 8), st.floats(-5, 5, width=32))
def test_nearest_of_a_size_is_that_of_its_sums(weights, size, target):
    size = min(size, len(weights))
    wanted = np.abs(sums_of_size(weights, size) - target).min()
    assert nearest_error_of_size(np.array(weights), size, target) == pytest.approx(
        wanted, abs=1e-12
    )


@pytest.mark.parametrize("nominal", [np.ones(16), 2.0 ** np.arange(16), 10 ** (np.arange(16) / 16)])
def test_large_banks_agree_with_sorting(nominal):
    # Enough sums for many blocks, and for blocks that are settled early.
    generator = np.random.default_rng(5)
    for _ in range(4):
        g = 1 / (nominal * generator.uniform(0.9, 1.1, 16))
        low, high = g.sum() * 0.25, g.sum() * 0.75
        lists = sorted_sums(g[:6], 2), sorted_sums(g[6:], 2)
        sums = np.sort(np.add.outer(*lists).ravel())
        wanted = worst_by_sorting_many(sums, low, high)
        assert worst_error(*lists, low, high) == pytest.approx(wanted, abs=1e-13)
        half = worst_error(*lists, low, 0.5 * (low + high))  # the sums are symmetric
        assert half == pytest.approx(wanted, abs=1e-13)


def worst_by_sorting_many(sums, low, high):
    inside = sums[np.searchsorted(sums, low) - 1 : np.searchsorted(sums, high) + 1]
    middle = np.clip(0.5 * (inside[1:] + inside[:-1]), low, high)
    return np.minimum(middle - inside[:-1], inside[1:] - middle).max()


def test_no_selection_is_nearer():
    generator = np.random.default_rng(6)
    g = generator.uniform(-1, 1, (20, 18))
    targets = generator.uniform(-0.5, 0.5, 20)
    residual = np.abs(select(g, targets).residual_siemens)
    errors = [
        nearest_error(sorted_sums(one[:9], 2), sorted_sums(one[9:], 2), target)
        for one, target in zip(g, targets, strict=True)
    ]
    np.testing.assert_allclose(errors, residual, atol=1e-14)


def test_beyond_the_reach_there_is_no_neighbour():
    one = np.array([0.0, 1.0])
    assert neighbours(one, one, 3.0) == (2.0, np.inf)
    assert neighbours(one, one, -1.0) == (-np.inf, 0.0)
