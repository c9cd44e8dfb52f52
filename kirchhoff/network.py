"""The exact wire network of a crossbar: its column currents and its transfer matrix.

Row i is driven at its left end through `source_ohms`; neighbouring crosspoints of a row are joined
by `row_ohms`, of a column by `column_ohms`; column j leaves at its bottom end (row index rows - 1)
through `sense_ohms` into a virtual ground at 0 V. Every node obeys Kirchhoff's current law.
"""

from math import isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kirchhoff._arguments import conductances, ohms_of, real_matrix
from kirchhoff.wire import Wire


def column_currents(
    crosspoint_siemens: ArrayLike, row_volts: ArrayLike, wire: Wire
) -> NDArray[np.float64]:
    """Currents (vectors, columns) out of the columns, in amperes, positive into virtual ground.

    crosspoint_siemens (rows, columns) are the crosspoints' conductances, >= 0; row_volts
    (vectors, rows) the voltages of the rows' drivers. Few vectors are solved one at a time, many
    through the transfer matrix; both ways are exact to 1e-11 of the largest current.

    Raises ValueError naming the argument that has a wrong shape, or holds anything but finite
    numbers, or a negative conductance.
    """
    from kirchhoff import _lines, _tiles

    G = conductances("crosspoint_siemens", crosspoint_siemens)
    V = real_matrix("row_volts", row_volts)
    rows, columns = G.shape
    if V.shape[1] != rows:
        raise ValueError(
            f"row_volts must have shape (vectors, {rows}), one voltage for each row of "
            f"crosspoint_siemens, not {V.shape}"
        )
    ohms = ohms_of(wire)
    currents = np.empty((len(V), columns))
    if not len(V):
        return currents
    board = _lines.ladders(G, ohms)
    steps = _lines.solve(currents[:1], V[:1], board)
    # Costs measured in the time of one step: (rows columns)^1.5 for the matrix is about two
    # steps for each of sqrt(rows columns) vectors.
    if steps >= 0 and len(V) * (steps + 1) <= 2 * isqrt(rows * columns):
        steps = _lines.solve(currents[1:], V[1:], board)
        if steps >= 0:
            return currents
    currents[:] = 0.0
    _tiles.add_product(currents, np.ascontiguousarray(V.T), _tiles.transfer(G, ohms), 1.0, False)
    return currents


def transfer_matrix(crosspoint_siemens: ArrayLike, wire: Wire) -> NDArray[np.float64]:
    """Transfer matrix (rows, columns), in siemens: the column currents for 1 V on each row alone.

    crosspoint_siemens (rows, columns) are the crosspoints' conductances, >= 0. With a wire of
    zero ohms throughout it is their own matrix. Column currents are `row_volts @ transfer`.
    Exact to 1e-11 of the largest entry.

    Raises ValueError naming the argument that has a wrong shape, or holds anything but finite
    numbers >= 0.
    """
    from kirchhoff import _tiles

    return _tiles.transfer(conductances("crosspoint_siemens", crosspoint_siemens), ohms_of(wire))
