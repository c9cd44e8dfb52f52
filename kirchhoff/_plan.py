"""In which order the tiles of a board are joined (see `_tiles`): halved and halved again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kirchhoff._leaves import TILE
from kirchhoff._ports import Index, Seam, live_ports, seam_right, seam_top

Array = NDArray[np.float64]
Ohms = tuple[float, float, float, float]  # row, column, source, sense


@dataclass(frozen=True)
class Leaf:
    """The leaf in row and column `place` of leaves, and its ports that are in use."""

    place: tuple[int, int]
    ports: Index


@dataclass(frozen=True)
class Joint:
    """`first` is left of or below `second`; `seam` says where their ports go."""

    first: "Joint | Leaf"
    second: "Joint | Leaf"
    seam: Seam


Tree = Joint | Leaf


@dataclass(frozen=True)
class Board:
    """Conductances (rows, columns) filled up to whole leaves, and the wires between them.

    left_ohms (columns,) is the wire left of each column, below_ohms (rows,) that below each row.
    Dead rows above and dead columns on the right do the filling; `live` is what they leave.
    """

    siemens: Array
    left_ohms: Array
    below_ohms: Array
    live: tuple[slice, slice]


def filled(G: Array, ohms: Ohms) -> Board:
    """Return the board G in whole leaves."""
    row_ohms, column_ohms, source_ohms, sense_ohms = ohms
    rows, columns = G.shape
    down, across = -(-rows // TILE), -(-columns // TILE)
    live = slice(down * TILE - rows, None), slice(None, columns)
    siemens = np.zeros((down * TILE, across * TILE))
    siemens[live] = G
    left_ohms = np.full(across * TILE, row_ohms)
    left_ohms[0] = source_ohms
    below_ohms = np.full(down * TILE, column_ohms)
    below_ohms[-1] = sense_ohms
    return Board(siemens, left_ohms, below_ohms, live)


def plan(rows: int, columns: int) -> Tree:
    """How a board of rows x columns crosspoints is joined.

    The ports of padding and of the open edges do not take part, so that those of the whole are
    Left, one for each row, and Bottom, one for each column.
    """
    down, across = -(-rows // TILE), -(-columns // TILE)
    above = down * TILE - rows

    def halved(i0: int, i1: int, j0: int, j1: int) -> Tree:
        """Return the tree of the leaves [i0, i1) x [j0, j1)."""
        right, top = int(j1 < across), int(i0 > 0)
        h = i1 * TILE - max(i0 * TILE, above)
        w = min(j1 * TILE, columns) - j0 * TILE
        if i1 - i0 == 1 and j1 - j0 == 1:
            return Leaf((i0, j0), live_ports(TILE, (h, w), right, top))
        if w > h:
            j = (j0 + j1) // 2
            wx = (j - j0) * TILE
            seam = seam_right(h, wx, w - wx, right, top)
            return Joint(halved(i0, i1, j0, j), halved(i0, i1, j, j1), seam)
        i = (i0 + i1) // 2
        hx = (i1 - i) * TILE
        seam = seam_top(hx, h - hx, w, right, top)
        return Joint(halved(i, i1, j0, j1), halved(i0, i, j0, j1), seam)

    return halved(0, down, 0, across)
