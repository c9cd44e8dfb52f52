"""Cut a matrix that is larger than the board into tiles that the board holds one at a time.

With rows cut into blocks I and outputs into blocks J, x W is, output block by output block,

    (x W)_J = Σ_I x_I W_IJ,

and the board makes every x_I W_IJ; they are added digitally. Each output of each tile has a scale
of its own: a partial sum is divided by it before it is added. So the square error of the sum is the
sum of the tiles' square errors, whatever the other scales are, as long as these errors are
independent; it is smallest where each tile's is smallest. A common scale could be no better
anywhere, and would be worse wherever a tile's largest weight is smaller than the matrix's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from calibration.arrays import Floats
from calibration.errors import MatrixError

MAX_TILES = 64
"""While one tile is programmed, the board drifts away from the measurements of all others."""
NEGLIGIBLE_SHARE = 2.0**-52
"""Share of the largest weight of an output. Where a tile holds no larger weight, its partial sums
are at the level of the rounding of the others' in binary64.
"""


@dataclass(frozen=True)
class Tile:
    """A block of a matrix: its rows and outputs, counted from 0; from 1 in its text."""

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
        """Its rows in the matrix, and its inputs in a vector."""
        return slice(self.first_row, self.first_row + self.rows)

    @property
    def of_outputs(self) -> slice:
        """Its outputs in the matrix."""
        return slice(self.first_output, self.first_output + self.outputs)

    @property
    def block(self) -> tuple[slice, slice]:
        """Its place in a matrix (rows, outputs)."""
        return self.of_rows, self.of_outputs


def cut(rows: int, outputs: int, max_rows: int, max_outputs: int) -> tuple[Tile, ...]:
    """Cut a matrix (rows, outputs) into the fewest tiles of at most (max_rows, max_outputs).

    Tiles run row by row. Their sides differ by at most one: a sliver at the end would use few rows,
    and give its reading the noise of many.
    """
    return tuple(_cut(rows, outputs, max_rows, max_outputs))


def tiles_to_program(matrix: Floats, max_rows: int, max_outputs: int) -> tuple[Tile, ...]:
    """Return the tiles of a matrix (rows, outputs) that have to be programmed, one after another.

    A board of `max_rows` rows and `max_outputs` outputs holds each. Tiles without a weight that
    counts are left out: they add zero to a product.

    Raises MatrixError where there are more than MAX_TILES.
    """
    rows, outputs = matrix.shape
    counts = NEGLIGIBLE_SHARE * _largest_of_outputs(matrix)
    tiles: list[Tile] = []
    for tile in _cut(rows, outputs, max_rows, max_outputs):
        if (_largest_of_outputs(matrix[tile.block]) > counts[tile.of_outputs]).any():
            tiles.append(tile)
        if len(tiles) > MAX_TILES:  # here, so that a huge matrix is refused at once
            raise MatrixError(
                f"a matrix of {rows} rows × {outputs} outputs does not fit on the board: it takes "
                f"more than {MAX_TILES} tiles of up to {max_rows} × {max_outputs}"
            )
    return tuple(tiles)


def _largest_of_outputs(matrix: Floats) -> Floats:
    """Return the largest magnitude of each output (outputs,), without a copy of the matrix."""
    return np.asarray(np.maximum(matrix.max(axis=0), -matrix.min(axis=0)))


def _cut(rows: int, outputs: int, max_rows: int, max_outputs: int) -> Iterator[Tile]:
    for first_row, tile_rows in _even_parts(rows, max_rows):
        for first_output, tile_outputs in _even_parts(outputs, max_outputs):
            yield Tile(first_row, tile_rows, first_output, tile_outputs)


def _even_parts(length: int, max_length: int) -> list[tuple[int, int]]:
    """Return the start and length of as few parts as possible."""
    count = -(-length // max_length)
    ends = [-(-length * part // count) for part in range(count + 1)]
    return [(begin, end - begin) for begin, end in pairwise(ends)]
