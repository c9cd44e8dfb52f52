"""Which kernel searches for the nearest second sum within a window of the first."""

from collections.abc import Callable

import numpy as np
from numba import njit

from calibration.selection.sums import Answer, Bools, Cells, Floats, answer_anew
from calibration.selection.sums_abreast import nearest_abreast
from calibration.selection.window import EMPTY, UNSETTLED, SecondCriterion, nearest_second
from calibration.selection.window_abreast import nearest_second_abreast
from calibration.selection.window_pairs import nearest_total_abreast

Search = Callable[[Cells, SecondCriterion, Answer], None]

# Subsets expected in a window, were all sums evenly spread: with fewer than this the window is
# most often empty.
_SCARCE = 0.25
_PLENTY = 4.0


def nearest_in_window(cells: Cells, criterion: SecondCriterion, answer: Answer) -> None:
    """Nearest second sum within the window where there is a subset, else the nearest sum.

    For as many branches as are searched side by side. Where no subset is to be expected in the
    window, the nearest sum comes first and most often is the answer. Of the other cells, those of
    differential pairs whose second sum is their total are the quickest; rounded sums settle nearly
    all the rest.
    """
    count = cells.target.size
    expected, rounding = np.empty(count), np.empty(count)
    totals = np.empty(count, np.bool_)
    _survey(cells, criterion, expected, rounding, totals)
    scarce = expected < _SCARCE
    answer_anew(scarce, cells, answer, nearest_abreast)
    left = ~scarce
    off = np.abs(answer.achieved[scarce] - cells.target[scarce])
    left[scarce] = off <= criterion.window[scarce] + rounding[scarce]
    plenty = left & totals & (expected >= _PLENTY)
    _search(plenty, cells, criterion, answer, _nearest_total)
    _search(left & ~plenty, cells, criterion, answer, _nearest_of_rounded)


@njit(cache=True, nogil=True)
def _survey(
    cells: Cells, criterion: SecondCriterion, expected: Floats, rounding: Floats, totals: Bools
) -> None:
    """What to expect of each cell, all (cells,).

    Subsets in the window; how far its edges are from sharp; whether the second sum is the total.
    """
    count, n = cells.branch.shape
    for c in range(count):
        span = 0.0
        total = True
        for k in range(n):
            magnitude = abs(cells.branch[c, k])
            total &= criterion.weight[c, k] == magnitude
            span += magnitude if cells.usable[c, k] else 0.0
        totals[c] = total
        expected[c] = criterion.window[c] / span * 2.0**n if span > 0.0 else np.inf
        rounding[c] = n * 2.0**-50 * span


def _nearest_total(cells: Cells, criterion: SecondCriterion, answer: Answer) -> None:
    outcome = np.empty(cells.target.size, np.int64)
    nearest_total_abreast(cells, criterion, answer, outcome)
    _search(outcome == UNSETTLED, cells, criterion, answer, _nearest_of_rounded)
    answer_anew(outcome == EMPTY, cells, answer, nearest_abreast)


def _nearest_of_rounded(cells: Cells, criterion: SecondCriterion, answer: Answer) -> None:
    outcome = np.empty(cells.target.size, np.int64)
    nearest_second_abreast(cells, criterion, answer, outcome)
    _search(outcome == UNSETTLED, cells, criterion, answer, nearest_second)
    answer_anew(outcome == EMPTY, cells, answer, nearest_abreast)


def _search(
    some: Bools, cells: Cells, criterion: SecondCriterion, answer: Answer, search: Search
) -> None:
    chosen = criterion if some.all() else criterion.part(some)
    answer_anew(some, cells, answer, lambda left, redone: search(left, chosen, redone))
