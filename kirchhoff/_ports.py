"""Compiled: where the ports of two tiles go when the tiles are joined.

The ports of a tile are in the order Left, Bottom, Right, Top; those of a side run from the top,
or from the left. Tiles on the board's right edge have no Right, those on its upper edge no Top.
"""

import numpy as np
from numpy.typing import NDArray

from kirchhoff.compiled import callee, kernel

Index = NDArray[np.int64]
# Ports on the seam of X and of Y; the others of X and of Y; where those stand in the joined tile.
Seam = tuple[Index, Index, Index, Index, Index, Index]


@callee
def _ports(start: Index, count: Index) -> Index:
    """The ports start[0], start[0] + 1, ... (count[0] of them), then those from start[1], ..."""
    ports = np.empty(count.sum(), np.int64)
    n = 0
    for side in range(len(start)):
        for k in range(count[side]):
            ports[n] = start[side] + k
            n += 1
    return ports


@kernel
def seam_right(h: int, wx: int, wy: int, right: int, top: int) -> Seam:
    """Ports of X, left of Y: (seam of X, seam of Y, others of X, others of Y, their new places).

    `right` and `top` are 1 where the joined tile has such ports, else 0.
    """
    w = wx + wy
    e = right * h
    others_x = np.array([h, wx, top * wx])  # Left, Bottom, Top
    others_y = np.array([wy, e, top * wy])  # Bottom, Right, Top
    return (
        _ports(np.array([h + wx]), np.array([h])),
        _ports(np.array([0]), np.array([h])),
        _ports(np.array([0, h, h + wx + h]), others_x),
        _ports(np.array([h, h + wy, h + wy + e]), others_y),
        _ports(np.array([0, h, h + w + e]), others_x),
        _ports(np.array([h + wx, h + w, h + w + e + wx]), others_y),
    )


@kernel
def seam_top(hx: int, hy: int, w: int, right: int, top: int) -> Seam:
    """Ports of X, below Y, as `seam_right` gives them."""
    h = hx + hy
    ex, ey = right * hx, right * hy
    others_x = np.array([hx, w, ex])  # Left, Bottom, Right
    others_y = np.array([hy, ey, top * w])  # Left, Right, Top
    return (
        _ports(np.array([hx + w + ex]), np.array([w])),
        _ports(np.array([hy]), np.array([w])),
        _ports(np.array([0, hx, hx + w]), others_x),
        _ports(np.array([0, hy + w, hy + w + ey]), others_y),
        _ports(np.array([hy, h, h + w + ey]), others_x),
        _ports(np.array([0, h + w, h + w + ex + ey]), others_y),
    )


@kernel
def live_ports(size: int, shape: tuple[int, int], right: int, top: int) -> Index:
    """Ports of a size x size tile whose last shape[0] rows and first shape[1] columns are live."""
    h, w = shape
    start = np.array([size - h, size, 3 * size - h, 3 * size])
    ports: Index = _ports(start, np.array([h, w, right * h, top * w]))
    return ports
