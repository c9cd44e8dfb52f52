"""Matrices of a single tile."""

from dataclasses import replace
from typing import Any

from calibration.programming.programmed import Programmed
from calibration.programming.tiles import Tile
from instrument.matrix.programmed import ProgrammedMatrix
from instrument.matrix.tiled import ProgrammedTile, TiledMatrix


def alone(matrix: ProgrammedMatrix) -> TiledMatrix:
    """Return a programmed matrix as what a bench makes of it where it fits on the board."""
    rows, outputs = matrix.weights.shape
    return TiledMatrix(matrix.weights, (ProgrammedTile(Tile(0, rows, 0, outputs), matrix),))


def programmed_of(program: TiledMatrix) -> Programmed:
    """Return how the only tile stands on the board."""
    (part,) = program.tiles
    return part.matrix.programmed


def changed(program: TiledMatrix, **changes: Any) -> TiledMatrix:
    """Return the same with fields of its only tile's matrix changed."""
    (part,) = program.tiles
    return alone(replace(part.matrix, **changes))
