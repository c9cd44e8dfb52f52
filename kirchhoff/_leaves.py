"""Compiled: the smallest tiles of a board (see `_tiles`), many alike side by side.

Alike tiles are joined together, the last axis of every array running over them: matrices of a few
ports are too small for the vector unit, and for loops of their own.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kirchhoff._ports import Index, Seam, seam_right, seam_top

Array = NDArray[np.float64]

TILE = 8  # rows and columns of a leaf, a power of two
LANES = 32  # leaves built side by side


@njit(cache=True, nogil=True)
def _subtract(x: Array, f: Array, y: Array) -> None:
    for t in range(len(x)):
        x[t] -= f[t] * y[t]


@njit(cache=True, nogil=True)
def _divide(x: Array, y: Array) -> None:
    for t in range(len(x)):
        x[t] /= y[t]


@njit(cache=True, nogil=True)
def _add_product(C: Array, A: Array, B: Array, sign: float) -> None:
    """C += sign A^T B in every lane."""
    for k in range(len(A)):
        for i in range(A.shape[1]):
            x = A[k, i]
            for j in range(B.shape[1]):
                y, c = B[k, j], C[i, j]
                for t in range(len(c)):
                    c[t] += sign * x[t] * y[t]


@njit(cache=True, nogil=True)
def _solve(A: Array, B: Array) -> None:
    """B becomes A^-1 B in every lane, without pivots; A is overwritten."""
    s, n = len(A), B.shape[1]
    for k in range(s):
        for i in range(k + 1, s):
            _divide(A[i, k], A[k, k])
            for j in range(k + 1, s):
                _subtract(A[i, j], A[i, k], A[k, j])
            for j in range(n):
                _subtract(B[i, j], A[i, k], B[k, j])
    for i in range(s - 1, -1, -1):
        for j in range(n):
            for k in range(i + 1, s):
                _subtract(B[i, j], A[i, k], B[k, j])
            _divide(B[i, j], A[i, i])


@njit(cache=True, nogil=True)
def _pick(K: Array, rows: Index, columns: Index) -> Array:
    out = np.empty((len(rows), len(columns), K.shape[2]))
    for a in range(len(rows)):
        for b in range(len(columns)):
            source, target = K[rows[a], columns[b]], out[a, b]
            for t in range(len(target)):
                target[t] = source[t]
    return out


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _join(out: Array, X: Array, Y: Array, seam: Seam) -> None:
    """`_join` of many alike tiles at once, the last axis running over them."""
    cx, cy, ox, oy, new_x, new_y = seam
    s, nx, ny, lanes = len(cx), len(ox), len(oy), X.shape[2]
    minus_Z, P = _pick(X, cx, cx), _pick(Y, cy, cy)
    a, b = _pick(X, cx, ox), _pick(Y, cy, oy)
    A = np.zeros((s, s, lanes))
    for k in range(s):
        A[k, k] = 1.0
    _add_product(A, minus_Z, P, -1.0)
    Zb = np.zeros((s, ny, lanes))
    _add_product(Zb, minus_Z, b, -1.0)
    right = np.empty((s, nx + ny, lanes))
    right[:, :nx] = a
    right[:, nx:] = Zb
    _solve(A, right)
    Q, R = right[:, :nx].copy(), right[:, nx:].copy()
    PQ = np.zeros((s, nx, lanes))
    _add_product(PQ, P, Q, 1.0)
    XX, XY, YY = _pick(X, ox, ox), np.zeros((nx, ny, lanes)), _pick(Y, oy, oy)
    _add_product(XX, a, PQ, 1.0)
    _add_product(XY, Q, b, 1.0)
    _add_product(YY, b, R, -1.0)
    _place(out, XX, new_x, new_x, False)
    _place(out, YY, new_y, new_y, False)
    _place(out, XY, new_x, new_y, True)


@njit(cache=True, nogil=True)
def _crosspoints(g: Array, left_ohms: Array, below_ohms: Array) -> Array:
    """K (TILE, TILE, 4, 4, lanes) of the crosspoints g, each a tile, of `lanes` leaves."""
    K = np.empty((TILE, TILE, 4, 4, g.shape[2]))
    for i in range(TILE):
        for j in range(TILE):
            for t in range(g.shape[2]):
                G, a, b = g[i, j, t], left_ohms[i, j, t], below_ohms[i, j, t]
                y = G / (1.0 + G * (a + b))
                from_left = (1.0 + G * b) / (1.0 + G * (a + b))  # 1 - a y, nothing cancelling
                from_below = (1.0 + G * a) / (1.0 + G * (a + b))
                c = K[i, j, :, :, t]
                c[0, 0], c[1, 1], c[0, 1], c[1, 0] = y, y, -y, -y
                c[0, 2], c[2, 0], c[1, 3], c[3, 1] = from_left, from_left, from_below, from_below
                c[1, 2], c[2, 1], c[0, 3], c[3, 0] = a * y, a * y, b * y, b * y
                c[2, 2], c[3, 3] = -a * from_left, -b * from_below
                c[2, 3], c[3, 2] = -a * b * y, -a * b * y
    return K


@njit(cache=True, nogil=True)
def _double(K: Array, to_right: Seam, to_top: Seam) -> Array:
    """K (down, across, ports, ports, lanes) of alike tiles, joined two by two both ways."""
    down, across, lanes = K.shape[0], K.shape[1], K.shape[4]
    wide = len(to_right[4]) + len(to_right[5])
    square = len(to_top[4]) + len(to_top[5])
    pair = np.empty((2, wide, wide, lanes))
    out = np.empty((down // 2, across // 2, square, square, lanes))
    for i in range(0, down, 2):
        for j in range(0, across, 2):
            for half in range(2):
                _join(pair[half], K[i + half, j], K[i + half, j + 1], to_right)
            _join(out[i // 2, j // 2], pair[1], pair[0], to_top)
    return out


def leaves(G: Array, left_ohms: Array, below_ohms: Array) -> Array:
    """K (down, across, 4 TILE, 4 TILE) of every leaf of G, which divides into them evenly.

    left_ohms (columns,) is the wire left of each column, below_ohms (rows,) that below each row.
    """
    down, across = G.shape[0] // TILE, G.shape[1] // TILE

    def by_leaf(values: Array) -> Array:
        """(TILE, TILE, leaves) of values (rows, columns)."""
        blocks = values.reshape(down, TILE, across, TILE).transpose(1, 3, 0, 2)
        return np.ascontiguousarray(blocks.reshape(TILE, TILE, -1))

    g = by_leaf(G)
    left = by_leaf(np.broadcast_to(left_ohms, G.shape))
    below = by_leaf(np.broadcast_to(below_ohms[:, None], G.shape))
    K = np.empty((down * across, 4 * TILE, 4 * TILE))
    for first in range(0, len(K), LANES):
        lanes = slice(first, first + LANES)
        tiles = _crosspoints(*(np.ascontiguousarray(x[:, :, lanes]) for x in (g, left, below)))
        size = 1
        while size < TILE:
            to_right = seam_right(size, size, size, 1, 1)
            tiles = _double(tiles, to_right, seam_top(size, size, 2 * size, 1, 1))
            size *= 2
        K[lanes] = np.moveaxis(tiles[0, 0], 2, 0)
    return K.reshape(down, across, 4 * TILE, 4 * TILE)
