"""A matrix in tiles: a single one if it fits on the board, else several that take turns.

Each tile was programmed by itself, in the loop; its pattern, transfer matrix, scales and ranges are
kept. In a product the pattern of a tile is sent again, all vectors are driven, and its outputs give
partial sums, which are added digitally.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from calibration.arrays import Bools, Floats
from calibration.crossbar import Progress, no_progress
from calibration.programming import WATCH_SECONDS, Tile, Watch
from calibration.records import Record
from instrument.arguments import file_path, input_vectors
from instrument.board import Board
from instrument.display import as_html, as_text
from instrument.matrix.programmed import ProgrammedMatrix

BATCH_VECTORS = 64
"""Vectors multiplied at a time, between two calls of `progress`."""


@dataclass(frozen=True, eq=False, repr=False)
class ProgrammedTile(Record):
    """A tile, and its matrix as it stands on the board in its turn."""

    tile: Tile
    matrix: ProgrammedMatrix
    """Matrix of the tile's own weights, inputs and outputs."""


@dataclass(frozen=True, eq=False, repr=False)
class TiledMatrix:
    """Matrix that the board was programmed with, tile by tile.

    `x @ program` reads every output of every tile once; `program @ x` is the same.
    """

    weights: Floats
    """(rows, outputs): the matrix that was asked for; 0 for lost outputs."""
    tiles: tuple[ProgrammedTile, ...]
    """At least one, in the order in which they were programmed."""

    def __repr__(self) -> str:
        return as_text("Programmed matrix", self._figures())

    def _repr_html_(self) -> str:
        return as_html("Programmed matrix", self._figures())

    def _figures(self) -> dict[str, str]:
        rows, outputs = self.weights.shape
        board, lost, unreachable = self.board, int(self.lost.sum()), int(self.unreachable.sum())
        figures = {
            "of": f"{rows} rows × {outputs} outputs",
            "on": f"board {board.type} {board.identity.serial}",
            "inputs": f"up to ±{self.input_full_scale:g}",
            "tiles": str(len(self.tiles)),
            "residual": f"{self.residual_rms:.1e} of the largest weight",
        }
        if unreachable:
            figures["beyond reach"] = f"{unreachable} weights"
        if lost:
            figures["lost"] = f"{lost} outputs"
        return figures

    __array_ufunc__ = None
    """Makes numpy leave `x @ program` to this class."""

    def __rmatmul__(self, x: ArrayLike) -> Floats:
        """Return x W as the board answers it: see `__matmul__`."""
        return self @ x

    def __matmul__(self, x: ArrayLike) -> Floats:
        """Return x W as the board answers it: (rows,) gives (outputs,), a batch gives a batch.

        A batch is (vectors, rows) and gives (vectors, outputs). ŷ is the sum of the tiles' one-shot
        answers to their inputs. Each tile is set once, for all vectors. Lost outputs are NaN.

        Raises ValueError and OverloadError as `ProgrammedMatrix` does.
        """
        inputs = input_vectors(x, len(self.weights), self.input_full_scale)
        vectors = np.atleast_2d(inputs)
        with self.board.lock:  # threads alternate between products, not between tiles
            partial = [part.matrix @ vectors[:, part.tile.of_rows] for part in self.tiles]
        answered = np.where(self.lost, np.nan, self.sum_of(partial))
        return answered.reshape(*inputs.shape[:-1], answered.shape[1])

    def partial_products(self, inputs: Floats, progress: Progress = no_progress) -> list[Floats]:
        """Return each tile's answers, (vectors, outputs of the tile), to inputs (vectors, rows).

        A tile multiplies its part of the inputs in batches, watched from the beginning of its turn
        (`multiply_watched`). `progress` counts all tiles.
        """
        partial = []
        for index, part in enumerate(self.tiles):
            own = inputs[:, part.tile.of_rows]
            tile_progress = of_one_among(progress, index, len(self.tiles))
            partial.append(multiply_watched(self.in_turn(part), own, tile_progress))
        return partial

    def sum_of(self, partial: Sequence[Floats]) -> Floats:
        """Return the products (vectors, outputs) as the sum of the tiles' partial products.

        Lost outputs are 0.
        """
        total = np.zeros((len(partial[0]), self.weights.shape[1]))
        for part, answered in zip(self.tiles, partial, strict=True):
            total[:, part.tile.of_outputs] += answered
        total[:, self.lost] = 0.0
        return total

    def in_turn(self, part: ProgrammedTile) -> ProgrammedMatrix:
        """Return a tile's matrix for the batches of its turn.

        With several tiles its sentinels are read first: the board has moved while other tiles had
        their turns.
        """
        return part.matrix.watched() if len(self.tiles) > 1 else part.matrix

    def watched(self) -> TiledMatrix:
        """Return the same matrix with the gain that the sentinels of each tile show now."""
        watched = (replace(part, matrix=part.matrix.watched()) for part in self.tiles)
        return replace(self, tiles=tuple(watched))

    @property
    def watches(self) -> tuple[Watch, ...]:
        """Latest readings of the sentinels, of each tile where they were ever read."""
        return tuple(part.matrix.watch for part in self.tiles if part.matrix.watch)

    def reprogrammed(self, progress: Progress = no_progress) -> TiledMatrix:
        """Return the same matrix, each tile measured anew and its moved pairs selected anew."""
        return replace(
            self,
            tiles=tuple(
                replace(
                    part,
                    matrix=part.matrix.reprogrammed(of_one_among(progress, index, len(self.tiles))),
                )
                for index, part in enumerate(self.tiles)
            ),
        )

    def save(self, path: str | Path) -> None:
        """Write it to a .npz file, from which `bench.load_program` sets it on its board again.

        Raises FileNotWritten where that fails.
        """
        from instrument.matrix.file import save_program  # late: it imports this module

        save_program(self, file_path(path))

    @property
    def board(self) -> Board:
        """The board of all tiles."""
        return self.tiles[0].matrix.board

    @property
    def volts_per_unit(self) -> float:
        """Row voltage of an input of one, the same for all tiles."""
        return self.tiles[0].matrix.volts_per_unit

    @property
    def input_full_scale(self) -> float:
        """The largest |x| that the matrix was programmed for."""
        return self.tiles[0].matrix.input_full_scale

    @property
    def residual_weights(self) -> Floats:
        """Measured minus wanted weight (rows, outputs), each output at its scale in a tile.

        Zero where no tile was worth programming.
        """
        return self._assembled(
            [
                part.matrix.programmed.residual_siemens
                / part.matrix.programmed.targets.scale_siemens
                for part in self.tiles
            ]
        )

    @property
    def residual_of_largest(self) -> Floats:
        """Measured minus wanted difference (rows, outputs), relative to the largest of the tile.

        The largest is that of the wanted differences of pairs; zero where no tile was worth
        programming.
        """
        return self._assembled(
            [
                part.matrix.programmed.residual_siemens
                / (np.abs(part.matrix.programmed.targets.difference_siemens).max() or 1.0)
                for part in self.tiles
            ]
        )

    @property
    def unreachable(self) -> Bools:
        """(rows, outputs): weights beyond what their working branches reach."""
        return self._marked([part.matrix.programmed.unreachable for part in self.tiles])

    @property
    def coarse(self) -> Bools:
        """(rows, outputs): weights within their branches' reach, whose sums are too coarse."""
        return self._marked([part.matrix.programmed.coarse for part in self.tiles])

    @property
    def lost(self) -> Bools:
        """(outputs,): outputs of which a tile has a column that overloads every range."""
        lost = np.zeros(self.weights.shape[1], dtype=bool)
        for part in self.tiles:
            lost[part.tile.of_outputs] |= part.matrix.programmed.lost
        return lost

    @property
    def residual_rms(self) -> float:
        """Root mean square residual of the weights that are neither unreachable nor coarse.

        It is relative to the largest wanted difference of their tile; NaN if there are none.
        """
        counts = self._marked(
            [
                ~(part.matrix.programmed.unreachable | part.matrix.programmed.coarse)
                for part in self.tiles
            ]
        )
        return self._relative_rms(counts)

    @property
    def coarse_rms(self) -> float:
        """Root mean square residual of the coarse weights, relative as in `residual_rms`."""
        return self._relative_rms(self.coarse)

    def _relative_rms(self, counts: Bools) -> float:
        if not counts.any():
            return math.nan
        return float(np.sqrt((self.residual_of_largest[counts] ** 2).mean()))

    def _marked(self, of_tiles: Sequence[Bools]) -> Bools:
        """Return marks (rows, outputs) assembled from those of the tiles.

        False where no tile was worth programming.
        """
        whole = np.zeros(self.weights.shape, dtype=bool)
        for part, own in zip(self.tiles, of_tiles, strict=True):
            whole[part.tile.block] = own
        return whole

    def _assembled(self, of_tiles: Sequence[Floats]) -> Floats:
        """Return a matrix (rows, outputs) assembled from those of the tiles."""
        whole = np.zeros(self.weights.shape)
        for part, own in zip(self.tiles, of_tiles, strict=True):
            whole[part.tile.block] = own
        return whole


def multiply_watched(
    matrix: ProgrammedMatrix, inputs: Floats, progress: Progress = no_progress
) -> Floats:
    """Return the one-shot products (vectors, outputs) of inputs (vectors, rows), in batches.

    The matrix stands on the board. Before a batch its sentinels are read if the gain is old by
    then. `progress` is called after each batch.
    """
    answered = []
    for first in range(0, len(inputs), BATCH_VECTORS):
        if matrix.corrected.moment()[0] - matrix.gain_seconds > WATCH_SECONDS:
            matrix = matrix.watched()
        answered.append(matrix @ inputs[first : first + BATCH_VECTORS])
        progress(min(first + BATCH_VECTORS, len(inputs)), len(inputs))
    return np.concatenate(answered)


def of_one_among(progress: Progress, index: int, count: int) -> Progress:
    """Return the progress of one part among several alike as a share of all of them."""

    def tell(done: int, total: int) -> None:
        progress(index * total + done, count * total)

    return tell
