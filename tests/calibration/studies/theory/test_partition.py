"""Perfect partitions against all partitions tried, and their number against exact probabilities."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from calibration.studies.frame import Chunk, gather
from calibration.studies.theory.partition import (
    critical_kappa,
    expected_perfect,
    measure,
    partition_study,
    perfect,
    perfect_probability,
)


def smallest_discrepancy(numbers):
    signs = itertools.product([-1, 1], repeat=len(numbers))
    return min(abs(sum(s * x for s, x in zip(one, numbers, strict=True))) for one in signs)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 30), st.data())
def test_perfect_is_what_all_partitions_say(bits, data):
    numbers = data.draw(st.lists(st.integers(1, 2**bits), min_size=2, max_size=9))
    wanted = smallest_discrepancy(numbers) <= 1
    assert perfect(np.array([numbers], dtype=np.float64))[0] == wanted


@pytest.mark.parametrize("bits", [3, 6, 9])
@pytest.mark.parametrize("n", [8, 12])
def test_expected_number_is_near_the_exact_one(n, bits):
    # The distribution of a sum of n numbers ± 1 … 2^bits, each as likely, by convolution.
    one = np.ones(2 * 2**bits + 1)
    one[2**bits] = 0
    one /= one.sum()
    total = np.ones(1)
    for _ in range(n):
        total = np.convolve(total, one)
    middle = total.size // 2
    # Half of all totals are even: P(0) = P(0 | even) / 2. Mirror images count once.
    even = 2 ** (n - 1) * total[middle] * 2
    odd = 2 ** (n - 1) * (total[middle - 1] + total[middle + 1]) * 2
    assert expected_perfect(n, bits) == pytest.approx(even, rel=0.04)
    assert 2 * expected_perfect(n, bits) == pytest.approx(odd, rel=0.04)


@pytest.mark.parametrize("n", [20, 100, 500])
def test_half_a_partition_is_expected_at_the_critical_point(n):
    assert expected_perfect(n, n * critical_kappa(n)) == pytest.approx(0.5, rel=1e-4)


def test_the_transition_tends_to_one_bit_for_each_number():
    assert critical_kappa(10_000) == pytest.approx(1, abs=1e-3)
    assert np.diff([critical_kappa(n) for n in (8, 12, 16, 20, 24)]).min() > 0


def test_probability_is_that_of_both_parities():
    probability = perfect_probability(0.5)
    assert probability == pytest.approx(1 - (np.exp(-0.5) + np.exp(-1)) / 2)
    assert perfect_probability(50.0) == pytest.approx(1)


def test_parity_is_told_apart_and_is_a_coin():
    samples = measure(1, Chunk("partition", "9 bits", 12, 0, 3000))
    odd, found = (np.array(samples[name]) for name in ("odd", "perfect"))
    assert stats.binomtest(int(odd.sum()), odd.size).pvalue > 1e-3
    assert found[odd == 1].mean() > found[odd == 0].mean() + 0.05


def test_measured_probability_falls_as_predicted():
    study = partition_study(2000, 12)
    summary = study.summarize(gather((chunk, measure(1, chunk)) for chunk in study.chunks))
    assert {row["n"] for row in summary.rows} == {8, 12}
    for row in summary.rows:
        # The law is one of large n: at 12 it is off by a hundredth or so.
        assert row["probability"] == pytest.approx(row["predicted_probability"], abs=0.04)
    for finding in summary.findings:
        assert finding["transition"] == pytest.approx(finding["predicted_transition"], abs=0.02)
        assert finding["transition_low"] < finding["transition"] < finding["transition_high"]
