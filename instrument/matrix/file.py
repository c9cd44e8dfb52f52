"""File of a programmed matrix: all that lets it stand on its board again.

A file holds one matrix, with all of its tiles or one of them. Of each tile it holds the place, the
pattern, the measured transfer matrix, the scales, the ranges, and the improved knowledge of the
branches; of the board, the converters that rows are driven and columns are read through.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.converters import Converters, CorrectedCrossbar, RangeGains
from calibration.programming import Programmed, Tile
from instrument.board import Board
from instrument.board_calibration import BoardIdentity, digest_of, identity_of
from instrument.errors import UsageError
from instrument.files import (
    Arrays,
    arrays_of,
    as_usage_error,
    pack,
    read_bytes,
    unpack,
    write_arrays,
)
from instrument.matrix.programmed import ProgrammedMatrix
from instrument.matrix.tiled import ProgrammedTile, TiledMatrix
from instrument.run_files import MAX_RESULT_BYTES, PRODUCTS_FILE, RESULT_FILE

FORMAT = "ohmsum program 1"
MAX_PROGRAM_BYTES = 4 << 30
"""Largest program file, packed or not, bytes: 64 tiles of a large board need less."""
NAMES = {
    "tile.first_row": "first_row",
    "tile.first_output": "first_output",
    "programmed.pattern": "pattern",
    "programmed.lost": "lost",
    "programmed.transfer.siemens": "transfer_siemens",
    "programmed.transfer.uncertainty_siemens": "transfer_uncertainty_siemens",
    "programmed.transfer.volts": "transfer_volts",
    "programmed.transfer.zero_amperes": "zero_amperes",
    "programmed.targets.scale_siemens": "scale_siemens",
    "programmed.ranges.range_amperes": "ranges_amperes",
    "programmed.ranges.gain": "range_gains",
    "programmed.ranges.offset_amperes": "range_offsets_amperes",
    "programmed.round_residuals": "round_residuals",
}
"""Short names, in the file, of the arrays that people look for."""


def program_file(tile: Tile, shape: tuple[int, int]) -> str:
    """Return the file name of a tile of a matrix of this shape: program.npz for the only tile."""
    whole = (tile.rows, tile.outputs) == shape
    return "program.npz" if whole else f"program-{tile.first_row}-{tile.first_output}.npz"


def program_arrays(tiles: Sequence[ProgrammedTile], shape: tuple[int, int]) -> dict[str, Any]:
    """Return the arrays of a file that holds some tiles of a matrix (rows, outputs).

    The arrays of a single tile have their plain names; of several tiles, each array's name begins
    with its tile's first row and output.
    """
    matrix = tiles[0].matrix
    about = json.dumps(
        {
            "format": FORMAT,
            "board": asdict(identity_of(matrix.board)),
            "shape": shape,
            "tiles": [_prefix(part, tiles) for part in tiles],
        }
    )
    arrays = pack(matrix.corrected.converters, "converters.")
    if matrix.corrected.ranges is not None:
        arrays |= pack(matrix.corrected.ranges, "range_factors.")
    for part in tiles:
        prefix = _prefix(part, tiles)
        arrays |= {f"{prefix}{name}": array for name, array in _arrays_of_tile(part).items()}
    return {"about": about, "sha256": digest_of(about, arrays), **arrays}


def save_program(program: TiledMatrix, path: Path) -> None:
    """Write a programmed matrix to a .npz file.

    Raises FileNotWritten where that fails.
    """
    shape = program.weights.shape
    write_arrays(path, program_arrays(program.tiles, (shape[0], shape[1])))


def load_program(path: Path, board: Board) -> TiledMatrix:
    """Read a matrix that this board was programmed with, without setting anything on the board.

    `path` is a file, or the folder of a run, which has a file for each tile.

    Raises UsageError, which names the file, where it holds no program, was altered, or is of
    another board; and where the run was cut short before its matrix was programmed.
    """
    if not path.is_dir():
        return _load_file(path, board)
    files = sorted(path.glob("program*.npz"))
    # Either is written when all tiles are programmed.
    if not files or not any((path / name).is_file() for name in (PRODUCTS_FILE, RESULT_FILE)):
        raise UsageError(f"{path}: not the folder of a run that has programmed a matrix")
    parts = [_load_file(file, board) for file in files]
    if len({part.weights.shape for part in parts}) > 1:
        raise UsageError(f"{path}: its program files are of different matrices")
    tiles = tuple(tile for part in parts for tile in part.tiles)
    there = {(part.tile.first_row, part.tile.first_output) for part in tiles}
    if missing := _tiles_of_result(path) - there:
        row, output = min(missing)
        raise UsageError(
            f"{path}: {len(missing)} of its program files are missing, such as "
            f"program-{row}-{output}.npz"
        )
    # Each file has zeros where other tiles are.
    return TiledMatrix(sum((part.weights for part in parts[1:]), parts[0].weights), tiles)


def _tiles_of_result(folder: Path) -> set[tuple[int, int]]:
    """Return first row and first output of the tiles that a run's result names; none without it."""
    path = folder / RESULT_FILE
    if not path.is_file():
        return set()
    with as_usage_error(path, "not the result of a run"):
        tiles = json.loads(read_bytes(path, MAX_RESULT_BYTES))["program"]["tiles"]
        return {(int(tile["first_row"]), int(tile["first_output"])) for tile in tiles}


def _load_file(path: Path, board: Board) -> TiledMatrix:
    data = read_bytes(path, MAX_PROGRAM_BYTES)
    with as_usage_error(path, "not a program file"):
        members = arrays_of(data, MAX_PROGRAM_BYTES)
        text = str(members.pop("about"))
        about = json.loads(text)
        if about["format"] != FORMAT:
            raise UsageError(f"{path}: not a program file of this version of ohmsum")
        members.pop("run", None)  # a run writes its id into all of its files
        if str(members.pop("sha256")) != digest_of(text, members):
            raise UsageError(
                f"{path}: something in it was altered after it was written (its SHA-256 differs): "
                "program again"
            )
        programmed_on, here = BoardIdentity(**about["board"]), identity_of(board)
        if programmed_on != here:
            raise UsageError(f"{path}: of {programmed_on}, but on the bench is {here}")
        corrected = CorrectedCrossbar(
            board,
            unpack(Converters, members, "converters."),
            unpack(RangeGains, members, "range_factors."),
        )
        tiles = tuple(_tile_of(members, str(prefix), corrected, board) for prefix in about["tiles"])
        rows, outputs = map(int, about["shape"])
        weights = np.zeros((rows, outputs))
        for part in tiles:
            if part.matrix.weights.shape != weights[part.tile.block].shape:
                raise ValueError(f"{part.tile} are not in a matrix of {rows} × {outputs}")
            weights[part.tile.block] = part.matrix.weights
    return TiledMatrix(weights, tiles)


def _prefix(part: ProgrammedTile, tiles: Sequence[ProgrammedTile]) -> str:
    return f"{part.tile.first_row}-{part.tile.first_output}." if len(tiles) > 1 else ""


def _arrays_of_tile(part: ProgrammedTile) -> Arrays:
    matrix = part.matrix
    arrays = {
        "weights": matrix.weights,
        "volts_per_unit": np.asarray(matrix.volts_per_unit),
        "input_full_scale": np.asarray(matrix.input_full_scale),
        "aperture_seconds": np.asarray(matrix.aperture_seconds),
        "delay_seconds": np.asarray(matrix.delay_seconds),
    }
    packed = pack(part.tile, "tile.") | pack(matrix.programmed, "programmed.")
    return arrays | {NAMES.get(name, name): array for name, array in packed.items()}


def _tile_of(
    members: Arrays, prefix: str, corrected: CorrectedCrossbar, board: Board
) -> ProgrammedTile:
    names = {short: name for name, short in NAMES.items()}
    arrays = {}
    for key, array in members.items():
        if key.startswith(prefix):
            short = key.removeprefix(prefix)
            arrays[names.get(short, short)] = array
    tile: Tile = unpack(Tile, arrays, "tile.")
    programmed: Programmed = unpack(Programmed, arrays, "programmed.")
    matrix = ProgrammedMatrix(
        board=board,
        corrected=corrected,
        weights=arrays["weights"],
        programmed=programmed,
        volts_per_unit=float(arrays["volts_per_unit"]),
        input_full_scale=float(arrays["input_full_scale"]),
        aperture_seconds=float(arrays["aperture_seconds"]),
        delay_seconds=float(arrays["delay_seconds"]),
    )
    _check(matrix, tile)
    return ProgrammedTile(tile, matrix)


def _check(matrix: ProgrammedMatrix, tile: Tile) -> None:
    """Raise ValueError unless the arrays have the shapes of their board and of their tile."""
    board, programmed = matrix.board, matrix.programmed
    shape, columns = (tile.rows, tile.outputs), (board.columns,)
    switches = board.rows, board.columns, board.branches
    transfer, targets = programmed.transfer, programmed.targets
    wanted: list[tuple[str, NDArray[Any], tuple[int, ...]]] = [
        ("weights", matrix.weights, shape),
        ("pattern", programmed.pattern, switches),
        ("lost", programmed.lost, shape[1:]),
        ("unreachable", programmed.unreachable, shape),
        ("targets", targets.difference_siemens, shape),
        ("transfer_siemens", transfer.siemens, (tile.rows, *columns)),
        ("zero_amperes", transfer.zero_amperes, columns),
        ("transfer_uncertainty_siemens", transfer.uncertainty_siemens, columns),
        ("branches", programmed.estimate.branches.branch_siemens, switches),
    ]
    for name, array, right in wanted:
        if array.shape != right:
            raise ValueError(f"{name} is of shape {array.shape}, not {right}")
        # Unused columns that were beyond every range are NaN.
        if not name.startswith(("transfer", "zero")) and not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinities")
    if programmed.pattern.dtype != np.bool_ or programmed.lost.dtype != np.bool_:
        raise ValueError("pattern and lost are not of truth values")
    if not programmed.ranges or not all(use.gain.shape == columns for use in programmed.ranges):
        raise ValueError("ranges are not those of its columns")
