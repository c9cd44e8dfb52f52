"""A programmed matrix: multiplies on the board, whole or in tiles, and has a file.

`TiledMatrix` is what `Bench.program` returns; each of its tiles holds a `ProgrammedMatrix`, which
stands on the board by itself. Read first: programmed.py (the one-shot product), then tiled.py (how
tiles take turns) and file.py.
"""

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
