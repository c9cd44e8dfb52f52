"""Every part draws from a stream of its own."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.random_streams import random_stream

names = st.text(min_size=1, max_size=30)
seeds = st.integers(0, 2**64)


@settings(deadline=None)
@given(seeds, names)
def test_same_seed_and_name_same_numbers(seed, name):
    np.testing.assert_array_equal(
        random_stream(seed, name).random(50), random_stream(seed, name).random(50)
    )


@settings(deadline=None)
@given(seeds, seeds, names, names)
def test_another_seed_or_another_name_gives_other_numbers(seed, other_seed, name, other_name):
    if (seed, name) != (other_seed, other_name):
        here, there = (
            random_stream(seed, name).random(50),
            random_stream(other_seed, other_name).random(50),
        )
        assert not np.isin(here, there).any()


def test_streams_do_not_depend_on_the_order_in_which_they_are_asked_for():
    one_first = [random_stream(7, name).random(3).tolist() for name in ("one", "other")]
    other_first = [random_stream(7, name).random(3).tolist() for name in ("other", "one")]
    assert one_first == other_first[::-1]


def test_streams_of_neighbouring_seeds_and_names_are_uncorrelated():
    draws = np.array(
        [random_stream(seed, name).standard_normal(10_000) for seed in range(4) for name in "abcd"]
    )
    correlations = np.corrcoef(draws) - np.eye(len(draws))
    # 120 pairs, each of standard deviation 1/√10000: five of them are one in 10^4
    assert np.abs(correlations).max() < 5 / np.sqrt(10_000)
