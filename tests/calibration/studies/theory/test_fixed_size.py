"""Subsets of a fixed size: what is expected against all subsets, and what the size costs."""

import itertools
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.studies.frame import Chunk, gather
from calibration.studies.theory.fixed_size import (
    CASES,
    SEARCHES,
    Moments,
    expected_of_any_size,
    expected_of_size,
    fixed_size_study,
    measure,
)


def moments(weights):
    return Moments(np.array([weights.mean()]), np.array([weights.std()]))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=9), st.data())
def test_mean_and_variance_of_a_size_are_those_of_all_its_sums(weights, data):
    size = data.draw(st.integers(1, len(weights) - 1))
    n, g = len(weights), np.array(weights)
    sums = np.array([sum(chosen) for chosen in itertools.combinations(weights, size)])
    assert sums.mean() == pytest.approx(size * g.mean(), abs=1e-12)
    assert sums.var() == pytest.approx(size * (n - size) / (n - 1) * g.var(), abs=1e-12)


@pytest.mark.parametrize("size", [5, 8, 11])
def test_expected_number_is_near_the_counted_one(size):
    generator = np.random.default_rng(8)
    counted = expected = 0.0
    for _ in range(40):
        g = 1 / generator.uniform(0.9, 1.1, 16)
        sums = np.array([sum(chosen) for chosen in itertools.combinations(g, size)])
        target = np.quantile(sums, generator.uniform(0.1, 0.9))
        error = 0.1 * sums.std()
        counted += (np.abs(sums - target) <= error).sum()
        expected += expected_of_size(16, size, moments(g), np.array([target]), error)[0]
    assert expected == pytest.approx(counted, rel=0.03)


def test_all_subsets_are_expected_somewhere():
    g = np.random.default_rng(9).uniform(-1, 1, 12)
    everywhere = 1e3
    for size in range(13):
        number = expected_of_size(12, size, moments(g), np.zeros(1), everywhere)[0]
        assert number == pytest.approx(comb(12, size))
    assert expected_of_any_size(12, moments(g), np.zeros(1), everywhere)[0] == pytest.approx(2**12)


@pytest.mark.parametrize("case", CASES)
def test_no_size_does_better_than_any_size(case):
    samples = measure(1, Chunk("fixed-size", case, 10, 0, 100))
    assert (np.array(samples["fixed"]) <= np.array(samples["free"]) + 1e-4).all()


@pytest.fixture(scope="module")
def rows():
    study = fixed_size_study(500, 14)
    summary = study.summarize(gather((chunk, measure(1, chunk)) for chunk in study.chunks))
    return {(row["bank"], row["search"], row["n"]): row for row in summary.rows}


def test_equal_resistors_lose_nothing_and_reach_little(rows):
    fixed, free, anywhere = (rows["equal-10", search, 14] for search in SEARCHES)
    assert fixed["bits"] == pytest.approx(free["bits"], abs=1e-3)
    assert fixed["reach"] < 0.12
    assert anywhere["bits"] < fixed["bits"] - 2


def test_theory_s_weights_lose_what_the_number_of_subsets_loses(rows):
    lost = rows["uniform", "free", 14]["bits"] - rows["uniform", "fixed", 14]["bits"]
    assert lost == pytest.approx(np.log2(2**14 / comb(14, 7)), abs=0.35)


def test_targets_near_the_middle_have_more_sums_around_them(rows):
    for bits in ("bits", "predicted_bits"):
        assert rows["decade-10", "free", 14][bits] > rows["decade-10", "anywhere", 14][bits] + 0.2


def test_prediction_is_the_measured_median(rows):
    # Between the sums of equal resistors, far from each size's mean, no normal curve is right.
    ours = [
        row
        for (bank, search, n), row in rows.items()
        if (bank, search) != ("equal-10", "anywhere") and n >= 8
    ]
    assert len(ours) == 8 * 4
    for row in ours:
        assert row["bits"] == pytest.approx(row["predicted_bits"], abs=0.35)
