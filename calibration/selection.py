"""Select: the subset of a cell's branches whose conductances add up nearest to a target."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numba import config
from numpy.typing import ArrayLike, NDArray

from calibration import _subset_sums
from calibration._bitonic import LANES
from calibration._subset_sums import Answer, Cells, answer_anew, nearest_one_by_one
from calibration._subset_sums_abreast import nearest_abreast
from calibration._subset_sums_prepared import (
    Halves,
    empty_halves,
    halves_bytes,
    nearest_prepared,
    prepare_halves,
)
from calibration._subset_window import SecondCriterion, nearest_second
from calibration._two_criteria import nearest_in_window

MAX_BRANCHES = 40

# Up to here sixteen cells side by side are faster than one after another.
_MOST_ABREAST = 28

# Beyond, the sorted halves of a thousand cells would take more than half a gigabyte.
_MOST_PREPARED = 30

# Below this many switch states over all cells a thread costs more than it saves.
_THREADED_WORK = 1 << 15

# As many in one part: some milliseconds, so that all cores are done at about the same time.
_PART_WORK = 1 << 21


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


@dataclass(frozen=True)
class PreparedCells:
    """Cells checked and their halves sorted, for `select_prepared`."""

    branch_siemens: NDArray[np.float64]  # (cells, branches)
    usable: NDArray[np.bool_]  # (cells, branches)
    halves: Halves


def select(
    branch_siemens: ArrayLike, target_siemens: ArrayLike, *, usable: ArrayLike | None = None
) -> Selection:
    """Choose in every cell the subset of branches whose sum is nearest the target.

    branch_siemens: (cells, branches), 1 to 40 branches, of either sign. A differential pair is
        one cell: its plus branches and, negated, its minus branches.
    target_siemens: (cells,).
    usable: (cells, branches) bool, True where the branch may be switched on; all by default.

    Minimizes |Σ x_k g_k − target| over x in {0, 1}^n, exactly to (n + 2)·2^-59 of the cell's
    range Σ|g_k|, which is finer than float64 adds (Horowitz and Sahni, J. ACM 21, 1974).
    A target outside the reachable range gets the nearest reachable sum and Status.OUT_OF_RANGE.

    Raises ValueError, naming the argument, on shapes that do not agree, on branches outside
    1..40, on values that are not finite real numbers, and on a `usable` that is not bool.
    """
    cells = _checked_cells(branch_siemens, target_siemens, usable)
    kernel = _nearest_kernel(cells.branch.shape[1])
    return _over_cores(cells, lambda part, answer: kernel(cells.part(part), answer))


def prepare(branch_siemens: ArrayLike, *, usable: ArrayLike | None = None) -> PreparedCells:
    """Sort the halves of all cells once, for many calls of `select_prepared`.

    branch_siemens, usable: as in `select`, but 1 to 30 branches.

    Memory for a cell of n branches: 6·2^(n/2) bytes up to 22 branches (6 KiB at 20), 10·2^(n/2)
    bytes from 23 on (40 KiB at 24), with n rounded up to an even number.

    Raises ValueError as `select` does, and on more than 30 branches.
    """
    branch, allowed = _checked_branches(branch_siemens, usable)
    count, n = branch.shape
    if n > _MOST_PREPARED:
        raise ValueError(
            f"branch_siemens has {n} branches a cell, whose sorted halves take"
            f" {halves_bytes(count, n)} bytes; possible are 1..{_MOST_PREPARED} branches"
        )
    # Copies: the sums must stay those of the branches, whatever becomes of the caller's arrays.
    cells = Cells(branch.copy(), np.zeros(count), allowed.copy())
    halves = empty_halves(count, n)
    _in_parts(count, n, lambda part: prepare_halves(cells.part(part), halves.part(part)))
    return PreparedCells(cells.branch, cells.usable, halves)


def select_prepared(prepared: PreparedCells, target_siemens: ArrayLike) -> Selection:
    """Choose for cells of `prepare` the subsets whose sums are nearest new targets.

    target_siemens: (cells,). The result is that of `select` for the same cells, pattern by
    pattern.

    Raises ValueError on targets of another shape or that are not finite real numbers.
    """
    branch = prepared.branch_siemens
    target = _real_array(target_siemens, "target_siemens", branch.shape[:1])
    cells = Cells(branch, target, prepared.usable)

    def nearest(part: slice, answer: Answer) -> None:
        settled = np.empty(answer.status.size, np.bool_)
        some = cells.part(part)
        nearest_prepared(some, prepared.halves.part(part), answer, settled)
        answer_anew(~settled, some, answer, _nearest_kernel(branch.shape[1]))

    return _over_cores(cells, nearest)


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
    in the window, except where the second sum is the total Σ x_k |g_k|, which is also the quickest.

    Raises ValueError as `select` does, and on a negative window.
    """
    cells = _checked_cells(branch_siemens, target_siemens, usable)
    second = _real_array(second_siemens, "second_siemens", cells.branch.shape)
    _refuse_overflow(second, "second_siemens")
    second_target = _real_array(second_target_siemens, "second_target_siemens", cells.target.shape)
    window = _real_array(window_siemens, "window_siemens", None)
    if window.shape not in ((), cells.target.shape):
        raise ValueError(
            f"window_siemens has shape {window.shape}, expected () or {cells.target.shape}"
        )
    if (window < 0.0).any():
        raise ValueError("window_siemens must not be negative")
    criterion = SecondCriterion(
        second, second_target, np.ascontiguousarray(np.broadcast_to(window, cells.target.shape))
    )
    kernel = nearest_in_window if cells.branch.shape[1] <= _MOST_ABREAST else nearest_second
    return _over_cores(
        cells,
        lambda part, answer: kernel(cells.part(part), criterion.part(part), answer),
    )


def _nearest_kernel(branches: int) -> Callable[[Cells, Answer], None]:
    kernel: Callable[[Cells, Answer], None]
    kernel = nearest_abreast if branches <= _MOST_ABREAST else nearest_one_by_one
    return kernel


def _over_cores(cells: Cells, kernel: Callable[[slice, Answer], None]) -> Selection:
    """Run the kernel over all cells, in threads where there is work for more than one."""
    count, n = cells.branch.shape
    answer = Answer(np.empty((count, n), np.bool_), np.empty(count), np.empty(count, np.int8))
    _in_parts(count, n, lambda part: kernel(part, answer.part(part)))
    residual = answer.achieved - cells.target
    return Selection(answer.pattern, answer.achieved, residual, answer.status)


def _in_parts(count: int, n: int, run: Callable[[slice], None]) -> None:
    """Run parts of all cells, whole groups of lanes each, in threads where there is work for it."""
    work = count * 2 ** (n // 2)
    threads = min(config.NUMBA_NUM_THREADS, work // _THREADED_WORK)
    if threads > 1:
        # More parts than threads, so that a core that is busy elsewhere does not hold up the rest.
        parts = max(4 * threads, work // _PART_WORK)
        edges = np.linspace(0, count, parts + 1).astype(int) // LANES * LANES
        edges[-1] = count
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, map(slice, edges[:-1].tolist(), edges[1:].tolist())))
    else:
        run(slice(0, count))


def _real_array(values: ArrayLike, name: str, shape: tuple[int, ...] | None) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold real numbers, not {array.dtype}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    array = np.asarray(array, dtype=np.float64, order="C")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def _refuse_overflow(array: NDArray[np.float64], name: str) -> None:
    limit = np.finfo(np.float64).max / (4 * array.shape[1])
    if array.size and max(array.max(), -array.min()) > limit:
        raise ValueError(f"{name} is so large that its sums overflow")


def _checked_cells(
    branch_siemens: ArrayLike, target_siemens: ArrayLike, usable: ArrayLike | None
) -> Cells:
    branch, allowed = _checked_branches(branch_siemens, usable)
    target = _real_array(target_siemens, "target_siemens", branch.shape[:1])
    return Cells(branch, target, allowed)


def _checked_branches(
    branch_siemens: ArrayLike, usable: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    branch = _real_array(branch_siemens, "branch_siemens", None)
    if branch.ndim != 2:
        raise ValueError(f"branch_siemens has shape {branch.shape}, expected (cells, branches)")
    n = branch.shape[1]
    if not 1 <= n <= MAX_BRANCHES:
        raise ValueError(f"branch_siemens has {n} branches a cell, possible are 1..{MAX_BRANCHES}")
    _refuse_overflow(branch, "branch_siemens")
    if usable is None:
        return branch, np.ones(branch.shape, np.bool_)
    allowed = np.asarray(usable)
    if allowed.dtype != np.bool_:
        raise ValueError(f"usable must be bool, not {allowed.dtype}")
    if allowed.shape != branch.shape:
        raise ValueError(f"usable has shape {allowed.shape}, expected {branch.shape}")
    return branch, np.ascontiguousarray(allowed)
