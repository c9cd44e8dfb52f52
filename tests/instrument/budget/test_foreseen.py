"""What differs from its budget by more than a factor of three is told; by less it is not."""

import numpy as np
import pytest

from calibration.budget.causes import Budget, Row
from instrument.budget import MAX_ERROR_RATIO, Budgets, unforeseen, unforeseen_in_words
from instrument.validation import Validation


def products(error, vectors=64, seed=1):
    """Products of one output that err by so much, relative."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (vectors, 8))
    exact = x @ random.uniform(-1, 1, (8, 1))
    off = random.standard_normal(exact.shape)
    off *= error * np.linalg.norm(exact) / np.linalg.norm(off)
    return Validation(x, exact, exact + off, 1.0)


def budgets(whole, *outputs):
    return Budgets(Budget((Row("noise", whole),)), np.array(outputs), ())


def found(measured, predicted, **how):
    whole = products(measured, **how)
    return unforeseen(whole, [whole], budgets(predicted, predicted))


@pytest.mark.parametrize("factor", [0.9 * MAX_ERROR_RATIO, 1.0, 1.1 / MAX_ERROR_RATIO])
def test_within_a_factor_of_three_all_is_foreseen(factor):
    assert not found(factor * 1e-4, 1e-4)


@pytest.mark.parametrize("factor", [1.1 * MAX_ERROR_RATIO, 100.0, 0.9 / MAX_ERROR_RATIO, 0.01])
def test_beyond_it_nothing_is_whichever_way(factor):
    told = found(factor * 1e-4, 1e-4)
    assert [one.output for one in told] == [None, 0]
    assert [one.factor for one in told] == pytest.approx([factor, factor])
    assert all(one.worse == (factor > 1) for one in told)


def test_one_output_is_found_among_others():
    good, bad = products(1e-4), products(1e-3)
    whole = products(3e-4)
    (one,) = unforeseen(whole, [good, bad, good], budgets(3e-4, 1e-4, 1e-4, 1e-4))
    assert (one.output, one.worse) == (1, True)


def test_one_vector_may_err_by_little_by_chance():
    assert not found(1e-6, 1e-4, vectors=1)
    assert [one.output for one in found(1e-3, 1e-4, vectors=1)] == [None]


def test_nothing_predicted_is_nothing_to_compare_with():
    whole = products(1e-4)
    assert not unforeseen(whole, [whole], budgets(0.0, np.nan))


def test_words_count_from_one_and_say_what_to_check():
    worse = unforeseen_in_words([{"output": 1, "factor": 5.0}])
    assert "output 2 5 times" in worse
    assert "another host" in worse
    better = unforeseen_in_words([{"output": None, "factor": 0.1}])
    assert "all products 0.1 times" in better
    assert "another host" not in better
