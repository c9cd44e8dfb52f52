"""Checks of the board driver's arguments, made before anything is sent."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def finite(name: str, values: ArrayLike, dimensions: int) -> NDArray[np.float64]:
    """Return `values` as binary64 numbers.

    Raises ValueError unless they are finite real numbers in so many dimensions.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.ndim != dimensions:
        raise ValueError(
            f"{name} holds real numbers in {dimensions} dimensions, not {array.dtype} in "
            f"{array.ndim}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return array.astype(np.float64)


def whole(name: str, values: ArrayLike, count: int, low: int, end: int) -> NDArray[np.intp]:
    """Return `values` as whole numbers (count,).

    Raises ValueError unless they are `count` integers from `low` up to, but not including, `end`.
    """
    array = np.asarray(values)
    if array.shape != (count,) or (count and array.dtype.kind not in "iu"):
        raise ValueError(
            f"{name} holds {count} whole numbers, not {array.dtype} of shape {array.shape}"
        )
    if count and not (array.min() >= low and array.max() < end):
        raise ValueError(f"{name} are from {low} to {end - 1}")
    return array.astype(np.intp)


def within_limit(
    volts: NDArray[np.float64], rows: NDArray[np.intp], limit_volts: float
) -> NDArray[np.float32]:
    """Return voltages, V, rounded to binary32; the last axis runs along `rows`.

    Raises ValueError that names the row of the first voltage beyond ±`limit_volts`.
    """
    beyond = np.argwhere(np.abs(volts) > limit_volts)
    if len(beyond):
        first = tuple(beyond[0])
        raise ValueError(
            f"row {rows[first[-1]] + 1}: {volts[first]:g} V is beyond the limit of "
            f"{limit_volts:g} V"
        )
    # Rounding must not carry a voltage over the limit.
    limit = np.float32(limit_volts)
    if float(limit) > limit_volts:
        limit = np.nextafter(limit, np.float32(0))
    rounded: NDArray[np.float32] = np.clip(volts.astype("<f4"), -limit, limit)
    return rounded
