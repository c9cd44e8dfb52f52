"""The Poisson law against searches, and against what no law may break."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from calibration.studies.frame import Chunk
from calibration.studies.theory.bits import measure
from calibration.studies.theory.poisson import (
    at_least_one,
    bits_reached,
    uniform_every,
    uniform_random,
)

LAWS = {"pair": uniform_random, "every": uniform_every}


def errors(n, which, instances=3000):
    return 0.5 * 2.0 ** -np.array(measure(1, Chunk("law", "uniform", n, 0, instances))[which])


@pytest.mark.parametrize("which", LAWS)
@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
def test_predicted_share_is_the_measured_one(which, share):
    n = 14
    bits = bits_reached(lambda error: LAWS[which](n, error), share)
    within = int((errors(n, which) <= 0.5 * 2.0**-bits).sum())
    low, high = stats.binomtest(within, 3000).proportion_ci(0.999, method="exact")
    assert low <= share <= high


def test_share_within_a_small_error_is_the_exact_number_of_sums_there():
    # A subset's sum adds a weight on [−1, 1] or nothing, as likely: its distribution on a grid.
    n, cells = 12, 200
    one = np.full(2 * cells + 1, 0.5 / (2 * cells + 1))
    one[cells] += 0.5
    total = np.ones(1)
    for _ in range(n):
        total = np.convolve(total, one)
    middle, half = total.size // 2, cells // 2
    central = total[middle - half : middle + half + 1].sum()
    error = 1e-9
    assert uniform_random(n, error) == pytest.approx(2**n * central * 2 * error, rel=0.02)


@given(st.integers(4, 24), st.floats(0.01, 0.99), st.sampled_from(list(LAWS)))
def test_bits_are_where_the_share_is(n, share, which):
    bits = bits_reached(lambda error: LAWS[which](n, error), share)
    assert LAWS[which](n, 0.5 * 2.0**-bits) == pytest.approx(share, abs=1e-9)


@given(st.integers(4, 24), st.floats(-2, 30))
def test_no_more_is_covered_than_all_sums_together_can(n, bits):
    error = 0.5 * 2.0**-bits
    assert 0 <= uniform_random(n, error) <= min(2.0**n * 2 * error, 1) + 1e-12
    assert 0 <= uniform_every(n, error) <= uniform_random(n, error) + 1e-9


def test_a_bit_and_a_weight_are_the_same_in_the_long_run():
    def needed(n):
        return bits_reached(lambda error: uniform_every(n, error), 0.5)

    gains = [needed(n + 1) - needed(n) for n in (10, 20, 40, 60)]
    assert (np.diff(gains) > 0).all()
    assert gains[0] < 0.85
    assert 0.95 < gains[-1] < 1


def test_at_least_one_is_exact_for_few():
    assert at_least_one(0.0) == 0
    assert at_least_one(1e-20) == pytest.approx(1e-20, rel=1e-12)
    assert at_least_one(np.log(2)) == pytest.approx(0.5)
