"""Cut a matrix that is larger than the board into tiles, each of which the board holds by itself.

With rows cut into blocks I and outputs into blocks J, x W is, output block by output block,

    (x W)_J = Σ_I x_I W_IJ,

and the board makes every x_I W_IJ; they are added digitally. Each output of each tile has a scale
of its own: a partial sum is divided by it before it is added, so whatever the others' are, the
square error of the sum is the sum of the tiles' square errors as long as these are independent, and
is least where each tile's is least. A common scale could be no better anywhere, and would be worse
wherever a tile's largest weight is smaller than the matrix's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from calibration.arrays import Floats
from calibration.errors import MatrixError

MOST_TILES = 64
"""While one is programmed, the board drifts away from what was measured of all others."""
NEGLIGIBLE = 2.0**-52
"""Of the largest weight of an output: where a tile holds none above this, binary64 can hardly tell
its partial sums from the others' rounding.
"""


@dataclass(frozen=True)
class Tile:
    """A block of a matrix: which of its rows and outputs, counted from 0; from 1 in its text."""

    first_row: int
    rows: int
    first_output: int
    outputs: int

    def __str__(self) -> str:
        last_row, last_output = self.first_row + self.rows, self.first_output + self.outputs
        return (
            f"rows {self.first_row + 1} to {last_row}, "
            f"outputs {self.first_output + 1} to {last_output}"
        )

    @property
    def of_rows(self) -> slice:
        """Where its rows are in the matrix, and its inputs in a vector."""
        return slice(self.first_row, self.first_row + self.rows)

    @property
    def of_outputs(self) -> slice:
        """Where its outputs are."""
        return slice(self.first_output, self.first_output + self.outputs)

    @property
    def block(self) -> tuple[slice, slice]:
        """Where it is in a matrix of (rows, outputs)."""
        return self.of_rows, self.of_outputs


def cut(rows: int, outputs: int, most_rows: int, most_outputs: int) -> tuple[Tile, ...]:
    """Cut a matrix of (rows, outputs) into as few tiles of at most (most_rows, most_outputs) as
    there can be, row by row of tiles.

    Their sides differ by one at most: a sliver at the end would use few rows, and give its reading
    the noise of many.
    """
    return tuple(_cut(rows, outputs, most_rows, most_outputs))


def tiles_to_program(matrix: Floats, most_rows: int, most_outputs: int) -> tuple[Tile, ...]:
    """Return the tiles of a matrix (rows, outputs) that a board of so many rows and outputs is to
    be programmed with, one after another: those that hold a weight which counts. What the others
    add to a product is zero.

    Raises MatrixError where there are more than MOST_TILES.
    """
    rows, outputs = matrix.shape
    counts = NEGLIGIBLE * _largest_of_outputs(matrix)
    tiles: list[Tile] = []
    for tile in _cut(rows, outputs, most_rows, most_outputs):
        if (_largest_of_outputs(matrix[tile.block]) > counts[tile.of_outputs]).any():
            tiles.append(tile)
        if len(tiles) > MOST_TILES:  # a huge matrix is refused at once
            raise MatrixError(
                f"a matrix of {rows} rows × {outputs} outputs does not fit on the board: it takes "
                f"more than {MOST_TILES} tiles of up to {most_rows} × {most_outputs}"
            )
    return tuple(tiles)


def _largest_of_outputs(matrix: Floats) -> Floats:
    """Return the largest magnitude of each output (outputs,), without a copy of the matrix."""
    return np.asarray(np.maximum(matrix.max(axis=0), -matrix.min(axis=0)))


def _cut(rows: int, outputs: int, most_rows: int, most_outputs: int) -> Iterator[Tile]:
    for first_row, tile_rows in _even_parts(rows, most_rows):
        for first_output, tile_outputs in _even_parts(outputs, most_outputs):
            yield Tile(first_row, tile_rows, first_output, tile_outputs)


def _even_parts(length: int, most: int) -> list[tuple[int, int]]:
    """Return beginning and length of as few parts as possible."""
    count = -(-length // most)
    ends = [-(-length * part // count) for part in range(count + 1)]
    return [(begin, end - begin) for begin, end in pairwise(ends)]
