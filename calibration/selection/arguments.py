"""What `calibration.selection` is given, checked: each refusal names its argument."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from calibration.arrays import Bools, Floats
from calibration.selection.expected_error import Spread

MAX_BRANCHES = 64
"""Of a cell."""
SYMMETRY = 1e-9
"""Of a covariance: elements across the diagonal may differ by this share of their deviations."""


class Batch(NamedTuple):
    """A batch of cells; C-contiguous, finite."""

    branch: Floats  # (cells, branches)
    target: Floats  # (cells,)
    free: Bools  # (cells, branches): usable, and not stuck
    stuck_on: Bools | None  # (cells, branches)


def checked_batch(
    branch_siemens: ArrayLike,
    target_siemens: ArrayLike,
    usable: ArrayLike | None,
    stuck_on: ArrayLike | None = None,
    max_branches: int = MAX_BRANCHES,
) -> Batch:
    """Return a batch. Raises ValueError on what cannot be one."""
    branch, free = checked_branches(branch_siemens, usable, max_branches)
    target = kernel_array(target_siemens, "target_siemens", branch.shape[:1])
    if stuck_on is None:
        return Batch(branch, target, free, None)
    stuck = _flags(stuck_on, "stuck_on", branch.shape)
    return Batch(branch, target, free & ~stuck, stuck)


def checked_branches(
    branch_siemens: ArrayLike, usable: ArrayLike | None, max_branches: int
) -> tuple[Floats, Bools]:
    """Return branches and which of them are usable, both (cells, branches). Raises ValueError."""
    branch = kernel_array(branch_siemens, "branch_siemens", None)
    if branch.ndim != 2:
        raise ValueError(f"branch_siemens has shape {branch.shape}, expected (cells, branches)")
    n = branch.shape[1]
    if not 1 <= n <= max_branches:
        raise ValueError(f"branch_siemens has {n} branches a cell, possible are 1..{max_branches}")
    refuse_overflow(branch, "branch_siemens")
    if usable is None:
        return branch, np.ones(branch.shape, np.bool_)
    return branch, _flags(usable, "usable", branch.shape)


def checked_spread(
    uncertainty: ArrayLike | None, covariance: ArrayLike | None, shape: tuple[int, int]
) -> Spread | None:
    """Return how well branches (cells, branches) are known, if that is said. Raises ValueError."""
    cells, n = shape
    if uncertainty is not None and covariance is not None:
        raise ValueError("uncertainty and covariance are two ways to say one thing: give one")
    if uncertainty is not None:
        deviation = kernel_array(uncertainty, "uncertainty", shape)
        if (deviation < 0.0).any():
            raise ValueError("uncertainty must not be negative")
        refuse_overflow(deviation, "uncertainty")
        return Spread(deviation**2, np.empty((0, n, n)))
    if covariance is None:
        return None
    matrix = kernel_array(covariance, "covariance", (cells, n, n))
    variance = np.diagonal(matrix, axis1=1, axis2=2).copy()
    if (variance < 0.0).any():
        raise ValueError("covariance must not have a negative variance")
    deviation = np.sqrt(variance)
    max_covariance = deviation[:, :, None] * deviation[:, None, :]
    if (np.abs(matrix - np.swapaxes(matrix, 1, 2)) > SYMMETRY * max_covariance).any():
        raise ValueError("covariance must be symmetric")
    if (np.abs(matrix) > (1.0 + SYMMETRY) * max_covariance).any():
        raise ValueError("covariance must not have a correlation beyond 1")
    return Spread(variance, matrix)


def checked_bound(value: ArrayLike, name: str, cells: int) -> Floats:
    """Return a bound, or one for each cell, as (cells,) numbers. Raises ValueError if negative."""
    bound = kernel_array(value, name, None)
    if bound.shape not in ((), (cells,)):
        raise ValueError(f"{name} has shape {bound.shape}, expected () or {(cells,)}")
    if (bound < 0.0).any():
        raise ValueError(f"{name} must not be negative")
    return np.full(cells, bound)


def kernel_array(values: ArrayLike, name: str, shape: tuple[int, ...] | None) -> Floats:
    """Return finite real numbers, of a shape if one is given. Raises ValueError."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold real numbers, not {array.dtype}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    # Writable, by a copy where need be: kernels are compiled for one kind of array alone.
    array = np.require(array, np.float64, ["C", "A", "W"])
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def refuse_overflow(array: Floats, name: str) -> None:
    """Raise ValueError where sums along a cell could leave float64."""
    limit = np.finfo(np.float64).max / (4 * array.shape[1])
    if array.size and max(array.max(), -array.min()) > limit:
        raise ValueError(f"{name} is so large that its sums overflow")


def _flags(values: ArrayLike, name: str, shape: tuple[int, int]) -> Bools:
    flags = np.asarray(values)
    if flags.dtype != np.bool_:
        raise ValueError(f"{name} must be bool, not {flags.dtype}")
    if flags.shape != shape:
        raise ValueError(f"{name} has shape {flags.shape}, expected {shape}")
    return np.require(flags, requirements=["C", "A", "W"])
