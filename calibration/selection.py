"""Select: the subset of a cell's branches whose conductances add up nearest to a target."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numba import config
from numpy.typing import ArrayLike, NDArray

from calibration import _subset_sums

MAX_BRANCHES = 40

# Below this many switch states over all cells a thread costs more than it saves.
_THREADED_WORK = 1 << 15


class Status(IntEnum):
    """What became of a cell."""

    OK = _subset_sums.OK
    OUT_OF_RANGE = _subset_sums.OUT_OF_RANGE  # the nearest reachable sum is given
    NO_USABLE_BRANCH = _subset_sums.NO_USABLE_BRANCH  # the empty pattern is given


@dataclass(frozen=True)
class Selection:
    """Patterns chosen for a batch of cells."""

    pattern: NDArray[np.bool_]  # (cells, branches): switch closed
    achieved_siemens: NDArray[np.float64]  # (cells,): float64 sum of the branches switched on
    residual_siemens: NDArray[np.float64]  # (cells,): achieved − target
    status: NDArray[np.int8]  # (cells,): a Status each


def select(
    branch_siemens: ArrayLike, target_siemens: ArrayLike, *, usable: ArrayLike | None = None
) -> Selection:
    """Choose in every cell the subset of branches whose sum is nearest the target.

    branch_siemens: (cells, branches), 1 to 40 branches, of either sign. A differential pair is
        one cell: its plus branches and, negated, its minus branches.
    target_siemens: (cells,).
    usable: (cells, branches) bool, True where the branch may be switched on; all by default.

    Minimizes |Σ x_k g_k − target| over x in {0, 1}^n, exactly to (n + 1)·2^-61 of the cell's
    range Σ|g_k| (Horowitz and Sahni, J. ACM 21, 1974). A target outside the reachable range gets
    the nearest reachable sum and Status.OUT_OF_RANGE.

    Raises ValueError, naming the argument, on shapes that do not agree, on branches outside
    1..40, on values that are not finite real numbers, and on a `usable` that is not bool.
    """
    branch, target, allowed = _checked_cells(branch_siemens, target_siemens, usable)
    cells, n = branch.shape
    pattern = np.empty((cells, n), np.bool_)
    achieved = np.empty(cells)
    status = np.empty(cells, np.int8)

    def run(part: slice) -> None:
        _subset_sums.nearest_patterns(
            branch[part], target[part], allowed[part], pattern[part], achieved[part], status[part]
        )

    _over_cores(run, cells, work_per_cell=2 ** (n // 2))
    return Selection(pattern, achieved, achieved - target, status)


def select_in_window(
    branch_siemens: ArrayLike,
    target_siemens: ArrayLike,
    second_siemens: ArrayLike,
    second_target_siemens: ArrayLike,
    window_siemens: ArrayLike,
    *,
    usable: ArrayLike | None = None,
) -> Selection:
    """Choose the subset of nearest second sum among those whose sum is near enough the target.

    branch_siemens, target_siemens, usable: as in `select`.
    second_siemens: (cells, branches), the branches' weights in the second sum, of either sign.
    second_target_siemens: (cells,).
    window_siemens: (cells,) or one number, at least 0: half width of the window.

    Minimizes |Σ x_k s_k − second target| subject to |Σ x_k g_k − target| ≤ window; where no
    subset lies in the window, the nearest sum of `select`. Work grows with the number of subsets
    in the window.

    Raises ValueError as `select` does, and on a negative window.
    """
    branch, target, allowed = _checked_cells(branch_siemens, target_siemens, usable)
    cells, n = branch.shape
    second = _real_array(second_siemens, "second_siemens", (cells, n))
    second_target = _real_array(second_target_siemens, "second_target_siemens", (cells,))
    if np.ndim(window_siemens) == 0:
        window_siemens = np.full(cells, window_siemens)
    window = _real_array(window_siemens, "window_siemens", (cells,))
    if (window < 0.0).any():
        raise ValueError("window_siemens must not be negative")
    pattern = np.empty((cells, n), np.bool_)
    achieved = np.empty(cells)
    status = np.empty(cells, np.int8)

    def run(part: slice) -> None:
        _subset_sums.window_patterns(
            branch[part],
            target[part],
            second[part],
            second_target[part],
            window[part],
            allowed[part],
            pattern[part],
            achieved[part],
            status[part],
        )

    _over_cores(run, cells, work_per_cell=2 ** (n // 2))
    return Selection(pattern, achieved, achieved - target, status)


def _over_cores(run, cells, work_per_cell):
    threads = min(config.NUMBA_NUM_THREADS, cells * work_per_cell // _THREADED_WORK)
    if threads < 2:
        run(slice(0, cells))
        return
    edges = np.linspace(0, cells, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, map(slice, edges[:-1], edges[1:])))


def _real_array(values: ArrayLike, name: str, shape: tuple[int, ...] | None) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold real numbers, not {array.dtype}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def _checked_cells(branch_siemens, target_siemens, usable):
    shape = np.shape(branch_siemens)
    if len(shape) != 2:
        raise ValueError(f"branch_siemens must be (cells, branches), not of shape {shape}")
    cells, n = shape
    if not 1 <= n <= MAX_BRANCHES:
        raise ValueError(f"branch_siemens has {n} branches a cell, possible are 1..{MAX_BRANCHES}")
    branch = _real_array(branch_siemens, "branch_siemens", shape)
    if np.abs(branch).max(initial=0.0) > np.finfo(np.float64).max / (4 * n):
        raise ValueError("branch_siemens is so large that its sum overflows")
    target = _real_array(target_siemens, "target_siemens", (cells,))
    if usable is None:
        return branch, target, np.ones(shape, np.bool_)
    allowed = np.asarray(usable)
    if allowed.dtype != np.bool_:
        raise ValueError(f"usable must be bool, not {allowed.dtype}")
    if allowed.shape != shape:
        raise ValueError(f"usable has shape {allowed.shape}, expected {shape}")
    return branch, target, np.ascontiguousarray(allowed)
