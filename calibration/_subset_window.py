"""Two criteria: among the subsets within a window of the target, the nearest second sum.

Every entry packs the mask of its subset below a sum of fewer bits, because subsets of equal sum
may differ in their second sum. A window's edge is therefore sharp only to about
n 2^(n/2 - 59) of the cell's range: 2^-44 at 20 branches, 2^-33 at 40.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from calibration._subset_sums import (
    Answer,
    Cells,
    Floats,
    Ints,
    complemented,
    fixed_point,
    merge_levels,
    nearest_one_by_one,
    to_fixed,
    write_answer,
)


class SecondCriterion(NamedTuple):
    """The second sum's weights and targets, and the window of the first sum."""

    weight: Floats  # (cells, branches)
    target: Floats  # (cells,)
    window: Floats  # (cells,)


@njit(cache=True, nogil=True)
def _pack(weights: Ints, mask_bits: int, packed: Ints) -> None:
    for k in range(weights.size):
        packed[k] = (weights[k] >> mask_bits << mask_bits) | (1 << k)


@njit(cache=True, nogil=True)
def _second_sums(weights: Floats, sums: Floats) -> None:
    """Subset sums of the second weights, indexed by the subset's mask."""
    sums[0] = 0.0
    for k in range(weights.size):
        size = 1 << k
        for mask in range(size):
            sums[size + mask] = sums[mask] + weights[k]


@njit(cache=True, nogil=True)
def _nearest_in_window(
    sums: tuple[Ints, Ints], seconds: tuple[Floats, Floats], edges: tuple[int, int], wanted: float
) -> tuple[int, int]:
    """The pair of nearest second sum among those whose sum lies between the edges, or (-1, -1).

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


@njit(cache=True, nogil=True)
def nearest_second(cells: Cells, criterion: SecondCriterion, answer: Answer) -> None:
    """Nearest second sum within the window where there is a subset, else the nearest sum."""
    n = cells.branch.shape[1]
    most = n - n // 2
    weights = np.empty(n, np.int64)
    packed = np.empty(n, np.int64)
    used = np.empty(n, np.int64)
    second_weights = np.empty(n)
    chosen = np.empty(n, np.bool_)
    levels = np.empty((2, (2 << most) - 1), np.int64)
    by_mask = np.empty(1 << most)
    sorted_seconds = np.empty((2, 1 << most))
    for c in range(cells.target.size):
        target, exponent, answer.status[c] = fixed_point(cells, c, weights)
        wanted = criterion.target[c]
        low = high = 0.0
        count = 0
        for k in range(n):
            # Unusable branches are left out: as zeros they would double the subsets to look at.
            if cells.usable[c, k]:
                low += min(cells.branch[c, k], 0.0)
                high += max(cells.branch[c, k], 0.0)
                second = criterion.weight[c, k]
                if complemented(cells.branch[c, k], weights[k]):
                    wanted -= second
                    second = -second
                second_weights[count] = second
                packed[count] = weights[k]
                used[count] = k
                count += 1
        half = count // 2
        mask_bits = count - half
        for side in range(2):
            part = slice(0, half) if side == 0 else slice(half, count)
            bits = half if side == 0 else mask_bits
            _pack(packed[part].copy(), mask_bits, packed[part])
            merge_levels(packed[part], levels[side])
            _second_sums(second_weights[part], by_mask)
            for i in range(1 << bits):
                entry = levels[side, (1 << bits) - 1 + i]
                sorted_seconds[side, i] = by_mask[entry & ((1 << mask_bits) - 1)]
        sums = (
            levels[0, (1 << half) - 1 : (2 << half) - 1],
            levels[1, (1 << mask_bits) - 1 : (2 << mask_bits) - 1],
        )
        # `target` is clipped to the range: what lies beyond is taken off the window.
        beyond = max(cells.target[c] - high, low - cells.target[c], 0.0)
        reach = to_fixed(min(criterion.window[c] - beyond, high - low), exponent)
        # Packing drops less than one step of every weight and adds the masks, below two steps.
        step = 1 << mask_bits
        edges = (target - reach - count * step, target + reach + 2 * step)
        i = j = -1
        if criterion.window[c] >= beyond:
            i, j = _nearest_in_window(sums, (sorted_seconds[0], sorted_seconds[1]), edges, wanted)
        if i < 0:
            one = slice(c, c + 1)
            nearest_one_by_one(
                Cells(cells.branch[one], cells.target[one], cells.usable[one]),
                Answer(answer.pattern[one], answer.achieved[one], answer.status[one]),
            )
            continue
        chosen[:] = False
        for u in range(count):
            entry = sums[0][i] >> u if u < half else sums[1][j] >> (u - half)
            chosen[used[u]] = entry & 1
        write_answer(cells, c, weights, chosen, answer)
