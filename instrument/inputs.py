"""A person's own matrices and vectors, from .npy, .npz and .csv files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instrument.errors import UsageError
from instrument.reading import reading

RANDOM_VECTORS = 256
SQUARABLE = 1e-60, 1e60
"""Weights and inputs whose products float64 can square: their norms are stated."""


_UNREADABLE = {
    ".npy": "cannot be read as numbers",
    ".npz": "cannot be read as numbers",
    ".csv": "cannot be read as lines of numbers with commas between them",
}


def load_array(path: Path) -> NDArray[np.generic]:
    """Read one array. A .npz must hold exactly one. Raises UsageError that names the file."""
    kind = path.suffix.lower()
    if kind not in {".npy", ".npz", ".csv"}:
        raise UsageError(f"{path}: an array file ends in .npy, .npz or .csv")
    # Opened here, because numpy forgets to close what it cannot read.
    with reading(path, _UNREADABLE[kind]), path.open("rb") as file:
        if kind == ".csv":
            # Spreadsheets put a byte order mark in front.
            return np.loadtxt(file, delimiter=",", ndmin=2, comments="#", encoding="utf-8-sig")
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            names = list(loaded)
            if len(names) != 1:
                raise UsageError(f"{path}: holds {len(names)} arrays ({', '.join(names)}), not one")
            return np.asarray(loaded[names[0]])


def check_inputs(inputs: NDArray[np.generic], rows: int | None, name: str) -> NDArray[np.float64]:
    """Return input vectors (vectors, rows) as float64; a single vector (rows,) becomes a batch of
    one.

    `rows` is None where they are not known yet. Raises UsageError that begins with `name`.
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
        raise UsageError(
            f"{name}: vector {vector}, row {row} is {vectors[vector, row]} (counted from 0)"
        )
    if not vectors.any():
        raise UsageError(f"{name}: all inputs are zero: no product to validate")
    least, most = SQUARABLE
    largest = float(np.abs(vectors).max())
    if not least <= largest <= most:
        raise UsageError(
            f"{name}: the largest input is {largest:g}: between {least:g} and {most:g} is computed"
        )
    return vectors


def random_matrix(rows: int, outputs: int, seed: int) -> NDArray[np.float64]:
    """Return weights (rows, outputs), uniform on [−1, 1]."""
    return random_stream(seed, 0).uniform(-1, 1, (rows, outputs))


def random_inputs(rows: int, seed: int) -> NDArray[np.float64]:
    """Return input vectors (RANDOM_VECTORS, rows), uniform on [−1, 1]."""
    return random_stream(seed, 1).uniform(-1, 1, (RANDOM_VECTORS, rows))


def random_stream(seed: int, child: int) -> np.random.Generator:
    """Return a generator of its own for each child of a seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(child,)))
