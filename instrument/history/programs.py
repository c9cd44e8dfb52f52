"""Programs in a run's folder, read without a board: the tiles of its matrix, put together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from instrument.files import Arrays, arrays_of, as_usage_error, read_bytes

PROGRAM_FILES = "program*.npz"
MAX_PROGRAM_BYTES = 1 << 31
MAX_WEIGHTS = 1 << 27
"""Largest matrix that is put together: a gigabyte."""


@dataclass(frozen=True, eq=False)
class Program:
    """The tiles of a matrix, in the order of their place in it."""

    weights: Floats
    """(rows, outputs) of the matrix."""
    pattern: Bools
    """(tiles, rows, columns, branches) of the board."""
    transfer_siemens: Floats
    """(tiles, rows, columns); NaN in rows that the tile does not use."""
    transfer_uncertainty_siemens: Floats
    """(tiles, columns)"""
    scale_siemens: Floats
    """(tiles, outputs of the matrix); NaN where an output is not of the tile."""
    volts_per_unit: Floats
    """(tiles,)"""


def read_program(folder: Path) -> Program | None:
    """Return the program that a run has left; None where it has left none.

    Raises UsageError, which names the file, where it is damaged or not of the same matrix as the
    others.
    """
    tiles = [_read(path) for path in sorted(folder.glob(PROGRAM_FILES))]
    if not tiles:
        return None
    tiles.sort(key=lambda tile: tile.place)
    shape = tiles[0].shape
    weights = np.zeros(shape)
    scales = np.full((len(tiles), shape[1]), np.nan)
    for index, tile in enumerate(tiles):
        with as_usage_error(tile.path, "not a tile of the same matrix as the other programs"):
            if tile.shape != shape or tile.pattern.shape != tiles[0].pattern.shape:
                raise ValueError(f"of a matrix {tile.shape} on a board {tile.pattern.shape}")
            (row, output), (rows, outputs) = tile.place, tile.weights.shape
            weights[row : row + rows, output : output + outputs] = tile.weights
            scales[index, output : output + outputs] = tile.scale_siemens
    return Program(
        weights=weights,
        pattern=np.array([tile.pattern for tile in tiles]),
        transfer_siemens=np.array([tile.transfer_siemens for tile in tiles]),
        transfer_uncertainty_siemens=np.array([tile.uncertainty_siemens for tile in tiles]),
        scale_siemens=scales,
        volts_per_unit=np.array([tile.volts_per_unit for tile in tiles]),
    )


@dataclass(frozen=True, eq=False)
class _Tile:
    path: Path
    shape: tuple[int, int]
    """Of the whole matrix."""
    place: tuple[int, int]
    """First row and first output."""
    weights: Floats
    pattern: Bools
    transfer_siemens: Floats
    """(rows, columns) of the board."""
    uncertainty_siemens: Floats
    scale_siemens: Floats
    volts_per_unit: float


def _read(path: Path) -> _Tile:
    with as_usage_error(path, "not a program file"):
        arrays = arrays_of(read_bytes(path, MAX_PROGRAM_BYTES), MAX_PROGRAM_BYTES)
        rows, outputs = map(int, json.loads(str(arrays["about"]))["shape"])
        if min(rows, outputs) < 1 or rows * outputs > MAX_WEIGHTS:
            raise ValueError(f"of a matrix of {rows} × {outputs}")
        pattern = arrays["pattern"]
        if pattern.dtype != np.bool_ or pattern.ndim != len(("row", "column", "branch")):
            raise ValueError("pattern is no array of truth values (rows, columns, branches)")
        used = floats_of(arrays, "transfer_siemens")
        transfer = np.full(pattern.shape[:2], np.nan)
        transfer[: len(used)] = used
        place = int(arrays["first_row"]), int(arrays["first_output"])
        weights = floats_of(arrays, "weights")
        if min(place) < 0:
            raise ValueError(f"its place {place} is in no matrix")
        uncertainty = np.broadcast_to(
            floats_of(arrays, "transfer_uncertainty_siemens"), pattern.shape[1:2]
        )
        return _Tile(
            path=path,
            shape=(rows, outputs),
            place=place,
            weights=weights,
            pattern=pattern,
            transfer_siemens=transfer,
            uncertainty_siemens=uncertainty,
            scale_siemens=np.broadcast_to(floats_of(arrays, "scale_siemens"), weights.shape[1:]),
            volts_per_unit=float(arrays["volts_per_unit"]),
        )


def floats_of(arrays: Arrays, name: str) -> Floats:
    """Return an array of a file as float64.

    Raises LookupError where there is none, ValueError where it holds no real numbers.
    """
    values: NDArray[Any] = arrays[name]
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {values.dtype}, no real numbers")
    return values.astype(np.float64)
