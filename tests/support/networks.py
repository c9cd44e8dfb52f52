"""Boards to try the laws on, and an independent solution of their circuit."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from kirchhoff import Wire

Array = NDArray[np.float64]

ohms = st.one_of(st.just(0.0), st.floats(-4, 2).map(lambda exponent: 10.0**exponent))
wires = st.builds(Wire, row_ohms=ohms, column_ohms=ohms, source_ohms=ohms, sense_ohms=ohms)


@st.composite
def boards(draw: st.DrawFn, longest: int = 12) -> Array:
    """Conductances between 1e-9 S and 0.1 S, some crosspoints, rows or columns being dead."""
    rows, columns = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    lowest = draw(st.floats(-9, -1))
    highest = draw(st.floats(lowest, -1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    G = 10 ** rng.uniform(lowest, highest, (rows, columns))
    G[rng.random((rows, columns)) < draw(st.sampled_from((0.0, 0.5)))] = 0.0
    G[rng.random(rows) < draw(st.sampled_from((0.0, 0.3)))] = 0.0
    G[:, rng.random(columns) < draw(st.sampled_from((0.0, 0.3)))] = 0.0
    return G


def drives(seed: int, vectors: int, rows: int) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, (vectors, rows))


def modified_nodal(G: Array, V: Array, wire: Wire) -> tuple[Array, Array]:
    """(currents into the rows (vectors, rows), out of the columns (vectors, columns)).

    Unknowns are every node's voltage and every wire's current; each wire obeys Ohm's law in the
    form u_a - u_b = R i, which zero ohms satisfy too, each node Kirchhoff's current law. G may be
    complex, for derivatives.
    """
    rows, columns = G.shape
    nodes = rows * columns
    row_node = np.arange(nodes).reshape(rows, columns)
    column_node = row_node + nodes
    M = np.zeros((4 * nodes, 4 * nodes), G.dtype)
    driven = np.zeros((4 * nodes, rows))
    for i in range(rows):
        for j in range(columns):
            u, w = row_node[i, j], column_node[i, j]
            M[u, u] += G[i, j]
            M[u, w] -= G[i, j]
            M[w, w] += G[i, j]
            M[w, u] -= G[i, j]
            left, below = 2 * nodes + u, 2 * nodes + w  # currents to the right, and downwards
            M[u, left] -= 1
            M[left, u] = 1
            M[left, left] = wire.row_ohms if j else wire.source_ohms
            if j:
                M[row_node[i, j - 1], left] += 1
                M[left, row_node[i, j - 1]] = -1
            else:
                driven[left, i] = 1
            M[w, below] += 1
            M[below, w] = -1
            M[below, below] = wire.column_ohms if i < rows - 1 else wire.sense_ohms
            if i < rows - 1:
                M[column_node[i + 1, j], below] -= 1
                M[below, column_node[i + 1, j]] = 1
    solution = np.linalg.solve(M, driven @ V.T)
    into_rows = solution[2 * nodes + row_node[:, 0]]
    out_of_columns = solution[2 * nodes + column_node[-1]]
    return into_rows.T, out_of_columns.T
