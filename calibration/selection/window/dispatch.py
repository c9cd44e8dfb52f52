"""Which kernel searches for the nearest second sum within a window of the first."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.selection.nearest import OK, Answer, Cells, answer_anew, nearest_abreast
from calibration.selection.window.abreast import search_abreast
from calibration.selection.window.one_by_one import (
    EMPTY,
    SETTLED,
    UNSETTLED,
    SecondCriterion,
    nearest_second,
)
from calibration.selection.window.pairs import nearest_total_abreast
from kirchhoff.compiled import kernel, uncounted

Search = Callable[[Cells, SecondCriterion, Answer], None]

# Subsets expected in a window: with fewer it is most often empty; with more, those of pairs are
# best searched side by side.
_SCARCE = 0.25
_PLENTY = 4.0

# Going outward from the second target, subsets in the window expected before one gives up: one
# cell in 400 has none. That pays where it looks at less than half as many subsets: both ways take
# as long at 1.8 times, since sixteen cells wait for the last of them; a batch of both is copied.
_SURE = 6.0
_WORTH = 2.4

# More than subset sums are anywhere denser than evenly spread ones.
_DENSEST = 4.0

_FIRST, _SECOND, _TOTAL, _NEAREST = 0, 1, 2, 3


def nearest_in_window(cells: Cells, criterion: SecondCriterion, answer: Answer) -> None:
    """Nearest second sum within the window where there is a subset, else the nearest sum.

    For as many branches as are searched side by side. Where no subset is to be expected in the
    window, the nearest sum comes first and most often is the answer. Of the other cells, those of
    differential pairs whose second sum is their total are the quickest. The rest is searched by
    the first sum where it leaves fewer subsets to look at, else by the second.
    """
    count = cells.target.size
    plan = np.empty(count, np.int8)
    reach, rounding = np.empty(count), np.empty(count)
    _plan(cells, criterion, plan, reach, rounding)
    scarce = plan == _NEAREST
    answer_anew(scarce, cells, answer, nearest_abreast)
    if scarce.any():
        off = np.abs(answer.achieved[scarce] - cells.target[scarce])
        plan[scarce] = np.where(
            off <= criterion.window[scarce] + rounding[scarce], _FIRST, _NEAREST
        )
    _search(plan == _TOTAL, cells, criterion, answer, _by_total)
    by_second = plan == _SECOND
    if by_second.any():
        outward = reach if by_second.all() else reach[by_second]
        _search(
            by_second,
            cells,
            criterion,
            answer,
            lambda some, wanted, redone: _by_second(some, wanted, outward, redone),
        )
    _search(plan == _FIRST, cells, criterion, answer, _by_first)


@uncounted
def _density(deviation: float, variance: float) -> float:
    """Of a normal distribution: the sums of a subset drawn at random."""
    return math.exp(-(deviation**2) / (2.0 * variance)) / math.sqrt(2.0 * math.pi * variance)


@kernel
def _plan(
    cells: Cells,
    criterion: SecondCriterion,
    plan: NDArray[np.int8],
    reach: Floats,
    rounding: Floats,
) -> None:
    """Which search is the quickest for each cell; all (cells,).

    reach: how far to go outward by the second sum. rounding: how far a window's edge is from sharp.
    """
    count, n = cells.branch.shape
    least = _WORTH * _SURE
    for c in range(count):
        span = 0.0
        first = -cells.target[c]
        second = -criterion.target[c]
        first_variance = second_variance = covariance = 0.0
        subsets = 1.0
        total = True
        for k in range(n):
            g = cells.branch[c, k]
            s = criterion.weight[c, k]
            total &= s == abs(g)
            if cells.usable[c, k]:
                subsets *= 2.0
                span += abs(g)
                first += 0.5 * g
                second += 0.5 * s
                first_variance += 0.25 * g * g
                second_variance += 0.25 * s * s
                covariance += 0.25 * g * s
        rounding[c] = n * 2.0**-50 * span
        window = criterion.window[c]
        evenly = window / span * (1 << n) if span > 0.0 else np.inf
        plan[c] = _FIRST
        if evenly < _SCARCE:
            plan[c] = _NEAREST
        elif total and evenly >= _PLENTY:
            plan[c] = _TOTAL
        elif abs(first) <= 0.5 * span and evenly * window * _DENSEST**2 > 0.25 * least * span:
            # Sums of both criteria have a joint normal distribution, more or less.
            variance = first_variance
            slope = 0.0
            if second_variance > 0.0:
                slope = covariance / second_variance
                variance -= slope * covariance
            if second_variance > 0.0 and variance > 1e-6 * first_variance:
                inside = min(1.0, 2.0 * window * _density(first - slope * second, variance))
                by_first = subsets * 2.0 * window * _density(first, first_variance)
                if by_first * inside > least:
                    plan[c] = _SECOND
                    density = subsets * inside * _density(second, second_variance)
                    reach[c] = 0.5 * _SURE / density if density > 0.0 else np.inf


def _by_total(cells: Cells, criterion: SecondCriterion, answer: Answer) -> None:
    outcome = np.empty(cells.target.size, np.int64)
    nearest_total_abreast(cells, criterion, answer, outcome)
    _search(outcome == UNSETTLED, cells, criterion, answer, _by_first)
    answer_anew(outcome == EMPTY, cells, answer, nearest_abreast)


def _by_first(cells: Cells, criterion: SecondCriterion, answer: Answer) -> None:
    outcome = np.empty(cells.target.size, np.int64)
    search_abreast(cells, criterion, False, criterion.window, answer, outcome)
    _search(outcome == UNSETTLED, cells, criterion, answer, nearest_second)
    answer_anew(outcome == EMPTY, cells, answer, nearest_abreast)


def _by_second(cells: Cells, criterion: SecondCriterion, reach: Floats, answer: Answer) -> None:
    """Search with the criteria's parts exchanged. reach: (cells,) of second sums."""
    outcome = np.empty(cells.target.size, np.int64)
    search_abreast(
        Cells(criterion.weight, criterion.target, cells.usable),
        SecondCriterion(cells.branch, cells.target, reach),
        True,
        criterion.window,
        answer,
        outcome,
    )
    _sum_first(cells, answer)
    _search(outcome != SETTLED, cells, criterion, answer, _by_first)


@kernel
def _sum_first(cells: Cells, answer: Answer) -> None:
    """Fill in the rest of an answer whose patterns keep to a window in the reachable range."""
    for c in range(cells.target.size):
        achieved = 0.0
        for k in range(cells.branch.shape[1]):
            if answer.pattern[c, k]:
                achieved += cells.branch[c, k]
        answer.achieved[c] = achieved
        answer.status[c] = OK


def _search(
    some: Bools, cells: Cells, criterion: SecondCriterion, answer: Answer, search: Search
) -> None:
    chosen = criterion if some.all() else criterion.part(some)
    answer_anew(some, cells, answer, lambda left, redone: search(left, chosen, redone))
