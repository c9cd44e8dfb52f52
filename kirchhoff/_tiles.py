"""Compiled: the whole transfer matrix, by joining tiles of the board two by two.

A tile is a rectangle of crosspoints together with the wire left of and the wire below each of
them. It meets its neighbours at its ports: Left and Bottom, at the far end of those wires, where
a voltage u is imposed and a current i flows in; Right and Top, at the crosspoints themselves,
where a current j is drawn and a voltage e shows. The tile is the symmetric matrix K with

    (i_L, i_B, e_R, e_T) = K (u_L, u_B, j_R, j_T),

ports in this order, the rows of a side from the top, its columns from the left. On the board's
right and upper edge nothing is drawn, so those ports do not exist there.

Joining X's Right to Y's Left, or X's Top to Y's Bottom, solves for the voltages on the seam. With
Z = -K of X there and P = K of Y there, A = I + Z P; its leading minors only grow with the size
(Z is the inverse of an M-matrix and P is a diagonally dominant one), so that elimination needs no
pivots, each of its own being >= 1, and zero wires, dead rows and dead columns are ordinary cases.
Halving the board on and on makes O(N^3) of an N x N board.
"""

import numpy as np
from numpy.typing import NDArray

from kirchhoff._leaves import leaves
from kirchhoff._plan import Leaf, Ohms, Tree, filled, plan
from kirchhoff._ports import Index, Seam
from kirchhoff.compiled import callee, kernel

Array = NDArray[np.float64]


@kernel
def add_product(C: Array, A: Array, B: Array, sign: float, upper: bool) -> None:
    """C += sign A^T B, of which `upper` leaves out the columns left of the diagonal's pair."""
    depth, rows = A.shape
    columns = B.shape[1]
    for i in range(0, rows - 1, 2):
        start = i if upper else 0
        c0, c1 = C[i, start:], C[i + 1, start:]
        width = columns - start
        k = 0
        while k + 3 < depth:
            b0, b1, b2, b3 = B[k, start:], B[k + 1, start:], B[k + 2, start:], B[k + 3, start:]
            p0, p1 = sign * A[k, i], sign * A[k + 1, i]
            p2, p3 = sign * A[k + 2, i], sign * A[k + 3, i]
            q0, q1 = sign * A[k, i + 1], sign * A[k + 1, i + 1]
            q2, q3 = sign * A[k + 2, i + 1], sign * A[k + 3, i + 1]
            for j in range(width):
                x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
                c0[j] += (p0 * x0 + p1 * x1) + (p2 * x2 + p3 * x3)
                c1[j] += (q0 * x0 + q1 * x1) + (q2 * x2 + q3 * x3)
            k += 4
        while k < depth:
            b0 = B[k, start:]
            p0, q0 = sign * A[k, i], sign * A[k, i + 1]
            for j in range(width):
                c0[j] += p0 * b0[j]
                c1[j] += q0 * b0[j]
            k += 1
    if rows % 2:
        i = rows - 1
        start = i if upper else 0
        c0 = C[i, start:]
        for k in range(depth):
            b0 = B[k, start:]
            p0 = sign * A[k, i]
            for j in range(columns - start):
                c0[j] += p0 * b0[j]


@callee
def _factor(A: Array) -> None:
    """Factor A = (unit lower) (upper) in place, no pivots; the diagonal holds reciprocals."""
    s = len(A)
    for i in range(s):
        row = A[i]
        for k in range(i):
            f = row[k] * A[k, k]
            row[k] = f
            pivot_row = A[k]
            for j in range(k + 1, s):
                row[j] -= f * pivot_row[j]
        row[i] = 1.0 / row[i]


@callee
def _subtract_rows(row: Array, factors: Array, B: Array, first: int, last: int) -> None:
    """Subtract factors[first:last] B[first:last] from `row`."""
    k = first
    while k + 3 < last:
        f0, f1, f2, f3 = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
        b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
        for j in range(len(row)):
            row[j] -= (f0 * b0[j] + f1 * b1[j]) + (f2 * b2[j] + f3 * b3[j])
        k += 4
    while k < last:
        f0, b0 = factors[k], B[k]
        for j in range(len(row)):
            row[j] -= f0 * b0[j]
        k += 1


@callee
def _solve(A: Array, B: Array) -> None:
    """B becomes A^-1 B, A as `_factor` leaves it."""
    s = len(A)
    for i in range(1, s):
        _subtract_rows(B[i], A[i], B, i - i, i)
    for i in range(s - 1, -1, -1):
        _subtract_rows(B[i], A[i], B, i + 1, s)
        row, f = B[i], A[i, i]
        for j in range(len(row)):
            row[j] *= f


@kernel
def _pick(K: Array, rows: Index, columns: Index) -> Array:
    out = np.empty((len(rows), len(columns)))
    for a in range(len(rows)):
        source, target = K[rows[a]], out[a]
        for b in range(len(columns)):
            target[b] = source[columns[b]]
    return out


@kernel
def _join(X: Array, Y: Array, seam: Seam) -> Array:
    """K of X and Y joined at the ports given (see `seam_right`).

    With a = K_X[seam, others] and b = K_Y[seam, others], S = A^-1:
    XX: K_X + a^T P S a, XY: a^T S^T b, YY: K_Y - b^T S Z b.
    """
    cx, cy, ox, oy, new_x, new_y = seam
    s, nx, ny = len(cx), len(ox), len(oy)
    minus_Z, P = _pick(X, cx, cx), _pick(Y, cy, cy)
    a, b = _pick(X, cx, ox), _pick(Y, cy, oy)
    A, Q, R = np.zeros((s, s)), a.copy(), np.zeros((s, ny))
    for i in range(s):
        A[i, i] = 1.0
    # No option or bound that is a constant: each would have a form of the function for itself.
    for C, B in ((A, P), (R, b)):
        add_product(C, minus_Z, B, -1.0, s < 0)
    _factor(A)
    for B in (Q, R):
        _solve(A, B)
    PQ = np.zeros((s, nx))
    XX, XY, YY = _pick(X, ox, ox), np.zeros((nx, ny)), _pick(Y, oy, oy)
    for C, left, right, sign, upper in (
        (PQ, P, Q, 1.0, False),
        (XX, a, PQ, 1.0, True),
        (XY, Q, b, 1.0, False),
        (YY, b, R, -1.0, True),
    ):
        add_product(C, left, right, sign, upper)
    out = np.empty((nx + ny, nx + ny))
    for i in range(nx):
        for j in range(i, nx):
            out[new_x[i], new_x[j]] = XX[i, j]
            out[new_x[j], new_x[i]] = XX[i, j]
        for j in range(ny):
            out[new_x[i], new_y[j]] = XY[i, j]
            out[new_y[j], new_x[i]] = XY[i, j]
    for i in range(ny):
        for j in range(i, ny):
            out[new_y[i], new_y[j]] = YY[i, j]
            out[new_y[j], new_y[i]] = YY[i, j]
    return out


def transfer(G: Array, ohms: Ohms) -> Array:
    """Return the transfer matrix (rows, columns) of the board G, in siemens."""
    rows, columns = G.shape
    board = filled(G, ohms)
    leaf = leaves(board.siemens, board.left_ohms, board.below_ohms)

    def joined(tree: Tree) -> Array:
        if isinstance(tree, Leaf):
            K: Array = _pick(leaf[tree.place], tree.ports, tree.ports)
        else:
            K = _join(joined(tree.first), joined(tree.second), tree.seam)
        return K

    K = joined(plan(rows, columns))
    return -K[:rows, rows : rows + columns]
