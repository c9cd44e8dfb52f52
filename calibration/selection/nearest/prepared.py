"""The nearest sum again: the sorted halves of cells, kept for many targets.

Kept are the lower half of each half's sums (`abreast.py`) and, beside each sum, the mask
of its subset. What is left to do for a target is to merge once and look two masks up.

Up to 22 branches the sums are kept in 32 bits, which halves both memory and time. So rounded they
may not tell the nearest subset from the next; such cells, at 20 branches some hundredths of all,
are left to a fresh search, so that results are the same as those of a fresh search for all.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats, Ints
from calibration.selection.nearest.abreast import (
    closest_blocks,
    half_of,
    lower_levels,
    meet_remainders,
)
from calibration.selection.nearest.bitonic import LANES, sort_bitonic
from calibration.selection.nearest.sums import Answer, Cells, fixed_point, write_answer
from kirchhoff.compiled import callee, kernel

Masks = NDArray[np.uint16]

MAX_BRANCHES_IN_32_BITS = 22

# An entry is twice a rounded sum; a remainder is one more. A sum of a lower half is wrong by half
# a unit, of an upper half (the total less a lower one) by a unit, a target by half a unit: in all
# 2.5 units a pair, 10 in the difference of two pairs of entries, 2 for the odd ones, and less than
# 2 for the bits that masks take from the sums.
_SLACK = 14
_FAR = 1 << 62


class Halves(NamedTuple):
    """Sorted halves of a batch, sixteen cells side by side in a group."""

    first: Ints  # (groups, rows, lanes), lower half of the sums of the first branches
    second: Ints
    first_mask: Masks  # (groups, rows, lanes), bit k: branch k of the half
    second_mask: Masks
    totals: Ints  # (groups, 2, lanes), entries of all branches
    scale: Floats  # (groups, lanes), rounded sum per fixed-point unit

    def part(self, cells: slice) -> "Halves":
        """Return the groups of some cells, which must be whole groups."""
        groups = slice(cells.start // LANES, -(-cells.stop // LANES))
        return Halves(
            self.first[groups],
            self.second[groups],
            self.first_mask[groups],
            self.second_mask[groups],
            self.totals[groups],
            self.scale[groups],
        )


def halves_bytes(cells: int, branches: int) -> int:
    """Memory of the sorted halves."""
    bytes_per_sum = 4 if branches <= MAX_BRANCHES_IN_32_BITS else 8
    groups = -(-cells // LANES)
    half: int = half_of(branches)
    return groups * LANES * (bytes_per_sum + 2) << half


def empty_halves(cells: int, branches: int) -> Halves:
    """Return halves with room for so many cells, their contents not yet set."""
    groups = -(-cells // LANES)
    shape = groups, 1 << (half_of(branches) - 1), LANES
    integer = np.int32 if branches <= MAX_BRANCHES_IN_32_BITS else np.int64
    return Halves(
        np.empty(shape, integer),
        np.empty(shape, integer),
        np.empty(shape, np.uint16),
        np.empty(shape, np.uint16),
        np.empty((groups, 2, LANES), integer),
        np.empty((groups, LANES)),
    )


@callee
def _rounded(units: float, scale: float) -> int:
    return 2 * int(np.rint(units * scale))


@callee
def _masked_weights(cells: Cells, c: int, fixed: Ints, weights: Ints) -> tuple[float, float]:
    """Fill in a cell's weights, each with its bit of the mask in the lowest bits.

    weights: (2 halves). Returns the largest sum, and the unit of the weights, in fixed point.
    """
    fixed_point(cells, c, fixed)
    half = weights.size // 2
    total = fixed.sum()
    # Branches that are not usable get a weight that leads beyond the range: with none, each subset
    # would come twice, and none would stand out as the nearest.
    barred = total + (total >> 4)
    largest = float(total)
    for k in range(weights.size):
        if k >= fixed.size or not cells.usable[c, k]:
            largest += barred
    drop = max(math.frexp(largest)[1] - 61, 0)
    for k in range(weights.size):
        weight = fixed[k] if k < fixed.size and cells.usable[c, k] else barred
        weights[k] = (weight >> (drop + half) << half) | (1 << (k % half))
    return largest, math.ldexp(1.0, drop)


@kernel
def prepare_halves(cells: Cells, halves: Halves) -> None:
    """Fill in the sorted halves of all cells."""
    count, n = cells.branch.shape
    groups, rows, _ = halves.first.shape
    half = half_of(n)
    largest_rounded = 2.0**30 - 64.0 if halves.first.itemsize == 4 else 2.0**38
    fixed = np.empty(n, np.int64)
    cell_weights = np.empty(2 * half, np.int64)
    weights = np.zeros((2 * half, LANES), np.int64)
    unit = np.ones(LANES)
    levels = np.empty(2 * rows * LANES, np.int64)
    totals = np.empty((half + 1, LANES), np.int64)
    offsets = np.empty(2 * LANES, np.int64)
    entries = levels[rows * LANES :].reshape(rows, LANES)
    keep = -1 << half
    for group in range(groups):
        scale = halves.scale[group]
        for lane in range(min(LANES, count - group * LANES)):
            largest, unit[lane] = _masked_weights(cells, group * LANES + lane, fixed, cell_weights)
            for k in range(2 * half):
                weights[k, lane] = cell_weights[k]
            scale[lane] = largest_rounded / largest if largest > 0.0 else 0.0
        for side in range(2):
            sums = (halves.first if side == 0 else halves.second)[group]
            masks = (halves.first_mask if side == 0 else halves.second_mask)[group]
            lower_levels(weights[side * half : (side + 1) * half], levels, totals, offsets)
            for row in range(rows):
                for lane in range(LANES):
                    entry = entries[row, lane]
                    sums[row, lane] = _rounded((entry & keep) * unit[lane], scale[lane])
                    masks[row, lane] = entry & ~keep
            for lane in range(LANES):
                total = (totals[half, lane] & keep) * unit[lane]
                halves.totals[group, side, lane] = _rounded(total, scale[lane])


@callee
def _nearest_pair(merged: Ints, start: int, step: int, next_step: int) -> tuple[bool, int, int]:
    """Whether the nearest pair stands out in spite of rounding; its lower and upper entry.

    merged: as `closest_blocks` takes it. start: the first entry of the pair's block, of the lane.
    """
    rival = next_step
    nearest_at = -1
    for i in range(start, start + 8 * LANES, LANES):
        here = merged[i + LANES] - merged[i]
        if here == step and nearest_at < 0:
            nearest_at = i
        elif here & 1:
            rival = min(rival, here)
    lower, upper = merged[nearest_at], merged[nearest_at + LANES]
    # A pair that is not of neighbours, but no farther apart, begins or ends at one of these.
    if nearest_at >= LANES:
        rival = min(rival, step + lower - merged[nearest_at - LANES])
    if nearest_at + 3 * LANES < merged.size:
        rival = min(rival, step + merged[nearest_at + 2 * LANES] - upper)
    return rival - step > _SLACK, lower, upper


@callee
def _look_up(
    half: tuple[Ints, Masks],
    total: Ints,
    entry: Ints,
    at: Ints,
    mask: Ints,
    found: Bools,
) -> None:
    """Find the masks of the subsets whose sums are given, in all lanes at once.

    half: sums and masks (rows, lanes). All others are (lanes,). at: scratch. found: cleared where
    neither the sum nor its difference from the total is in the lower half (rounded in the middle).
    """
    sums, masks = half
    at[:] = 0
    step = sums.shape[0]
    while step > 1:
        step //= 2
        for lane in range(LANES):
            wanted = min(entry[lane], total[lane] - entry[lane])
            probe = at[lane] + step
            at[lane] = probe if sums[probe, lane] <= wanted else at[lane]
    for lane in range(LANES):
        mask[lane] = masks[at[lane], lane]
    for lane in range(LANES):
        kept = sums[at[lane], lane]
        other = total[lane] - kept
        mask[lane] = mask[lane] if kept == entry[lane] else ~mask[lane]
        found[lane] &= kept == entry[lane] or other == entry[lane]


@kernel
def nearest_prepared(cells: Cells, halves: Halves, answer: Answer, settled: Bools) -> None:
    """Find the nearest sum of every cell; `settled` (cells,) is set where it is found."""
    count, n = cells.branch.shape
    groups, rows, _ = halves.first.shape
    half = half_of(n)
    integer = halves.first.dtype
    weights = np.empty((LANES, n), np.int64)
    chosen = np.empty(n, np.bool_)
    target = np.ones(LANES, integer)
    offsets = np.empty(8 * LANES, integer)
    entries = 4 * rows * LANES
    merged = np.empty(entries + LANES, integer)
    far = np.full(LANES, _FAR if merged.itemsize == 8 else np.iinfo(np.int32).max, integer)
    step = np.empty(LANES, integer)
    next_step = np.empty(LANES, integer)
    where = np.empty(LANES, np.int64)
    stands_out = np.empty(LANES, np.bool_)
    entry = np.empty((2, LANES), np.int64)
    at = np.empty(LANES, np.int64)
    mask = np.empty((2, LANES), np.int64)
    for group in range(groups):
        lanes = min(LANES, count - group * LANES)
        scale = halves.scale[group]
        for lane in range(lanes):
            c = group * LANES + lane
            fixed, _, answer.status[c] = fixed_point(cells, c, weights[lane])
            target[lane] = _rounded(fixed, scale[lane]) + 1
        first, second, totals = halves.first[group], halves.second[group], halves.totals[group]
        meet_remainders(
            first.reshape(-1),
            second.reshape(-1),
            target,
            (totals[0], totals[1]),
            offsets,
            merged[:entries],
        )
        sort_bitonic(merged[: entries // 2])
        sort_bitonic(merged[entries // 2 : entries])
        for lane in range(LANES):
            merged[entries + lane] = merged[entries - LANES + lane]
        closest_blocks(merged, step, next_step, where, far)
        for lane in range(LANES):
            stands_out[lane], lower, upper = _nearest_pair(
                merged, where[lane] + lane, step[lane], next_step[lane]
            )
            a, rest = (upper, lower) if lower & 1 else (lower, upper)
            entry[0, lane], entry[1, lane] = a, target[lane] - rest
        kept = first, halves.first_mask[group]
        _look_up(kept, totals[0], entry[0], at, mask[0], stands_out)
        kept = second, halves.second_mask[group]
        _look_up(kept, totals[1], entry[1], at, mask[1], stands_out)
        for lane in range(lanes):
            c = group * LANES + lane
            settled[c] = stands_out[lane]
            if stands_out[lane]:
                for k in range(n):
                    chosen[k] = (mask[k // half, lane] >> (k % half)) & 1
                write_answer(cells, c, weights[lane], chosen, answer)
