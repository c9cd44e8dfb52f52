"""A programmed matrix: what multiplies, whole or in tiles, and its file."""

from instrument.matrix.file import load_program, program_arrays, program_file
from instrument.matrix.programmed import ProgrammedMatrix
from instrument.matrix.tiled import ProgrammedTile, TiledMatrix, of_one_among

__all__ = [
    "ProgrammedMatrix",
    "ProgrammedTile",
    "TiledMatrix",
    "load_program",
    "of_one_among",
    "program_arrays",
    "program_file",
]
