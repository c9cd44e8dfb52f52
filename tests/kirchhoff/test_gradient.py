"""The forward and the adjoint map are the derivative of the transfer matrix, and one another's."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kirchhoff import Wire, transfer_change, transfer_gradient, transfer_matrix, updated_transfer
from tests.support.networks import boards, modified_nodal, wires

Array = NDArray[np.float64]
NONE = Wire(row_ohms=0, column_ohms=0, source_ohms=0, sense_ohms=0)
PRINTED = Wire(row_ohms=0.02, column_ohms=0.02, source_ohms=0.05, sense_ohms=0.05)
UNLIKE = Wire(row_ohms=1, column_ohms=2, source_ohms=3, sense_ohms=5)
THIN = Wire(row_ohms=100, column_ohms=100, source_ohms=100, sense_ohms=100)

quick = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)


def normal(seed: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@quick
@given(boards(40), wires, seeds)
def test_the_maps_are_adjoint(G: Array, wire: Wire, seed: int) -> None:
    """<M, forward(dG)> = <adjoint(M), dG>."""
    change, weight = normal(seed, G.shape), normal(seed + 1, G.shape)
    forward = weight * transfer_change(G, change, wire)
    adjoint = transfer_gradient(G, weight, wire) * change
    scale = max(np.abs(forward).sum(), np.abs(adjoint).sum())
    assert abs(forward.sum() - adjoint.sum()) <= 1e-12 * scale


@quick
@given(boards(40), seeds)
def test_without_wire_both_maps_leave_their_argument_as_it_is(G: Array, seed: int) -> None:
    change = normal(seed, G.shape)
    np.testing.assert_allclose(transfer_change(G, change, NONE), change, rtol=1e-13)
    np.testing.assert_allclose(transfer_gradient(G, change, NONE), change, rtol=1e-13)


@settings(deadline=None, max_examples=25)
@given(boards(8), wires, seeds)
def test_the_change_is_the_derivative_of_modified_nodal_analysis(
    G: Array, wire: Wire, seed: int
) -> None:
    """By a complex step, T(G + i h dG) = T + i h dT, which subtracts nothing."""
    change = normal(seed, G.shape)
    stepped = modified_nodal(G + 1e-30j * change, np.eye(len(G)), wire)[1]
    expected = stepped.imag / 1e-30
    actual = transfer_change(G, change, wire)
    assert np.abs(actual - expected).max() <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (17, 9), (20, 40), (65, 33)])
@pytest.mark.parametrize("wire", [PRINTED, UNLIKE, THIN], ids=["printed", "unlike", "thin"])
def test_central_differences(shape: tuple[int, int], wire: Wire) -> None:
    G = np.random.default_rng(8).uniform(1e-6, 1e-4, shape)
    change = 1e-6 * normal(8, shape)
    step = 1e-2
    ahead, behind = (transfer_matrix(G + sign * step * change, wire) for sign in (1, -1))
    expected = (ahead - behind) / (2 * step)
    actual = transfer_change(G, change, wire)
    assert np.abs(actual - expected).max() <= 1e-7 * np.abs(expected).max()


@pytest.mark.parametrize("wire", [PRINTED, UNLIKE], ids=["printed", "unlike"])
def test_a_gradient_step_is_what_toggling_a_little_does(wire: Wire) -> None:
    G = np.random.default_rng(9).uniform(1e-6, 1e-4, (12, 20))
    weight = normal(9, G.shape)
    gradient = transfer_gradient(G, weight, wire)
    T = transfer_matrix(G, wire)
    for place in [(0, 0), (0, 19), (11, 0), (5, 7)]:
        more, less = G.copy(), G.copy()
        more[place] += 1e-7
        less[place] -= 1e-7
        difference = updated_transfer(T, G, more, wire) - updated_transfer(T, G, less, wire)
        expected = (weight * difference).sum() / 2e-7
        assert abs(gradient[place] - expected) <= 1e-7 * np.abs(gradient).max()


def test_maps_are_linear_and_dead_crosspoints_have_derivatives() -> None:
    G = np.zeros((9, 13))
    change = normal(3, G.shape)
    # A dead board's crosspoints each see all of both voltages.
    np.testing.assert_allclose(transfer_change(G, change, THIN), change, rtol=1e-12)
    G[4] = 0.1
    twice = transfer_change(G, 2 * change, UNLIKE)
    np.testing.assert_allclose(twice, 2 * transfer_change(G, change, UNLIKE), rtol=1e-13)
    weight = normal(4, G.shape)
    twice = transfer_gradient(G, 2 * weight, UNLIKE)
    np.testing.assert_allclose(twice, 2 * transfer_gradient(G, weight, UNLIKE), rtol=1e-13)


@pytest.mark.parametrize("function", [transfer_change, transfer_gradient])
@pytest.mark.parametrize("value", [np.ones((3, 2)), np.full((2, 3), np.nan), np.ones(3)])
def test_arguments_refused(function: Callable[..., Array], value: Array) -> None:
    with pytest.raises(ValueError, match=r"change_siemens|weight"):
        function(np.ones((2, 3)), value, UNLIKE)
    with pytest.raises(ValueError, match="crosspoint_siemens"):
        function(np.full((2, 3), -1.0), np.ones((2, 3)), UNLIKE)
