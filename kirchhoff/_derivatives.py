"""How the transfer matrix answers to its crosspoints: derivatives through the joining of tiles.

The matrix K of a tile (see `_tiles`) is half the second derivative of a function q of what is
imposed on its ports, which is stationary in everything inside. A small change therefore shows at
first order only where it is, weighted with what is there already: one crosspoint's change dg, seen
from the ports of its leaf, is

    dK = d dg d^T,

d being the crosspoint's voltage for 1 V or 1 A imposed on each port; and two tiles X and Y joined
at a seam give

    dK = V_X^T dK_X V_X + V_Y^T dK_Y V_Y,

V_X being what X's ports carry for each of the joined tile's. Forward these sums run from the
crosspoints to the board; transposed, from a weight on the board's ports back to the crosspoints.
Either way the cost is O(N^3), as the transfer matrix itself, and no step divides by a wire.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kirchhoff._leaves import TILE, leaves
from kirchhoff._plan import Board, Joint, Leaf, Ohms, filled, plan
from kirchhoff._ports import Index

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Side:
    """One of two joined tiles: its ports on the seam, its others, where these go in the joined.

    `carried` (seam, ports of the joined tile) is what its ports on the seam carry.
    """

    seam: Index
    others: Index
    places: Index
    carried: Array

    def forward(self, dK: Array) -> Array:
        """V^T dK V, V being `carried` on the seam and the joined tile's own at the others."""
        half = 0.5 * dK[np.ix_(self.seam, self.seam)] @ self.carried
        half[:, self.places] += dK[np.ix_(self.seam, self.others)]
        half = self.carried.T @ half
        joined: Array = half + half.T
        joined[np.ix_(self.places, self.places)] += dK[np.ix_(self.others, self.others)]
        return joined

    def backward(self, weight: Array) -> Array:
        """V weight V^T."""
        ports = len(self.seam) + len(self.others)
        on_seam = self.carried @ weight
        out = np.empty((ports, ports))
        out[np.ix_(self.others, self.others)] = weight[np.ix_(self.places, self.places)]
        out[np.ix_(self.seam, self.others)] = on_seam[:, self.places]
        out[np.ix_(self.others, self.seam)] = on_seam[:, self.places].T
        out[np.ix_(self.seam, self.seam)] = on_seam @ self.carried.T
        return out


def _joined(X: Array, Y: Array, joint: Joint) -> tuple[Array, _Side, _Side]:
    """K of X and Y joined, and both sides of the seam."""
    cx, cy, ox, oy, new_x, new_y = joint.seam
    minus_Z, P = X[np.ix_(cx, cx)], Y[np.ix_(cy, cy)]
    a, b = X[np.ix_(cx, ox)], Y[np.ix_(cy, oy)]
    ports = len(ox) + len(oy)
    imposed = np.empty((len(cx), ports))
    imposed[:, new_x], imposed[:, new_y] = a, minus_Z @ b
    volts: Array = np.asarray(np.linalg.solve(np.eye(len(cx)) - minus_Z @ P, imposed), np.float64)
    amperes: Array = P @ volts
    amperes[:, new_y] += b
    K = np.empty((ports, ports))
    K[new_x], K[new_y] = a.T @ amperes, b.T @ volts
    K[np.ix_(new_x, new_x)] += X[np.ix_(ox, ox)]
    K[np.ix_(new_y, new_y)] += Y[np.ix_(oy, oy)]
    return K, _Side(cx, ox, new_x, amperes), _Side(cy, oy, new_y, volts)


def _crosspoint_volts(board: Board) -> Array:
    """Every crosspoint's voltage for each port of its leaf, (down, across, TILE TILE, 4 TILE).

    With no current the crosspoints would have E p, p being what is imposed on the ports; their
    currents G d meet the resistances R of the wires they share: (1 + R G) d = E p.
    """
    down, across = (size // TILE for size in board.siemens.shape)
    g = board.siemens.reshape(down, TILE, across, TILE).swapaxes(1, 2)
    left = board.left_ohms.reshape(across, TILE).cumsum(1)  # from the leaf's Left port on
    below = board.below_ohms.reshape(down, TILE)[:, ::-1].cumsum(1)[:, ::-1]  # from Bottom upwards
    place, unit = np.arange(TILE), np.eye(TILE)
    shared_left = left[:, np.minimum.outer(place, place)]
    shared_below = below[:, np.maximum.outer(place, place)]
    d = np.empty((down, across, TILE * TILE, 4 * TILE))
    for i in range(down):
        R = np.einsum("ik,ajl->aijkl", unit, shared_left)
        R = R + np.einsum("ik,jl->ijkl", shared_below[i], unit)
        E = np.zeros((across, TILE, TILE, 4, TILE))
        E[..., 0, :] = unit[:, None, :]
        E[..., 1, :] = -unit[None, :, :]
        E[..., 2, :] = -left[:, None, :, None] * unit[:, None, :]
        E[..., 3, :] = below[i][:, None, None] * unit[None, :, :]
        size = TILE * TILE
        system = R.reshape(across, size, size) * g[i].reshape(across, 1, size) + np.eye(size)
        d[i] = np.linalg.solve(system, E.reshape(across, size, 4 * TILE))
    return d


def _place(i: int, j: int) -> tuple[slice, slice]:
    """Where the crosspoints of a leaf are on its board."""
    return slice(i * TILE, (i + 1) * TILE), slice(j * TILE, (j + 1) * TILE)


def forward(G: Array, dG: Array, ohms: Ohms) -> Array:
    """First-order change (rows, columns) of the transfer matrix for dG (rows, columns)."""
    rows, columns = G.shape
    board, change = filled(G, ohms), filled(dG, ohms).siemens
    leaf = leaves(board.siemens, board.left_ohms, board.below_ohms)
    volts = _crosspoint_volts(board)

    def up(tree: Joint | Leaf) -> tuple[Array, Array]:
        """K, and its change."""
        if isinstance(tree, Leaf):
            i, j = tree.place
            d = volts[i, j][:, tree.ports]
            dg = change[_place(i, j)].reshape(-1, 1)
            return leaf[i, j][np.ix_(tree.ports, tree.ports)], d.T @ (dg * d)
        (X, dX), (Y, dY) = up(tree.first), up(tree.second)
        K, x, y = _joined(X, Y, tree)
        return K, x.forward(dX) + y.forward(dY)

    _, dK = up(plan(rows, columns))
    return -dK[:rows, rows:]


def backward(G: Array, weight: Array, ohms: Ohms) -> Array:
    """Gradient (rows, columns) by G of the sum of weight (rows, columns) times the matrix."""
    rows, columns = G.shape
    board = filled(G, ohms)
    leaf = leaves(board.siemens, board.left_ohms, board.below_ohms)
    volts = _crosspoint_volts(board)
    gradient = np.empty_like(board.siemens)

    def up(tree: Joint | Leaf) -> tuple[Array, Callable[[Array], None]]:
        """K, and what to do with the weight of each of its elements."""
        if isinstance(tree, Leaf):
            i, j = tree.place
            d = volts[i, j][:, tree.ports]

            def end(weight: Array) -> None:
                gradient[_place(i, j)] = ((d @ weight) * d).sum(1).reshape(TILE, TILE)

            return leaf[i, j][np.ix_(tree.ports, tree.ports)], end
        (X, to_x), (Y, to_y) = up(tree.first), up(tree.second)
        K, x, y = _joined(X, Y, tree)

        def down(weight: Array) -> None:
            to_x(x.backward(weight))
            to_y(y.backward(weight))

        return K, down

    _, down = up(plan(rows, columns))
    on_ports = np.zeros((rows + columns, rows + columns))
    on_ports[:rows, rows:] = -0.5 * weight
    on_ports[rows:, :rows] = -0.5 * weight.T
    down(on_ports)
    return gradient[board.live]
