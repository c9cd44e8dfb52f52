"""Vectors of every kind are what their names say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from instrument.validation import vectors
from instrument.validation.products import full_scale, validate
from instrument.validation.refined import refine
from tests.support.programs import LINEAR, program

FULL_SCALE = 3.0
inside = arrays(np.float64, 8, elements=st.floats(-FULL_SCALE, FULL_SCALE))


@pytest.fixture(scope="module")
def linear():
    return program(input_full_scale=FULL_SCALE, **LINEAR)


@pytest.mark.parametrize(
    ("draw", "sampled"),
    [
        (lambda p: vectors.uniform(p, np.random.default_rng(1)), True),
        (lambda p: vectors.sparse(p, np.random.default_rng(1)), True),
        (vectors.one_hot, False),
        (vectors.largest_product_signs, False),
        (vectors.largest_error_signs, False),
    ],
)
def test_all_stay_within_the_full_scale(linear, draw, sampled):
    drawn = draw(linear)
    assert drawn.inputs.shape[1] == 8
    assert np.abs(drawn.inputs).max() <= FULL_SCALE
    assert np.abs(drawn.inputs).max() > FULL_SCALE / 2
    assert drawn.sampled == sampled


@pytest.mark.parametrize(("rows", "driven"), [(1, 1), (8, 1), (64, 6), (100, 10)])
def test_a_sparse_vector_drives_one_row_in_ten_not_always_the_same(linear, rows, driven):
    tall = replace(linear, weights=np.ones((rows, 4)))
    drawn = vectors.sparse(tall, np.random.default_rng(1)).inputs
    assert ((drawn != 0).sum(axis=1) == driven).all()
    assert (drawn != 0).any(axis=0).mean() > 0.9


def test_one_hot_vectors_ask_for_the_rows_of_the_matrix(linear):
    exact = vectors.one_hot(linear).inputs @ linear.weights
    assert (exact == FULL_SCALE * linear.weights).all()


@given(inside)
def test_no_vector_has_a_larger_product(linear, x):
    largest = vectors.largest_product_signs(linear).inputs @ linear.weights
    assert np.diag(largest) == pytest.approx(FULL_SCALE * np.abs(linear.weights).sum(axis=0))
    assert largest.max() == pytest.approx(full_scale(linear))
    assert (np.abs(x @ linear.weights) <= np.diag(largest) * (1 + 1e-12)).all()


@given(inside)
def test_no_vector_is_answered_worse_by_a_linear_board(linear, x):
    drawn = vectors.largest_error_signs(linear).inputs
    worst = np.diag(validate(linear, drawn, sampled=False).error)
    linear_error = linear.residual_weights
    assert worst == pytest.approx(FULL_SCALE * np.abs(linear_error).sum(axis=0), rel=1e-5)
    error = (linear @ x) - x @ linear.weights
    assert (np.abs(error) <= worst * (1 + 1e-5)).all()


def test_refined_products_of_a_linear_board_are_exact(linear):
    drawn = vectors.uniform(linear, np.random.default_rng(2)).inputs
    one_shot = validate(linear, drawn)
    refined = refine(linear, one_shot)
    assert one_shot.relative_error > 1e-6
    assert refined.relative_error < 1e-5 * one_shot.relative_error
    assert (refined.exact == one_shot.exact).all()
