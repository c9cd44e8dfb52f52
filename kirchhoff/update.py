"""A few crosspoints changed: the transfer matrix by a low-rank step instead of anew.

Of the board without the crosspoints that change, let A (rows, k) be the voltages across their
places when 1 V drives each row alone, B (columns, k) the same, with the opposite sign, for 1 V at
each column's ground, and Z (k, k) what 1 A into the row node and out of the column node at each
place does there. With conductances g in those places, the transfer matrix becomes

    T(g) = T(0) + A (1 + g Z)^-1 g B^T

(Woodbury; Sherman and Morrison for k = 1), so that T(g') - T(g) is

    A (1 + g' Z)^-1 (g' - g) (1 + Z g)^-1 B^T.

By reciprocity one solve for each place gives its columns of A, B and Z at once. To start from the
board without the crosspoints keeps every step a sum of positive terms: taking a good conductor
away from the board as it is would divide by 1 - g Z, which may be next to nothing.
"""

from math import isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kirchhoff._arguments import conductances, ohms_of, same_shape
from kirchhoff.wire import Wire


def updated_transfer(
    transfer_siemens: ArrayLike,
    crosspoint_siemens: ArrayLike,
    changed_siemens: ArrayLike,
    wire: Wire,
) -> NDArray[np.float64]:
    """Transfer matrix (rows, columns), in siemens, of a board of which some crosspoints changed.

    transfer_siemens (rows, columns) is the transfer matrix before, crosspoint_siemens (rows,
    columns) the conductances before, changed_siemens (rows, columns) those after, both >= 0. The
    cost is one vector's for each crosspoint that differs; where many do, or the wire is too thin
    for the iteration, the matrix is solved anew, as `transfer_matrix` does. As exact as
    transfer_siemens is: what an update adds to its error is below 1e-11 of the largest entry.

    Raises ValueError naming the argument that has a wrong shape, or holds anything but finite
    numbers, or a negative conductance.
    """
    from kirchhoff import _lines, _tiles

    before = conductances("crosspoint_siemens", crosspoint_siemens)
    after = same_shape(
        "changed_siemens", conductances("changed_siemens", changed_siemens), before.shape
    )
    T = same_shape("transfer_siemens", transfer_siemens, before.shape).copy()
    ohms = ohms_of(wire)
    rows, columns = before.shape
    at = np.nonzero(before != after)
    count = len(at[0])
    if not count:
        return T
    without = before.copy()
    without[at] = 0.0
    reach = np.maximum(before, after)
    board = _lines.ladders(without, ohms)
    A, B, Z = np.empty((count, rows)), np.empty((count, columns)), np.empty((count, count))
    drops = np.empty_like(before)
    for k, place in enumerate(zip(*at, strict=True)):
        steps = _lines.solve_dipole(A[k], B[k], drops, place, reach, board)
        if steps < 0 or count * (steps + 1) > 2 * isqrt(rows * columns):
            return _tiles.transfer(after, ohms)
        Z[k] = drops[at]
    old, new = before[at], after[at]
    seen = np.linalg.solve(np.eye(count) + Z * old, B)
    change: NDArray[np.float64] = np.asarray(
        np.linalg.solve(np.eye(count) + new[:, None] * Z, (new - old)[:, None] * seen), np.float64
    )
    _tiles.add_product(T, A, change, 1.0, False)
    return T
