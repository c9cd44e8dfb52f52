"""Exactness over the whole domain, on boards too large for a dense solution.

The reference is the modified nodal analysis again, sparse, its solution refined with residuals in
the long double of the machine until it stands still.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from kirchhoff import Wire, column_currents, transfer_matrix, updated_transfer
from tests.support.networks import drives, modified_nodal

Array = NDArray[np.float64]
EXACTNESS = 1e-11
SHAPES = [(1, 512), (512, 1), (3, 200), (180, 4), (40, 56)]


def refined_currents(G: Array, V: Array, wire: Wire) -> Array:
    """Column currents (vectors, columns); unknowns and equations as in `modified_nodal`."""
    columns = G.shape[1]
    n = G.size
    u = np.arange(n).reshape(G.shape)
    w, left, below = u + n, u + 2 * n, u + 3 * n  # wires' currents run to the right and downwards
    left_ohms, below_ohms = np.full(G.shape, wire.row_ohms), np.full(G.shape, wire.column_ohms)
    left_ohms[:, 0], below_ohms[-1] = wire.source_ohms, wire.sense_ohms
    one = np.ones(G.shape)
    entries = [  # (equations, unknowns, coefficients)
        (u, u, G),
        (u, w, -G),
        (w, w, G),
        (w, u, -G),
        (u, left, -one),
        (u[:, :-1], left[:, 1:], one[:, 1:]),
        (w, below, one),
        (w[1:], below[:-1], -one[1:]),
        (left, u, one),
        (left[:, 1:], u[:, :-1], -one[:, 1:]),
        (left, left, left_ohms),
        (below, w, -one),
        (below[:-1], w[1:], one[1:]),
        (below, below, below_ohms),
    ]
    equation, unknown, value = (
        np.concatenate([part[k].ravel() for part in entries]) for k in range(3)
    )
    factors = splu(sparse.csc_matrix((value, (equation, unknown)), shape=(4 * n, 4 * n)))
    value = value.astype(np.longdouble)
    out = np.empty((len(V), columns))
    for v, current in zip(V, out, strict=True):
        driven = np.zeros(4 * n, np.longdouble)
        driven[left[:, 0]] = v
        x = np.zeros(4 * n, np.longdouble)
        for _ in range(8):
            residual = driven.copy()
            np.subtract.at(residual, equation, value * x[unknown])
            correction = factors.solve(residual.astype(np.float64))
            x += correction
        assert np.abs(correction[below[-1]]).max() <= 1e-14 * np.abs(x[below[-1]]).max()
        current[:] = x[below[-1]]
    return out


def sample(seed: int, shape: tuple[int, int]) -> tuple[Array, Wire]:
    """A board and a wire anywhere in the domain, its corners more often than not."""
    rng = np.random.default_rng([seed, *shape])
    row, column, source, sense = (
        float(rng.choice([0.0, 100.0, 10 ** rng.uniform(-4, 2)])) for _ in range(4)
    )
    lowest = rng.uniform(-9, -1)
    G = 10 ** rng.uniform(lowest, rng.choice([-1.0, rng.uniform(lowest, -1)]), shape)
    G[rng.random(shape) < rng.choice([0.0, 0.5])] = 0.0
    G[0, 0] = 0.1  # never wholly dead
    return G, Wire(row, column, source, sense)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_all_functions_over_the_domain(seed: int, shape: tuple[int, int]) -> None:
    G, wire = sample(seed, shape)
    V = drives(seed, 2, shape[0])
    toggled = G.copy()
    toggled[-1, -1] = 0.05 if G[-1, -1] == 0 else 0.0
    T = transfer_matrix(G, wire)
    updated = updated_transfer(T, G, toggled, wire)
    for board, matrix in ((G, T), (toggled, updated)):
        expected = refined_currents(board, V, wire)
        # A sum of currents that nearly cancel is as exact as the currents summed.
        scale = np.abs(V).max() * max(T.max(), np.abs(matrix).max(), np.abs(expected).max())
        assert np.abs(column_currents(board, V[:1], wire) - expected[:1]).max() <= EXACTNESS * scale
        assert np.abs(V @ matrix - expected).max() <= EXACTNESS * scale


def test_the_reference_is_modified_nodal_analysis() -> None:
    for seed in range(8):
        G, wire = sample(seed, (4, 6))
        V = drives(seed, 2, 4)
        expected = modified_nodal(G, V, wire)[1]
        error = np.abs(refined_currents(G, V, wire) - expected).max()
        assert error <= 1e-12 * np.abs(expected).max()


def test_the_largest_board_of_the_best_conductors() -> None:
    """Every line one node, so that the answer is known; nothing found so far rounds more."""
    N = 512
    wire = Wire(row_ohms=0, column_ohms=0, source_ohms=100, sense_ohms=100)
    # Row i at 1 V: u - w spreads evenly over alike columns, load = 0.1 N on each line.
    load = 0.1 * N
    common = 0.1 / (1 + 2 * 100 * load)  # the same current into every column
    T = transfer_matrix(np.full((N, N), 0.1), wire)
    assert np.abs(T - common).max() <= EXACTNESS * common


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8])
def test_narrow_numbers_are_computed_in_double(dtype: type[np.generic]) -> None:
    """Precision lost by a caller's dtype is the caller's; none is lost here."""
    wire = Wire(row_ohms=1, column_ohms=2, source_ohms=3, sense_ohms=4)
    G = np.random.default_rng(0).integers(1, 9, (20, 30)).astype(dtype)
    V = np.random.default_rng(1).integers(-8, 9, (2, 20)).astype(dtype)
    wide = transfer_matrix(G.astype(np.float64), wire)
    assert transfer_matrix(G, wire).dtype == np.float64
    np.testing.assert_array_equal(transfer_matrix(G, wire), wide)
    np.testing.assert_array_equal(
        column_currents(G, V, wire), column_currents(G.astype(float), V.astype(float), wire)
    )
