"""Where the ports of two tiles go when the tiles are joined.

The ports of a tile are in the order Left, Bottom, Right, Top; those of a side run from the top,
or from the left. Tiles on the board's right edge have no Right, those on its upper edge no Top.
Few pairs of shapes come up on a board, so that each answer is kept.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
# Ports on the seam of X and of Y; the others of X and of Y; where those stand in the joined tile.
Seam = tuple[Index, Index, Index, Index, Index, Index]


def _ports(start: Sequence[int], count: Sequence[int]) -> Index:
    """Return ports start[0], start[0] + 1, ... (count[0] of them), then those from start[1], ..."""
    sides = zip(start, count, strict=True)
    return np.concatenate([np.arange(s, s + n, dtype=np.int64) for s, n in sides])


@lru_cache(maxsize=1024)
def seam_right(h: int, wx: int, wy: int, right: int, top: int) -> Seam:
    """Ports of X, left of Y: (seam of X, seam of Y, others of X, others of Y, their new places).

    `right` and `top` are 1 where the joined tile has such ports, else 0.
    """
    w = wx + wy
    e = right * h
    others_x = h, wx, top * wx  # Left, Bottom, Top
    others_y = wy, e, top * wy  # Bottom, Right, Top
    return (
        _ports([h + wx], [h]),
        _ports([0], [h]),
        _ports([0, h, h + wx + h], others_x),
        _ports([h, h + wy, h + wy + e], others_y),
        _ports([0, h, h + w + e], others_x),
        _ports([h + wx, h + w, h + w + e + wx], others_y),
    )


@lru_cache(maxsize=1024)
def seam_top(hx: int, hy: int, w: int, right: int, top: int) -> Seam:
    """Ports of X, below Y, as `seam_right` gives them."""
    h = hx + hy
    ex, ey = right * hx, right * hy
    others_x = hx, w, ex  # Left, Bottom, Right
    others_y = hy, ey, top * w  # Left, Right, Top
    return (
        _ports([hx + w + ex], [w]),
        _ports([hy], [w]),
        _ports([0, hx, hx + w], others_x),
        _ports([0, hy + w, hy + w + ey], others_y),
        _ports([hy, h, h + w + ey], others_x),
        _ports([0, h + w, h + w + ex + ey], others_y),
    )


@lru_cache(maxsize=1024)
def live_ports(size: int, shape: tuple[int, int], right: int, top: int) -> Index:
    """Ports of a size x size tile whose last shape[0] rows and first shape[1] columns are live."""
    h, w = shape
    return _ports([size - h, size, 3 * size - h, 3 * size], [h, w, right * h, top * w])
