"""What the functions of this package accept, and how they refuse the rest."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kirchhoff.wire import Wire


def ohms_of(wire: Wire) -> tuple[float, float, float, float]:
    """Row, column, source and sense resistance, as the compiled code takes them."""
    return (
        float(wire.row_ohms),
        float(wire.column_ohms),
        float(wire.source_ohms),
        float(wire.sense_ohms),
    )


def conductances(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return the values (rows, columns) of a board, finite and >= 0; or ValueError with `name`."""
    G = real_matrix(name, values)
    if not G.size:
        raise ValueError(f"{name} must not be empty, but its shape is {G.shape}")
    if G.min() < 0:
        raise ValueError(f"{name} must be >= 0")
    return G


def same_shape(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the values, finite and of the board's shape; or ValueError with `name`."""
    matrix = real_matrix(name, values)
    if matrix.shape != shape:
        raise ValueError(
            f"{name} must have the shape of crosspoint_siemens, {shape}, not {matrix.shape}"
        )
    return matrix


def real_matrix(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return the values as a contiguous, finite float64 matrix; or ValueError with `name`."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be a matrix of numbers: {error}") from None
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be a matrix of real numbers, not {array.ndim}-dimensional {array.dtype}"
        )
    # Writable, by a copy where need be: kernels are compiled for one kind of array alone.
    matrix = np.require(array, np.float64, ["C", "A", "W"])
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite")
    return matrix
