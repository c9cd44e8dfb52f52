"""Fixed-point cells and their sorted subset sums: what every selection kernel stands on.

All sums are int64 in units of at most 2^-59 of the cell's range, so additions are exact and equal
sums compare equal; the only rounding is that of each branch, once. Negative branches are
complemented (switching one on is switching off its absolute value from the full sum), so that
every weight is non-negative and the subset of no switches is the smallest sum.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats, Ints
from kirchhoff.compiled import callee, kernel, uncounted

Ints32 = NDArray[np.int32]

OK, OUT_OF_RANGE, NO_USABLE_BRANCH, TOLERANCE_MISSED = 0, 1, 2, 3

# A sum of all weights, each rounded up by less than one unit, stays below 2^62.
SUM_BITS = 60


class Cells(NamedTuple):
    """A batch as the kernels take it: C-contiguous, finite."""

    branch: Floats  # (cells, branches)
    target: Floats  # (cells,)
    usable: Bools  # (cells, branches)

    def part(self, some: slice | Bools) -> "Cells":
        """Return some of the cells."""
        return Cells(self.branch[some], self.target[some], self.usable[some])


class Answer(NamedTuple):
    """What the kernels fill in."""

    pattern: NDArray[Any]  # (cells, branches): bool, or int8 states of switches
    achieved: Floats  # (cells,)
    status: NDArray[np.int8]  # (cells,)

    def part(self, some: slice | Bools) -> "Answer":
        """Return the answer of some of the cells."""
        return Answer(self.pattern[some], self.achieved[some], self.status[some])


def answer_anew(
    some: Bools, cells: Cells, answer: Answer, kernel: Callable[[Cells, Answer], None]
) -> None:
    """Let another kernel answer some of the cells. some: (cells,)."""
    if some.all():
        kernel(cells, answer)
    elif some.any():
        redone = answer.part(some)
        kernel(cells.part(some), redone)
        answer.pattern[some] = redone.pattern
        answer.achieved[some] = redone.achieved
        answer.status[some] = redone.status


@uncounted
def power_of_two(exponent: int) -> tuple[float, float]:
    """2^exponent as two factors, because one alone may overflow or underflow."""
    return math.ldexp(1.0, exponent // 2), math.ldexp(1.0, exponent - exponent // 2)


@uncounted
def to_fixed(siemens: float, scale: tuple[float, float]) -> int:
    """2 x round(siemens x scale): always even, the lowest bit is for the kernels to mark."""
    return 2 * int(np.rint(siemens * scale[0] * scale[1]))


@uncounted
def fixed_point(cells: Cells, c: int, weights: Ints) -> tuple[int, tuple[float, float], int]:
    """Fill `weights` with the fixed-point magnitudes of cell c.

    Returns the fixed-point target, measured from the smallest reachable sum and clipped to the
    reachable range; the scale, for `to_fixed`; the cell's status.
    """
    branch, target, usable = cells.branch[c], cells.target[c], cells.usable[c]
    low = high = 0.0
    any_usable = False
    for k in range(branch.size):
        weights[k] = 0
        if usable[k]:
            any_usable = True
            low += min(branch[k], 0.0)
            high += max(branch[k], 0.0)
    span = high - low
    rounding = branch.size * 2.0**-53 * span
    status = OK
    if not any_usable:
        status = NO_USABLE_BRANCH
    elif target > high + rounding or target < low - rounding:
        status = OUT_OF_RANGE
    if span == 0.0:
        return 0, (1.0, 1.0), status
    scale = power_of_two(SUM_BITS - math.frexp(span)[1])
    offset = total = 0
    for k in range(branch.size):
        if usable[k]:
            weights[k] = to_fixed(abs(branch[k]), scale)
            total += weights[k]
            if branch[k] < 0.0:
                offset += weights[k]
    fixed = to_fixed(min(max(target, low), high), scale) + offset
    return min(max(fixed, 0), total), scale, status


@uncounted
def complemented(branch: float, weight: int) -> bool:
    """Return whether a branch is negative, so that its weight stands for the open switch."""
    return branch < 0.0 and weight > 0


@uncounted
def write_answer(cells: Cells, c: int, weights: Ints, chosen: Bools, answer: Answer) -> None:
    """Undo the complement of the negative branches and sum what is switched on in float64."""
    achieved = 0.0
    for k in range(weights.size):
        branch = cells.branch[c, k]
        on = cells.usable[c, k] and chosen[k] != complemented(branch, weights[k])
        answer.pattern[c, k] = on
        if on:
            achieved += branch
    answer.achieved[c] = achieved


@callee
def merge_levels(weights: Ints, levels: Ints) -> None:
    """Sorted subset sums of the first k weights, k = 0..m, in `levels[2^k - 1 : 2^(k+1) - 1]`.

    Every level is the merge of the one before and the same shifted by one weight (Horowitz and
    Sahni 1974), taken from both ends at once so that two independent chains are in flight.
    """
    levels[0] = 0
    start = 0
    size = 1
    for weight in weights:
        low_plain = low_shifted = start
        high_plain = high_shifted = start + size - 1
        low_out = start + size
        high_out = start + 3 * size - 1
        for _ in range(size):
            plain = levels[low_plain]
            shifted = levels[low_shifted] + weight
            take_plain = plain <= shifted
            levels[low_out] = plain if take_plain else shifted
            low_plain += take_plain
            low_shifted += not take_plain
            low_out += 1
            plain = levels[high_plain]
            shifted = levels[high_shifted] + weight
            take_shifted = shifted >= plain
            levels[high_out] = shifted if take_shifted else plain
            high_shifted -= take_shifted
            high_plain -= not take_shifted
            high_out -= 1
        start += size
        size *= 2


@callee
def _contains(values: Ints, wanted: int) -> bool:
    low = 0
    high = values.size
    while high - low > 1:
        middle = (low + high) >> 1
        if values[middle] <= wanted:
            low = middle
        else:
            high = middle
    return bool(values[low] == wanted)


@callee
def _trace_back(total: int, weights: Ints, levels: Ints, chosen: Bools) -> None:
    """Which weights add up to `total`: exact integers, so each level is asked in turn."""
    for k in range(weights.size - 1, -1, -1):
        below = levels[(1 << k) - 1 : (2 << k) - 1]
        chosen[k] = not _contains(below, total)
        if chosen[k]:
            total -= weights[k]


@callee
def _nearest_pair(first: Ints, second: Ints, target: int) -> tuple[int, int]:
    """Return the entries of two ascending lists whose sum is nearest to the target."""
    i = best_i = 0
    j = best_j = second.size - 1
    best = 1 << 62
    while i < first.size and j >= 0:
        difference = first[i] + second[j] - target
        distance = abs(difference)
        better = distance < best
        best = distance if better else best
        best_i = i if better else best_i
        best_j = j if better else best_j
        above = difference > 0
        j -= above
        i += not above
    return first[best_i], second[best_j]


@kernel
def nearest_one_by_one(cells: Cells, answer: Answer) -> None:
    """Find the nearest sum of every cell: for many branches, where one cell fills the cache."""
    n = cells.branch.shape[1]
    half = n // 2
    weights = np.empty(n, np.int64)
    chosen = np.empty(n, np.bool_)
    first = np.empty((2 << half) - 1, np.int64)
    second = np.empty((2 << (n - half)) - 1, np.int64)
    for c in range(cells.target.size):
        target, _, answer.status[c] = fixed_point(cells, c, weights)
        merge_levels(weights[:half], first)
        merge_levels(weights[half:], second)
        a, b = _nearest_pair(first[(1 << half) - 1 :], second[(1 << (n - half)) - 1 :], target)
        _trace_back(a, weights[:half], first, chosen[:half])
        _trace_back(b, weights[half:], second, chosen[half:])
        write_answer(cells, c, weights, chosen, answer)
