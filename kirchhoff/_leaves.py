"""Compiled: the smallest tiles of a board (see `_tiles`), many alike side by side.

Alike tiles are joined together, the last axis of every array running over them: matrices of a few
ports are too small for the vector unit, and for loops of their own.
"""

import numpy as np
from numpy.typing import NDArray

from kirchhoff._ports import Index, Seam, seam_right, seam_top
from kirchhoff.compiled import callee, kernel

Array = NDArray[np.float64]

TILE = 8  # rows and columns of a leaf, a power of two
LANES = 32  # leaves built side by side


@callee
def _subtract(x: Array, f: Array, y: Array) -> None:
    for t in range(len(x)):
        x[t] -= f[t] * y[t]


@callee
def _divide(x: Array, y: Array) -> None:
    for t in range(len(x)):
        x[t] /= y[t]


@callee
def _add_product(C: Array, A: Array, B: Array, sign: float) -> None:
    """C += sign A^T B in every lane."""
    for k in range(len(A)):
        for i in range(A.shape[1]):
            x = A[k, i]
            for j in range(B.shape[1]):
                y, c = B[k, j], C[i, j]
                for t in range(len(c)):
                    c[t] += sign * x[t] * y[t]


@callee
def _factor(A: Array) -> None:
    """Factor A = (unit lower) (upper) in place in every lane, without pivots."""
    for k in range(len(A)):
        for i in range(k + 1, len(A)):
            _divide(A[i, k], A[k, k])
            for j in range(k + 1, len(A)):
                _subtract(A[i, j], A[i, k], A[k, j])


@callee
def _solve(A: Array, B: Array) -> None:
    """B becomes A^-1 B in every lane, A as `_factor` leaves it."""
    s, n = len(A), B.shape[1]
    for i in range(1, s):
        for k in range(i):
            for j in range(n):
                _subtract(B[i, j], A[i, k], B[k, j])
    for i in range(s - 1, -1, -1):
        for k in range(i + 1, s):
            for j in range(n):
                _subtract(B[i, j], A[i, k], B[k, j])
        for j in range(n):
            _divide(B[i, j], A[i, i])


@callee
def _pick(K: Array, rows: Index, columns: Index) -> Array:
    out = np.empty((len(rows), len(columns), K.shape[2]))
    for a in range(len(rows)):
        for b in range(len(columns)):
            source, target = K[rows[a], columns[b]], out[a, b]
            for t in range(len(target)):
                target[t] = source[t]
    return out


@callee
def _place(out: Array, block: Array, rows: Index, columns: Index, mirrored: bool) -> None:
    for a in range(len(rows)):
        for b in range(len(columns)):
            source, target = block[a, b], out[rows[a], columns[b]]
            for t in range(len(target)):
                target[t] = source[t]
            if mirrored:
                target = out[columns[b], rows[a]]
                for t in range(len(target)):
                    target[t] = source[t]


@kernel
def _join(X: Array, Y: Array, seam: Seam) -> Array:
    """`_tiles._join` of X[k] and Y[k] for every k, in all lanes."""
    cx, cy, ox, oy, new_x, new_y = seam
    s, nx, ny, lanes = len(cx), len(ox), len(oy), X.shape[3]
    out = np.empty((len(X), nx + ny, nx + ny, lanes))
    for k in range(len(X)):
        minus_Z, P = _pick(X[k], cx, cx), _pick(Y[k], cy, cy)
        a, b = _pick(X[k], cx, ox), _pick(Y[k], cy, oy)
        A = np.zeros((s, s, lanes))
        for i in range(s):
            A[i, i] = 1.0
        _add_product(A, minus_Z, P, -1.0)
        _factor(A)
        Q, R = a.copy(), np.zeros((s, ny, lanes))
        _add_product(R, minus_Z, b, -1.0)
        for B in (Q, R):
            _solve(A, B)
        PQ = np.zeros((s, nx, lanes))
        _add_product(PQ, P, Q, 1.0)
        XX, XY, YY = _pick(X[k], ox, ox), np.zeros((nx, ny, lanes)), _pick(Y[k], oy, oy)
        _add_product(XX, a, PQ, 1.0)
        _add_product(XY, Q, b, 1.0)
        _add_product(YY, b, R, -1.0)
        _place(out[k], XX, new_x, new_x, s < 0)
        _place(out[k], YY, new_y, new_y, s < 0)
        _place(out[k], XY, new_x, new_y, s > 0)
    return out


def _crosspoints(g: Array, left_ohms: Array, below_ohms: Array) -> Array:
    """K (n, 4, 4, lanes) of crosspoints g (n, lanes), each a tile, and of their wires."""
    loss = 1.0 + g * (left_ohms + below_ohms)
    y = g / loss
    K = np.empty((len(g), 4, 4, g.shape[1]))
    K[:, 0, 0] = K[:, 1, 1] = y
    K[:, 0, 1] = K[:, 1, 0] = -y
    K[:, 0, 2] = K[:, 2, 0] = (1.0 + g * below_ohms) / loss  # 1 - left y, with no subtraction
    K[:, 1, 3] = K[:, 3, 1] = (1.0 + g * left_ohms) / loss
    K[:, 1, 2] = K[:, 2, 1] = left_ohms * y
    K[:, 0, 3] = K[:, 3, 0] = below_ohms * y
    K[:, 2, 2] = -left_ohms * K[:, 0, 2]
    K[:, 3, 3] = -below_ohms * K[:, 1, 3]
    K[:, 2, 3] = K[:, 3, 2] = -left_ohms * below_ohms * y
    return K


def _by_leaf(values: Array) -> Array:
    """Return values (rows, columns) as (TILE * TILE, leaves).

    The place within a leaf is ordered by the last bit of the column, the last of the row, the next
    of the column and so on, so that tiles to be joined are always half the list apart.
    """
    bits = TILE.bit_length() - 1
    down, across = values.shape[0] // TILE, values.shape[1] // TILE
    split = values.reshape(down, *(2,) * bits, across, *(2,) * bits)
    row_axes, column_axes = range(bits, 0, -1), range(2 * bits + 1, bits + 1, -1)
    inside = [axis for pair in zip(column_axes, row_axes, strict=True) for axis in pair]
    return split.transpose(*inside, 0, bits + 1).reshape(TILE * TILE, down * across)


def leaves(G: Array, left_ohms: Array, below_ohms: Array) -> Array:
    """K (down, across, 4 TILE, 4 TILE) of every leaf of G, which divides into them evenly.

    left_ohms (columns,) is the wire left of each column, below_ohms (rows,) that below each row.
    """
    g = _by_leaf(G)
    left = _by_leaf(np.broadcast_to(left_ohms, G.shape))
    below = _by_leaf(np.broadcast_to(below_ohms[:, None], G.shape))
    K = np.empty((g.shape[1], 4 * TILE, 4 * TILE))
    for first in range(0, len(K), LANES):
        lanes = slice(first, first + LANES)
        tiles = _crosspoints(g[:, lanes], left[:, lanes], below[:, lanes])
        size = 1
        while size < TILE:
            half = len(tiles) // 2
            tiles = _join(tiles[:half], tiles[half:], seam_right(size, size, size, 1, 1))
            upper, lower = tiles[: half // 2], tiles[half // 2 :]
            tiles = _join(lower, upper, seam_top(size, size, 2 * size, 1, 1))
            size *= 2
        K[lanes] = np.moveaxis(tiles[0], 2, 0)
    return K.reshape(G.shape[0] // TILE, G.shape[1] // TILE, 4 * TILE, 4 * TILE)
