"""The calls: cells checked, handed to the kernels in parts, and what came out."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.arrays import Bools, Floats
from calibration.selection import nearest as kernels
from calibration.selection.arguments import (
    Batch,
    checked_batch,
    checked_bound,
    checked_branches,
    checked_spread,
    kernel_array,
    refuse_overflow,
)
from calibration.selection.dispatch import (
    MAX_BRANCHES_ABREAST,
    MAX_EXACT_BRANCHES,
    in_parts,
    nearest,
    nearest_kernel,
    over_cores,
    reached,
    set_free,
)
from calibration.selection.expected_error import FreeCells, Spread
from calibration.selection.nearest import (
    Answer,
    Cells,
    Halves,
    answer_anew,
    empty_halves,
    halves_bytes,
    nearest_prepared,
    prepare_halves,
)
from calibration.selection.preset_switches import TwoSums, preset_for_two_sums
from calibration.selection.window import SecondCriterion, nearest_in_window, nearest_second

Objective = Literal["nearest", "least_square_error"]

# Beyond, the sorted halves of a thousand cells would take more than half a gigabyte.
_MAX_BRANCHES_PREPARED = 30


class Status(IntEnum):
    """What became of a cell."""

    OK = kernels.OK
    OUT_OF_RANGE = kernels.OUT_OF_RANGE
    NO_USABLE_BRANCH = kernels.NO_USABLE_BRANCH
    TOLERANCE_MISSED = kernels.TOLERANCE_MISSED

    @property
    def reason(self) -> str:
        """Why the cell failed, and what it got; empty if it did not."""
        return {
            Status.OK: "",
            Status.OUT_OF_RANGE: "target out of range: the nearest reachable sum is given",
            Status.NO_USABLE_BRANCH: "no usable branch: all switches are left as they are",
            Status.TOLERANCE_MISSED: "too few usable branches for the tolerance: "
            "the nearest sum found is given",
        }[self]


@dataclass(frozen=True)
class Selection:
    """Patterns chosen for a batch of cells."""

    pattern: NDArray[Any]
    """(cells, branches) bool: switch closed; for three-way switches int8: −1, 0 or +1."""
    achieved_siemens: Floats
    """(cells,): float64 sum of the branches switched on."""
    residual_siemens: Floats
    """(cells,): achieved − target."""
    status: NDArray[np.int8]
    """(cells,): a Status each."""
    standard_uncertainty: Floats
    """(cells,): of the achieved sum, siemens; NaN where the branches' own is not known."""


@dataclass(frozen=True)
class PreparedCells:
    """Cells checked and their halves sorted, for `select_prepared`."""

    branch_siemens: Floats  # (cells, branches)
    usable: Bools  # (cells, branches)
    halves: Halves


def select(
    branch_siemens: ArrayLike,
    target_siemens: ArrayLike,
    *,
    uncertainty: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    usable: ArrayLike | None = None,
    stuck_on: ArrayLike | None = None,
    tolerance_siemens: ArrayLike | None = None,
    objective: Objective = "nearest",
    three_way: bool = False,
) -> Selection:
    """Choose in every cell the subset of branches whose sum is nearest the target.

    branch_siemens: (cells, branches), 1 to 64 branches, of either sign. A differential pair is
        one cell: its plus branches and, negated, its minus branches.
    target_siemens: (cells,).
    uncertainty: (cells, branches), standard uncertainty of each branch, siemens, uncorrelated.
    covariance: (cells, branches, branches), siemens², instead of `uncertainty`.
    usable: (cells, branches) bool, True where the branch may be switched on; all by default.
    stuck_on: (cells, branches) bool, True where the branch is on whatever is chosen; none by
        default. Goes before `usable`.
    tolerance_siemens: (cells,) or one number. Any subset this near is good enough: the search then
        takes a time set by the bits wanted, not by the number of branches.
    objective: "nearest" minimizes |Σ x_k g_k − target| over x in {0, 1}^n, exactly to
        (n + 2)·2^-59 of the cell's range Σ|g_k|, which is finer than float64 adds (Horowitz and
        Sahni, J. ACM 21, 1974). "least_square_error" minimizes the expected square error
        (Σ x_k g_k − target)² + xᵀ Σ x, with Σ the branches' covariance (JCGM 100:2008, eq. 13):
        of all subsets that could, or of the 4096 of least residual where there are more; between
        subsets within 0.1 % of the least, the one of least total conductance Σ x_k |g_k|. With a
        tolerance, of those within it.
    three_way: switches that connect a branch as +, not at all, or as −: x in {−1, 0, 1}^n.

    Exact up to 40 free branches (24 three-way). Of more, 40 (24), spread evenly over the
    magnitudes, are searched with the others set beforehand: no nearer sum can gain more than the
    residual that is given, which for dispersed branches is about 2^-40 of the range.

    A target outside the reachable range gets the nearest reachable sum and Status.OUT_OF_RANGE.

    Raises ValueError, naming the argument, on shapes that do not agree, on branches outside 1..64,
    on values that are not finite real numbers, on flags that are not bool, on a negative
    uncertainty or tolerance, on a covariance that is none, and on an objective that is unknown or
    lacks its uncertainty.
    """
    batch = checked_batch(branch_siemens, target_siemens, usable, stuck_on)
    spread = checked_spread(uncertainty, covariance, batch.branch.shape)
    judged = objective == "least_square_error"
    if not judged and objective != "nearest":
        raise ValueError(f'objective must be "nearest" or "least_square_error", not {objective!r}')
    if judged and spread is None:
        raise ValueError('objective "least_square_error" needs uncertainty or covariance')
    tolerance = None
    if tolerance_siemens is not None:
        tolerance = checked_bound(tolerance_siemens, "tolerance_siemens", len(batch.target))
    plain = not (judged or three_way or tolerance is not None or stuck_on is not None)
    if plain and batch.branch.shape[1] <= MAX_EXACT_BRANCHES[2]:
        answer = nearest(Cells(batch.branch, batch.target, batch.free))
    else:
        state = np.zeros(batch.free.shape, np.int8)
        if batch.stuck_on is not None:
            state[batch.stuck_on] = 1
        cells = FreeCells(batch.branch, batch.target, batch.free, state)
        answer = set_free(cells, spread if judged else None, tolerance, 3 if three_way else 2)
    return _selection(batch, answer, spread, three_way=three_way)


def prepare(branch_siemens: ArrayLike, *, usable: ArrayLike | None = None) -> PreparedCells:
    """Sort the halves of all cells once, for many calls of `select_prepared`.

    branch_siemens, usable: as in `select`, but 1 to 30 branches.

    Memory for a cell of n branches: 6·2^(n/2) bytes up to 22 branches (6 KiB at 20), 10·2^(n/2)
    bytes from 23 on (40 KiB at 24), with n rounded up to an even number.

    Raises ValueError as `select` does, and on more than 30 branches.
    """
    branch, allowed = checked_branches(branch_siemens, usable, MAX_EXACT_BRANCHES[2])
    count, n = branch.shape
    if n > _MAX_BRANCHES_PREPARED:
        raise ValueError(
            f"branch_siemens has {n} branches a cell, whose sorted halves take"
            f" {halves_bytes(count, n)} bytes; possible are 1..{_MAX_BRANCHES_PREPARED} branches"
        )
    # Copies: the sums must stay those of the branches, whatever becomes of the caller's arrays.
    cells = Cells(branch.copy(), np.zeros(count), allowed.copy())
    halves = empty_halves(count, n)
    in_parts(count, n, lambda part: prepare_halves(cells.part(part), halves.part(part)))
    return PreparedCells(cells.branch, cells.usable, halves)


def select_prepared(prepared: PreparedCells, target_siemens: ArrayLike) -> Selection:
    """Choose for cells of `prepare` the subsets whose sums are nearest new targets.

    target_siemens: (cells,). The result is that of `select` for the same cells, pattern by
    pattern.

    Raises ValueError on targets of another shape or that are not finite real numbers.
    """
    branch = prepared.branch_siemens
    target = kernel_array(target_siemens, "target_siemens", branch.shape[:1])
    cells = Cells(branch, target, prepared.usable)

    def search(part: slice, answer: Answer) -> None:
        settled = np.empty(answer.status.size, np.bool_)
        cells_of_part = cells.part(part)
        nearest_prepared(cells_of_part, prepared.halves.part(part), answer, settled)
        answer_anew(~settled, cells_of_part, answer, nearest_kernel(branch.shape[1]))

    answer = over_cores(search, branch.shape, np.bool_)
    batch = Batch(branch, target, prepared.usable, None)
    return _selection(batch, answer, None, three_way=False)


def select_in_window(
    branch_siemens: ArrayLike,
    target_siemens: ArrayLike,
    second_siemens: ArrayLike,
    second_target_siemens: ArrayLike,
    window_siemens: ArrayLike,
    *,
    usable: ArrayLike | None = None,
    most_searched: int = MAX_EXACT_BRANCHES[2],
) -> Selection:
    """Choose the subset of nearest second sum among those whose sum is near enough the target.

    branch_siemens, target_siemens, usable: as in `select`, 1 to 64 branches.
    second_siemens: (cells, branches), the branches' weights in the second sum, of either sign.
    second_target_siemens: (cells,).
    window_siemens: (cells,) or one number, at least 0: half width of the window.
    most_searched: 2 to 40. Of more usable branches so many are searched, spread evenly over the
        magnitudes; the others are set beforehand so that both sums left are in the middle of what
        the searched ones reach. 28 are searched side by side, more take much longer.

    Minimizes |Σ x_k s_k − second target| subject to |Σ x_k g_k − target| ≤ window; where no
    subset lies in the window, the nearest sum of `select`. Work grows with the number of subsets
    in the window, except where the second sum is the total Σ x_k |g_k|, which is also the quickest.

    Raises ValueError as `select` does, and on a negative window.
    """
    if not 2 <= most_searched <= MAX_EXACT_BRANCHES[2]:
        raise ValueError(f"most_searched is from 2 to {MAX_EXACT_BRANCHES[2]}, not {most_searched}")
    batch = checked_batch(branch_siemens, target_siemens, usable)
    cells = Cells(batch.branch, batch.target, batch.free)
    second = kernel_array(second_siemens, "second_siemens", cells.branch.shape)
    refuse_overflow(second, "second_siemens")
    second_target = kernel_array(second_target_siemens, "second_target_siemens", cells.target.shape)
    window = checked_bound(window_siemens, "window_siemens", len(cells.target))
    criterion = SecondCriterion(second, second_target, window)
    if cells.branch.shape[1] > most_searched:
        return _selection(
            batch, _some_in_window(cells, criterion, most_searched), None, three_way=False
        )
    return _selection(batch, _in_window(cells, criterion), None, three_way=False)


def _in_window(cells: Cells, criterion: SecondCriterion) -> Answer:
    kernel = nearest_in_window if cells.branch.shape[1] <= MAX_BRANCHES_ABREAST else nearest_second
    return over_cores(
        lambda part, answer: kernel(cells.part(part), criterion.part(part), answer),
        cells.branch.shape,
        np.bool_,
    )


def _some_in_window(cells: Cells, criterion: SecondCriterion, max_searched: int) -> Answer:
    """Search so many branches of each cell, the others being set for both sums beforehand."""
    sums_of = TwoSums(cells.branch, criterion.weight, cells.target, criterion.target)
    searched, on = preset_for_two_sums(sums_of, cells.usable, max_searched)
    columns = np.argsort(~searched, axis=1, kind="stable")[:, :max_searched]
    left = Cells(
        np.take_along_axis(cells.branch, columns, axis=1),
        cells.target - (on * cells.branch).sum(axis=1),
        np.take_along_axis(searched, columns, axis=1),
    )
    answer = _in_window(
        left,
        SecondCriterion(
            np.take_along_axis(criterion.weight, columns, axis=1),
            criterion.target - (on * criterion.weight).sum(axis=1),
            criterion.window,
        ),
    )
    pattern = on.copy()
    np.put_along_axis(pattern, columns, answer.pattern & left.usable, axis=1)
    status = reached(FreeCells(*cells, state=np.zeros(pattern.shape, np.int8)), 2)
    status[~cells.usable.any(axis=1)] = Status.NO_USABLE_BRANCH
    return Answer(pattern, (pattern * cells.branch).sum(axis=1), status)


def _selection(
    batch: Batch, answer: Answer, spread: Spread | None, *, three_way: bool
) -> Selection:
    pattern = answer.pattern if three_way else answer.pattern.view(np.bool_)
    uncertainty = np.full(len(batch.target), np.nan)
    if spread is not None:
        state = pattern.astype(np.float64)
        if len(spread.covariance):
            variance = np.einsum("ck,ckl,cl->c", state, spread.covariance, state)
        else:
            variance = (state**2 * spread.variance).sum(axis=1)
        uncertainty = np.sqrt(np.maximum(variance, 0.0))
    return Selection(
        pattern, answer.achieved, answer.achieved - batch.target, answer.status, uncertainty
    )
