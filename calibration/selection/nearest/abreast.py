"""The nearest sum of sixteen cells at once, by sorting networks instead of merges.

Three things make up for the comparisons that a bitonic merge (`bitonic`) takes more than one by
two pointers:

- Subset sums are symmetric, s(rows - 1 - i) = total - s(i), so only the lower half of each list
  is made and kept.
- The nearest pair needs no sweep: merge the first half's sums a with target - b over the second
  half's b. The nearest a and target - b are neighbours in the merged list. Entries of the second
  kind are odd, all others even, so an odd step is a step between the two kinds.
- Entries carry no mask: the sums are exact integers, so the subset is found again by asking
  each level whether it holds the remaining sum.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from calibration.arrays import Bools, Ints
from calibration.selection.nearest.bitonic import LANES, sort_bitonic
from calibration.selection.nearest.sums import Answer, Cells, fixed_point, write_answer
from kirchhoff.compiled import kernel, uncounted

_TWO_ROWS = 2 * LANES
_BLOCK = 8 * LANES  # rows looked at together when searching the merged list
_FAR = 1 << 62


@register_jitable
def half_of(branches: int) -> int:
    """Branches of each half: as many in one as in the other, some of them of no conductance."""
    return max(2, (branches + 1) // 2)


@uncounted
def _shift_two_rows(plain: Ints, mirror: Ints, offsets: Ints, low: Ints, high: Ints) -> None:
    total_and_weight = offsets
    for i in range(LANES):
        j = i + LANES
        total = total_and_weight[i]
        weight = total_and_weight[j]
        a = plain[i]
        b = plain[j]
        c = min(total - mirror[j], weight + mirror[j])
        d = min(total - mirror[i], weight + mirror[i])
        low[i] = min(a, c)
        high[i] = max(a, c)
        low[j] = min(b, d)
        high[j] = max(b, d)


@uncounted
def lower_levels(weights: Ints, levels: Ints, totals: Ints, offsets: Ints) -> None:
    """Lower halves of the sorted subset sums of the first k weights, k = 1..m.

    weights: (m, lanes), none negative, m at least 2. levels: flat; level k takes rows 2^(k-1) up
    to 2^k. totals: (m + 1, lanes), the sum of the first k weights. offsets: (2 lanes,), scratch.
    """
    # Lane by lane: assigning whole rows takes long to compile.
    for lane in range(LANES):
        totals[0, lane] = 0
        totals[1, lane] = weights[0, lane]
        levels[LANES + lane] = 0
    for k in range(1, weights.shape[0]):
        for lane in range(LANES):
            offsets[lane] = totals[k, lane]
            offsets[LANES + lane] = weights[k, lane]
            totals[k + 1, lane] = totals[k, lane] + weights[k, lane]
            if k == 1:
                levels[2 * LANES + lane] = 0
                levels[3 * LANES + lane] = min(weights[0, lane], weights[1, lane])
        if k == 1:
            continue
        size = LANES << (k - 1)
        below = levels[size : 2 * size]
        low = levels[2 * size : 3 * size]
        high = levels[3 * size : 4 * size]
        # Bitonic first stage on the list below and its mirror image, the shifted list reversed.
        for i in range(0, size, _TWO_ROWS):
            j = size - i
            _shift_two_rows(
                below[i : i + _TWO_ROWS],
                below[j - _TWO_ROWS : j],
                offsets,
                low[i : i + _TWO_ROWS],
                high[i : i + _TWO_ROWS],
            )
        sort_bitonic(low)
        sort_bitonic(high)


@uncounted
def _meet_upper_rows(first: Ints, second: Ints, offsets: Ints, low: Ints, high: Ints) -> None:
    integer = low.dtype.type
    for i in range(LANES):
        j = i + LANES
        a = integer(offsets[i] - first[j])
        b = integer(offsets[i] - first[i])
        c = integer(offsets[j] + second[j])
        d = integer(offsets[j] + second[i])
        low[i] = min(a, c)
        high[i] = max(a, c)
        low[j] = min(b, d)
        high[j] = max(b, d)


@uncounted
def meet_remainders(
    first: Ints, second: Ints, target: Ints, totals: tuple[Ints, Ints], offsets: Ints, merged: Ints
) -> None:
    """Bring all sums a of one half together with the remainders target - b of the other.

    first, second: lower halves of r rows. target: (lanes,). totals: (lanes,) each. offsets:
    (8 lanes,), scratch. merged: 4 r rows. No entry has to leave its lower or its upper half any
    more, which both are left to be sorted by `sort_bitonic`.
    """
    integer = merged.dtype.type
    size = first.size
    low = merged[: 2 * size]
    high = merged[2 * size :]
    for i in range(_BLOCK):
        offsets[i] = target[i % LANES]
    for start in range(0, size, _BLOCK):
        x = first[start : start + _BLOCK]
        y = second[start : start + _BLOCK]
        low_rows = low[start : start + _BLOCK]
        high_rows = high[start : start + _BLOCK]
        for i in range(x.size):
            a = x[i]
            b = integer(offsets[i] - y[i])
            low_rows[i] = min(a, b)
            high_rows[i] = max(a, b)
    for lane in range(LANES):
        offsets[lane] = totals[0][lane]
        offsets[LANES + lane] = target[lane] - totals[1][lane]
    for i in range(0, size, _TWO_ROWS):
        mirror = slice(size - i - _TWO_ROWS, size - i)
        rows = slice(size + i, size + i + _TWO_ROWS)
        _meet_upper_rows(first[mirror], second[mirror], offsets, low[rows], high[rows])


@njit(nogil=True, inline="always")
def _odd_step(entries: Ints, i: int, far: np.int64) -> np.int64:
    step = entries.dtype.type(entries[i + LANES] - entries[i])
    return step if step & 1 else far


@uncounted
def closest_blocks(merged: Ints, step: Ints, next_step: Ints, where: Ints, far: Ints) -> None:
    """Find the smallest odd step of each lane, its block of 8 rows, and the next best block's.

    merged: a multiple of 8 rows, and one more that is not smaller. All others are (lanes,).
    far: beyond all steps.
    """
    for lane in range(LANES):
        step[lane] = next_step[lane] = far[lane]
    for start in range(0, merged.size - LANES, _BLOCK):
        x = merged[start : start + _BLOCK + LANES]
        for i in range(LANES):
            f = far[i]
            a = min(_odd_step(x, i, f), _odd_step(x, i + LANES, f))
            b = min(_odd_step(x, i + 2 * LANES, f), _odd_step(x, i + 3 * LANES, f))
            c = min(_odd_step(x, i + 4 * LANES, f), _odd_step(x, i + 5 * LANES, f))
            d = min(_odd_step(x, i + 6 * LANES, f), _odd_step(x, i + 7 * LANES, f))
            a = min(a, b, c, d)
            where[i] = start if a < step[i] else where[i]
            next_step[i] = min(next_step[i], max(a, step[i]))
            step[i] = min(a, step[i])


@uncounted
def trace_back(left: Ints, levels: Ints, totals: Ints, at: Ints, chosen: Bools) -> None:
    """Which weights add up to `left`, in all lanes at once: each level is asked in turn.

    left: (lanes,), used up. levels, totals: as `lower_levels` made them. at: (lanes,), scratch.
    chosen: (m, lanes).
    """
    for k in range(chosen.shape[0] - 1, 0, -1):
        # Bisection without branches: the steps are the same whatever the numbers are.
        step = 1 << (k - 1)
        at[:] = step
        while step > 1:
            step //= 2
            for lane in range(LANES):
                wanted = min(left[lane], totals[k, lane] - left[lane])
                probe = at[lane] + step
                at[lane] = probe if levels[probe * LANES + lane] <= wanted else at[lane]
        for lane in range(LANES):
            wanted = min(left[lane], totals[k, lane] - left[lane])
            on = levels[at[lane] * LANES + lane] != wanted
            chosen[k, lane] = on
            left[lane] -= totals[k + 1, lane] - totals[k, lane] if on else 0
    for lane in range(LANES):
        chosen[0, lane] = left[lane] != 0


@kernel
def nearest_abreast(cells: Cells, answer: Answer) -> None:
    """Find the nearest sum of every cell."""
    count, n = cells.branch.shape
    half = half_of(n)
    rows = 1 << (half - 1)
    weights = np.zeros((2 * half, LANES), np.int64)
    cell_weights = np.empty((LANES, n), np.int64)
    chosen = np.empty((2 * half, LANES), np.bool_)
    cell_chosen = np.empty(n, np.bool_)
    target = np.ones(LANES, np.int64)  # lanes left over hold a cell without conductance
    first = np.empty(2 * rows * LANES, np.int64)
    second = np.empty(2 * rows * LANES, np.int64)
    first_totals = np.empty((half + 1, LANES), np.int64)
    second_totals = np.empty((half + 1, LANES), np.int64)
    offsets = np.empty(8 * LANES, np.int64)
    entries = 4 * rows * LANES
    merged = np.empty(entries + LANES, np.int64)
    far = np.empty(LANES, np.int64)
    for lane in range(LANES):
        merged[entries + lane] = far[lane] = _FAR
    step = np.empty(LANES, np.int64)
    next_step = np.empty(LANES, np.int64)
    where = np.empty(LANES, np.int64)
    left = np.empty((2, LANES), np.int64)
    at = np.empty(LANES, np.int64)
    for group in range(0, count, LANES):
        lanes = min(LANES, count - group)
        for lane in range(lanes):
            c = group + lane
            fixed, _, answer.status[c] = fixed_point(cells, c, cell_weights[lane])
            target[lane] = fixed + 1
            for k in range(n):
                weights[k, lane] = cell_weights[lane, k]
        lower_levels(weights[:half], first, first_totals, offsets)
        lower_levels(weights[half:], second, second_totals, offsets)
        totals = first_totals[half], second_totals[half]
        meet_remainders(
            first[rows * LANES :], second[rows * LANES :], target, totals, offsets, merged[:entries]
        )
        sort_bitonic(merged[: entries // 2])
        sort_bitonic(merged[entries // 2 : entries])
        closest_blocks(merged, step, next_step, where, far)
        for lane in range(LANES):
            i = where[lane] + lane
            while merged[i + LANES] - merged[i] != step[lane]:
                i += LANES
            lower, upper = merged[i], merged[i + LANES]
            left[0, lane] = upper if lower & 1 else lower
            left[1, lane] = target[lane] - (lower if lower & 1 else upper)
        trace_back(left[0], first, first_totals, at, chosen[:half])
        trace_back(left[1], second, second_totals, at, chosen[half:])
        for lane in range(lanes):
            for k in range(n):
                cell_chosen[k] = chosen[k, lane]
            write_answer(cells, group + lane, cell_weights[lane], cell_chosen, answer)
