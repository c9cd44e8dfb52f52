"""The forward and the adjoint map are the derivative of the transfer matrix, and one another's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kirchhoff import (
    Wire,
    transfer_change,
    transfer_gradient,
)
from tests.kirchhoff.boards import boards, modified_nodal, wires

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
@given(boards(7), wires, seeds)
def test_each_derivative_is_the_product_of_two_drops(G: Array, wire: Wire, seed: int) -> None:
    """dT[i, j] / dG[k, l] from the voltages of an independent solution, for one (k, l)."""
    rng = np.random.default_rng(seed)
    place = rng.integers(G.shape[0]), rng.integers(G.shape[1])
    unit = np.zeros(G.shape)
    unit[place] = 1.0
    # The matrix is a rational function of one conductance: T(g) = T(0) + slope g / (1 + z g), and
    # three points of it give the derivative with no step that must be small.
    without, one, two = G.copy(), G.copy(), G.copy()
    g = max(G[place], 1e-6)
    without[place], one[place], two[place] = 0.0, g, 2 * g
    T0, T1, T2 = (modified_nodal(B, np.eye(len(G)), wire)[1] for B in (without, one, two))
    rise, whole = np.abs(T1 - T0).max(), np.abs(T2 - T0).max()
    if rise <= 1e-3 * np.abs(T1).max():
        return  # too little for differences to show
    ratio = rise / whole  # (1 + 2 z g) / (2 (1 + z g))
    zg = (2 * ratio - 1) / (2 - 2 * ratio)
    expected = (T1 - T0) / g * (1 + zg) / (1 + zg * G[place] / g) ** 2
    actual = transfer_change(G, unit, wire)
    assert np.abs(actual - expected).max() <= 1e-8 * (1 + zg) * np.abs(expected).max()
