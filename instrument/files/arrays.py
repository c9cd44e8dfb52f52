"""A person's own matrices and vectors, from .npy, .npz and text files."""

from __future__ import annotations

import io
import logging
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Floats
from instrument.errors import UsageError
from instrument.files.guarded import array_of, arrays_of, as_usage_error, read_bytes
from instrument.files.text_table import decoded, read_table

RANDOM_VECTORS = 256
SQUARABLE = 1e-60, 1e60
"""Smallest and largest size of weights and inputs whose products float64 can square, as the norms
of products need.
"""
MAX_FILE_BYTES = 1 << 28
MAX_TEXT_BYTES = 1 << 26
"""Largest text file: a number in text takes ten times its size in memory while it is read."""
MAX_ARRAYS_NAMED = 5
"""Arrays that the message names, of a file that holds too many."""
_TEXTS = {".csv", ".tsv", ".txt", ".dat"}
_SPREADSHEET = "a spreadsheet: save the sheet as CSV, and give that"
_FOREIGN = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods", ".numbers"), _SPREADSHEET),
    ".mat": "a MATLAB file: there, writematrix(W, 'W.csv') saves it as CSV",
    **dict.fromkeys(
        (".h5", ".hdf5", ".parquet", ".feather"),
        "of a kind that is not read: save the array by numpy.save, or as CSV",
    ),
    **dict.fromkeys(
        (".pkl", ".pickle", ".pt", ".pth"),
        "a file of Python objects, which could do "
        "anything when it is read: save the array by numpy.save",
    ),
}
_NPY_START, _ZIP_START = b"\x93NUMPY", b"PK"
_log = logging.getLogger(__name__)


def load_array(path: Path) -> NDArray[np.generic]:
    """Read one array from a file.

    A .npz holds exactly one array, or a sparse matrix of scipy. A table of text may be in any form
    that programs, spreadsheets and people write; how it was read is logged. A pipe, and a file
    without an ending, is recognized by its first bytes. Raises UsageError, which names the file,
    where it cannot be read.
    """
    ending = path.suffix.lower()
    if ending in _FOREIGN:
        raise UsageError(f"{path}: {_FOREIGN[ending]}")
    by_content = not ending or path.is_fifo()
    if not by_content and ending not in {".npy", ".npz", *_TEXTS}:
        raise UsageError(f"{path}: an array file ends in .npy, .npz or .csv (.tsv, .txt, .dat)")
    data = read_bytes(path, MAX_FILE_BYTES, pipes=True)
    if by_content:
        ending = ".npy" if data.startswith(_NPY_START) else ".csv"
        ending = ".npz" if data.startswith(_ZIP_START) else ending
    if ending in _TEXTS:
        return _text_array(path, data)
    with as_usage_error(path, "cannot be read as numbers"):
        if ending == ".npy" and not data.startswith(_NPY_START):
            raise ValueError("it does not begin as a .npy file does; a table of text ends in .csv")
        if ending == ".npy":
            return array_of(data)
        arrays = arrays_of(data, MAX_FILE_BYTES)
        if {"format", "shape", "data"} <= arrays.keys():
            return _sparse_array(data, arrays["shape"])
    if len(arrays) != 1:
        names = ", ".join(
            [*list(arrays)[:MAX_ARRAYS_NAMED], *(["…"] if len(arrays) > MAX_ARRAYS_NAMED else [])]
        )
        raise UsageError(f"{path}: holds {len(arrays)} arrays ({names}), not one")
    (array,) = arrays.values()
    return array


def _text_array(path: Path, data: bytes) -> Floats:
    if data.startswith(_ZIP_START):
        raise UsageError(f"{path}: not text, but an archive; if it is {_SPREADSHEET}")
    if len(data) > MAX_TEXT_BYTES:
        raise UsageError(
            f"{path}: {len(data):,} bytes of text; up to {MAX_TEXT_BYTES:,} are read: save the "
            "array by numpy.save"
        )
    with as_usage_error(path, "cannot be read as a table of numbers"):
        table = read_table(decoded(data))
    _log.info("%s: taken as %s", path, table)
    return table.values


def _sparse_array(data: bytes, shape: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the array of a sparse matrix in the format of scipy.sparse.save_npz."""
    from scipy import sparse

    if math.prod(int(side) for side in shape) > MAX_FILE_BYTES // 8:
        raise ValueError(f"a sparse matrix of shape {tuple(shape)} is too large")
    matrix = sparse.load_npz(io.BytesIO(data))
    if hasattr(matrix, "check_format"):
        # Indices beyond the shape would be written beyond the array.
        matrix.check_format(full_check=True)
    dense: NDArray[np.generic] = matrix.toarray()
    return dense


def check_inputs(inputs: NDArray[np.generic], rows: int | None, name: str) -> Floats:
    """Return input vectors (vectors, rows) as float64.

    A single vector (rows,) becomes a batch of one. `rows` is None while the number of rows is
    unknown. Raises UsageError, which begins with `name`, where the array holds no such vectors.
    """
    if inputs.dtype.kind not in "biuf":
        raise UsageError(f"{name}: inputs are real numbers, not {inputs.dtype}")
    vectors = np.atleast_2d(inputs.astype(np.float64))
    if inputs.ndim not in (1, 2) or not vectors.size:
        raise UsageError(f"{name}: inputs of shape {inputs.shape} are not (vectors, rows)")
    if rows is not None and vectors.shape[1] != rows:
        raise UsageError(
            f"{name}: inputs of shape {inputs.shape} are not vectors of the matrix's {rows} rows"
        )
    if not np.isfinite(vectors).all():
        vector, row = np.argwhere(~np.isfinite(vectors))[0]
        raise UsageError(f"{name}: vector {vector + 1}, row {row + 1} is {vectors[vector, row]}")
    if not vectors.any():
        raise UsageError(f"{name}: all inputs are zero: no product to validate")
    minimum, maximum = SQUARABLE
    largest = float(np.abs(vectors).max())
    if not minimum <= largest <= maximum:
        raise UsageError(
            f"{name}: the largest input is {largest:g}: only {minimum:g} to {maximum:g} can be "
            "computed"
        )
    return vectors


def random_matrix(rows: int, outputs: int, seed: int) -> Floats:
    """Return weights (rows, outputs), uniform on [−1, 1]."""
    return random_stream(seed, 0).uniform(-1, 1, (rows, outputs))


def random_inputs(rows: int, seed: int) -> Floats:
    """Return input vectors (RANDOM_VECTORS, rows), uniform on [−1, 1]."""
    return random_stream(seed, 1).uniform(-1, 1, (RANDOM_VECTORS, rows))


def random_stream(seed: int, child: int) -> np.random.Generator:
    """Return the random generator of one child of a seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(child,)))
