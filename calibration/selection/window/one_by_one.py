"""Two criteria: among the subsets within a window of the target, the nearest second sum.

Every entry packs the mask of its subset below a sum of fewer bits, because subsets of equal sum
may differ in their second sum. A window's edge is therefore sharp only to about
n 2^(n/2 - 59) of the cell's range: 2^-44 at 20 branches, 2^-33 at 40.
"""

from typing import NamedTuple

import numpy as np

from calibration.arrays import Bools, Floats, Ints
from calibration.selection.nearest import (
    OUT_OF_RANGE,
    SUM_BITS,
    Answer,
    Cells,
    complemented,
    fixed_point,
    merge_levels,
    nearest_one_by_one,
    write_answer,
)
from kirchhoff.compiled import callee, kernel, uncounted

# What became of a cell in a kernel which cannot do all: its answer is written; it is left to
# another kernel; no subset lies in its window.
SETTLED, UNSETTLED, EMPTY = 0, 1, 2

_BEYOND_ALL = 2.0**SUM_BITS  # of half the fixed-point range


class SecondCriterion(NamedTuple):
    """The second sum's weights and targets, and the window of the first sum."""

    weight: Floats  # (cells, branches)
    target: Floats  # (cells,)
    window: Floats  # (cells,)

    def part(self, some: slice | Bools) -> "SecondCriterion":
        """Return the criterion of some of the cells."""
        return SecondCriterion(self.weight[some], self.target[some], self.window[some])


@callee
def _pack(weights: Ints, mask_bits: int, packed: Ints) -> None:
    for k in range(weights.size):
        packed[k] = (weights[k] >> mask_bits << mask_bits) | (1 << k)


@callee
def _second_sums(weights: Floats, sums: Floats) -> None:
    """Subset sums of the second weights, indexed by the subset's mask."""
    sums[0] = 0.0
    for k in range(weights.size):
        size = 1 << k
        for mask in range(size):
            sums[size + mask] = sums[mask] + weights[k]


@callee
def _nearest_in_window(
    sums: tuple[Ints, Ints], seconds: tuple[Floats, Floats], edges: tuple[int, int], wanted: float
) -> tuple[int, int]:
    """Return the pair of nearest second sum, of those with a sum between the edges; or (-1, -1).

    sums: two ascending lists; seconds: their entries' second sums. As the entry of the first
    list grows, the run of matching entries in the second list moves down.
    """
    first, second = sums
    first_seconds, second_seconds = seconds
    low, high = edges
    best = np.inf
    best_i = best_j = -1
    top = second.size - 1
    for i in range(first.size):
        while top >= 0 and first[i] + second[top] > high:
            top -= 1
        remainder = wanted - first_seconds[i]
        j = top
        while j >= 0 and first[i] + second[j] >= low:
            distance = abs(second_seconds[j] - remainder)
            if distance < best:
                best = distance
                best_i = i
                best_j = j
            j -= 1
    return best_i, best_j


@uncounted
def second_weights(
    cells: Cells, c: int, weights: Ints, criterion: SecondCriterion, seconds: Floats
) -> float:
    """Fill `seconds`, complemented like the weights, none where a branch is not usable.

    Returns the second target to match them.
    """
    wanted = criterion.target[c]
    for k in range(weights.size):
        seconds[k] = criterion.weight[c, k] if cells.usable[c, k] else 0.0
        if complemented(cells.branch[c, k], weights[k]):
            wanted -= seconds[k]
            seconds[k] = -seconds[k]
    return float(wanted)


@uncounted
def window_reach(
    cells: Cells, c: int, window: float, scale: tuple[float, float], status: int
) -> int:
    """Return the window around the clipped target, fixed point; negative if it misses the range.

    What the target lies beyond the reachable range is taken off the window.
    """
    if status == OUT_OF_RANGE:
        low = high = 0.0
        for k in range(cells.branch.shape[1]):
            if cells.usable[c, k]:
                low += min(cells.branch[c, k], 0.0)
                high += max(cells.branch[c, k], 0.0)
        window -= max(cells.target[c] - high, low - cells.target[c], 0.0)
        if window < 0.0:
            return -1
    return 2 * int(min(np.rint(window * scale[0] * scale[1]), _BEYOND_ALL))


@kernel
def nearest_second(cells: Cells, criterion: SecondCriterion, answer: Answer) -> None:
    """Nearest second sum within the window where there is a subset, else the nearest sum."""
    n = cells.branch.shape[1]
    half_bits = n - n // 2
    weights = np.empty(n, np.int64)
    seconds = np.empty(n)
    packed = np.empty(n, np.int64)
    chosen = np.empty(n, np.bool_)
    levels = np.empty((2, (2 << half_bits) - 1), np.int64)
    by_mask = np.empty(1 << half_bits)
    sorted_seconds = np.empty((2, 1 << half_bits))
    for c in range(cells.target.size):
        target, scale, status = fixed_point(cells, c, weights)
        answer.status[c] = status
        reach = window_reach(cells, c, criterion.window[c], scale, status)
        wanted = second_weights(cells, c, weights, criterion, seconds)
        # Unusable branches are left out: as zeros they would double the subsets to look at.
        used = np.flatnonzero(cells.usable[c])
        half = used.size // 2
        mask_bits = used.size - half
        for side, part in enumerate((used[:half], used[half:])):
            _pack(weights[part], mask_bits, packed)
            merge_levels(packed[: part.size], levels[side])
            _second_sums(seconds[part], by_mask)
            for i in range(1 << part.size):
                entry = levels[side, (1 << part.size) - 1 + i]
                sorted_seconds[side, i] = by_mask[entry & ((1 << mask_bits) - 1)]
        first = levels[0, (1 << half) - 1 : (2 << half) - 1]
        second = levels[1, (1 << mask_bits) - 1 : (2 << mask_bits) - 1]
        # Packing drops less than one step of every weight and adds the masks, below two steps.
        step = 1 << mask_bits
        edges = (target - reach - used.size * step, target + reach + 2 * step)
        i = j = -1
        if reach >= 0:
            i, j = _nearest_in_window(
                (first, second), (sorted_seconds[0], sorted_seconds[1]), edges, wanted
            )
        if i < 0:
            cell = slice(c, c + 1)
            nearest_one_by_one(
                Cells(cells.branch[cell], cells.target[cell], cells.usable[cell]),
                Answer(answer.pattern[cell], answer.achieved[cell], answer.status[cell]),
            )
            continue
        chosen[:] = False
        for u in range(used.size):
            entry = first[i] >> u if u < half else second[j] >> (u - half)
            chosen[used[u]] = entry & 1
        write_answer(cells, c, weights, chosen, answer)
