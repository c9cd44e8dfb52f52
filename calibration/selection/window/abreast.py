"""Two criteria, sixteen cells at once: a second sum rides along below the one searched.

An entry is 2 (m 2^31 + r): the main sum m, by which lists are sorted, and the rider r as integers,
r of either sign. Both add, so subset sums, their symmetry and their merge are those of the module
of this name in `selection/nearest/`, and one difference of two entries holds the differences of
both sums, one in each 32-bit word (`scan.py`). That finds the best subset up to rounding. Where
rounding leaves more than one to choose from, or one at the edge of the window, these are judged by
their exact sums.

Either criterion may be the main one. With the first sum as such, every subset in the window is
looked at, and the nearest rider wins: best for few subsets in the window. With the second, one goes
from its target outward until riders lie in the window: best for many.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from calibration.arrays import Floats, Ints
from calibration.selection.nearest import (
    LANES,
    Answer,
    Cells,
    Ints32,
    fixed_point,
    lower_levels,
    meet_remainders,
    sort_bitonic_to_words,
    trace_back,
    write_answer,
)
from calibration.selection.window.judge import Exact, Sides, judge
from calibration.selection.window.one_by_one import (
    EMPTY,
    SETTLED,
    UNSETTLED,
    SecondCriterion,
    second_weights,
    window_reach,
)
from calibration.selection.window.scan import (
    BEYOND,
    BLOCK,
    NO_KEY,
    ROWS,
    TWO_KINDS,
    Best,
    Limits,
    Words,
    entry_at,
    nearest_mains,
    nearest_neighbours,
    nearest_riders,
    pair_key,
)
from kirchhoff.compiled import callee, kernel, uncounted

_MAIN_BITS = 29  # of the main sum, unusable branches included
_RIDER_BITS = 31  # of the rider's modulus, four times its range
_MARK = (1 << _RIDER_BITS) + 1


class _Packed(NamedTuple):
    """What packing a cell makes of its numbers; `outcome` is SETTLED where it can be searched."""

    target: int
    reach: int  # half width of the window, in units of the packed main sum
    rider_scale: float
    exact: Exact
    status: int
    outcome: int


@uncounted
def _pack(
    cells: Cells, c: int, criterion: SecondCriterion, weights: Ints, riders: Floats, packed: Ints
) -> _Packed:
    """Fill in the fixed-point and the packed weights of cell c, and those of its riders.

    packed: (branches and more, up to an even number).
    """
    n = weights.size
    target, scale, status = fixed_point(cells, c, weights)
    reach = window_reach(cells, c, criterion.window[c], scale, status)
    wanted = second_weights(cells, c, weights, criterion, riders)
    total = 0
    low = high = 0.0
    barred = packed.size
    for k in range(n):
        barred -= cells.usable[c, k]
        total += weights[k]
        low += min(riders[k], 0.0)
        high += max(riders[k], 0.0)
    wanted = min(max(wanted, low), high)
    exact = Exact(target, reach, wanted)
    if reach < 0:
        return _Packed(0, -1, 0.0, exact, status, EMPTY)
    if total == 0 or not 1e-290 < high - low < 1e290:
        return _Packed(0, -1, 0.0, exact, status, UNSETTLED)
    reach = min(reach, total)
    # Branches that are not usable get a weight beyond every window: with no weight, each subset
    # would come twice, and none would stand out as the best.
    beyond = total + reach
    drop = math.frexp(float(total) + barred * float(beyond))[1] - _MAIN_BITS
    rider_scale = ((1 << (_RIDER_BITS - 2)) - 2 * packed.size) / (high - low)
    least = 0
    for k in range(n):
        packed[k] = _packed(weights[k], drop, riders[k] * rider_scale)
        least = min(least, packed[k])
    if least < 0:  # of no main weight to speak of; the search needs weights >= 0
        return _Packed(0, -1, 0.0, exact, status, UNSETTLED)
    if barred:
        for k in range(packed.size):
            if k >= n or not cells.usable[c, k]:
                packed[k] = ((beyond >> drop) + packed.size) << (_RIDER_BITS + 1)
    packed_target = _packed(target, drop, wanted * rider_scale) + _MARK
    return _Packed(packed_target, reach >> drop, rider_scale, exact, status, SETTLED)


@njit(nogil=True, inline="always")
def _packed(main: int, drop: int, rider: float) -> int:
    rounded = (main + (1 << (drop - 1))) >> drop
    return 2 * ((rounded << _RIDER_BITS) + int(np.rint(rider)))


@uncounted
def _limits(packed: _Packed, slack: int, outward: bool, within: float) -> Limits:
    """Return the limits of a pair's words to be inside the window, perhaps and surely.

    slack: what rounding changes a packed sum by at most. A pair of rider r scores 2^31 - |2 r + 1|,
    and an upper word's difference is off by one at most.
    """
    widest = packed.reach + slack + 2
    if not outward:
        return Limits(widest, packed.reach - slack - 2, TWO_KINDS + 1, TWO_KINDS + 1, 4 * slack)
    reach = int(min(within * packed.rider_scale, 2.0 ** (_RIDER_BITS - 2)))
    highest = 1 << _RIDER_BITS
    least = max(highest - 2 * (reach + slack + 1) - 1, TWO_KINDS + 1)
    surely_least = highest - 2 * (reach - slack - 1) + 1
    margin = 2 * slack + 2
    # More by what has to be known beyond the best pair.
    return Limits(widest + margin, widest + margin, least, surely_least, margin)


@uncounted
def _settle(
    words: Words, start: int, key: int, next_key: int, limits: Limits, outward: bool
) -> tuple[int, bool, int, int]:
    """Return what becomes of a cell, and the sum a and remainder target - b of its best pair.

    start: the first entry of the best pair's block, of the cell's lane. UNSETTLED where rounding
    could change the answer, or where none is found. Returns also whether the best pair is inside
    the window, whatever was rounded.
    """
    reach = min(limits.widest, limits.margin - key) if outward else limits.widest
    if outward and limits.margin - key > limits.widest:
        return UNSETTLED, False, 0, 0
    if not outward and key < limits.least:
        return EMPTY, False, 0, 0
    here = there = min(start, 0) - 1  # -1, but no constant: that has a form of callees for itself
    for i in range(start, start + BLOCK, LANES):
        for j in range(i + LANES, words.upper.size, LANES):
            if words.upper[j] - words.upper[i] > reach:
                break
            pair = pair_key(words, i, j, limits.least, outward)
            if pair == key and here < 0:
                here, there = i, j
            else:
                next_key = max(next_key, pair)
    surely = words.upper[there] - words.upper[here] <= limits.surely_widest
    surely &= abs(np.int32(words.lower[there] - words.lower[here])) >= limits.surely_least
    if key - next_key <= limits.margin or not surely:
        return UNSETTLED, surely, 0, 0
    a, rest = entry_at(words, here, there)
    return SETTLED, surely, a, rest


@uncounted
def _settle_nearest(
    words: Words, start: int, key: int, next_key: int, slack: int
) -> tuple[int, int, int]:
    """As `_settle`, of a cell in whose window no subset lies: EMPTY where rounding could matter."""
    rival = -next_key
    nearest_at = -1
    for i in range(start, start + BLOCK, LANES):
        step = pair_key(words, i, i + LANES, TWO_KINDS + 1, True)
        is_nearest = step == key and nearest_at < 0
        nearest_at = i if is_nearest else nearest_at
        rival = min(rival, -NO_KEY if is_nearest else -step)
    # A pair that is not of neighbours, but no farther apart, begins or ends at one of these.
    if nearest_at >= LANES:
        before = words.upper[nearest_at] - words.upper[nearest_at - LANES]
        rival = min(rival, before - key)
    beyond = words.upper[nearest_at + 2 * LANES] - words.upper[nearest_at + LANES]
    rival = min(rival, beyond - key)
    if rival + key <= 2 * slack + 2:
        return EMPTY, 0, 0
    a, rest = entry_at(words, nearest_at, nearest_at + LANES)
    return SETTLED, a, rest


class _Group(NamedTuple):
    """Sixteen cells side by side, packed."""

    weights: Ints  # (lanes, branches), fixed point
    riders: Floats  # (lanes, branches)
    packed: Ints  # (2 halves, lanes)
    target: Ints  # (lanes,)
    widest: Ints32  # (lanes,), negative where a cell is not searched
    least: Ints32  # (lanes,)
    exact: Ints  # (lanes, 2), the integers of each one's Exact
    rider: Floats  # (lanes,), its rider's target
    limits: Ints  # (lanes, 5), its Limits


@callee
def _pack_group(
    cells: Cells,
    criterion: SecondCriterion,
    start: int,
    asked: tuple[bool, Floats],
    group: _Group,
    answer: Answer,
    outcome: Ints,
) -> None:
    """Pack the cells from `start` on; asked: as `search_abreast` is."""
    outward, within = asked
    size = group.packed.shape[0]
    slack = size // 2 + 2
    cell_packed = np.empty(size, np.int64)
    group.widest[:] = -1
    group.least[:] = TWO_KINDS + 1
    for lane in range(min(LANES, cells.target.size - start)):
        c = start + lane
        cell = _pack(cells, c, criterion, group.weights[lane], group.riders[lane], cell_packed)
        group.target[lane], answer.status[c], outcome[c] = cell.target, cell.status, cell.outcome
        if cell.outcome == SETTLED:
            limits = _limits(cell, slack, outward, within[c])
            group.exact[lane, 0], group.exact[lane, 1] = cell.exact.target, cell.exact.reach
            group.rider[lane] = cell.exact.rider
            bounds = group.limits[lane]
            bounds[0], bounds[1], bounds[2] = limits.widest, limits.surely_widest, limits.least
            bounds[3], bounds[4] = limits.surely_least, limits.margin
            group.widest[lane], group.least[lane] = limits.widest, limits.least
            for k in range(size):
                group.packed[k, lane] = cell_packed[k]


@callee
def _find_pairs(
    words: Words,
    best: Best,
    asked: tuple[bool, Floats],
    group: _Group,
    sides: Sides,
    left: Ints,
    outcome: Ints,
) -> None:
    """Find the outcome of the cells searched, and their best pairs.

    outcome: for as many cells as there are. asked: as `search_abreast` is, of these cells. left:
    (2, lanes), the sums of both halves.
    """
    outward, within = asked
    chosen = np.empty(group.packed.shape[0], np.bool_)
    slack = chosen.size // 2 + 2
    searched = group.widest >= 0
    if outward:
        nearest_mains(words, group.widest, group.least, 2 * slack + 2, best)
    else:
        nearest_riders(words, group.widest, best)
    empty = False
    for lane in range(outcome.size):
        if searched[lane]:
            bounds = group.limits[lane]
            limits = Limits(bounds[0], bounds[1], bounds[2], bounds[3], bounds[4])
            exact = Exact(group.exact[lane, 0], group.exact[lane, 1], group.rider[lane])
            start, key = best.start[lane] + lane, best.key[lane]
            cell_outcome, surely, a, rest = _settle(
                words, start, key, best.next_key[lane], limits, outward
            )
            # Going outward, what is behind a pair at the edge has not been looked at.
            if cell_outcome == UNSETTLED and (surely or not outward):
                cell_outcome, a, rest = judge(
                    words,
                    (best.blocks, lane),
                    key if surely else NO_KEY,
                    limits,
                    outward,
                    sides,
                    group.target[lane],
                    (group.weights[lane], group.riders[lane]),
                    (exact, within[lane] if outward else np.inf),
                    chosen,
                )
            outcome[lane] = cell_outcome
            left[0, lane], left[1, lane] = a, group.target[lane] - rest
            empty |= cell_outcome == EMPTY
    if empty:
        nearest_neighbours(words, best)
        for lane in range(outcome.size):
            if searched[lane] and outcome[lane] == EMPTY:
                start = best.start[lane] + lane
                outcome[lane], a, rest = _settle_nearest(
                    words, start, best.key[lane], best.next_key[lane], slack
                )
                left[0, lane], left[1, lane] = a, group.target[lane] - rest


@kernel
def search_abreast(
    cells: Cells,
    criterion: SecondCriterion,
    outward: bool,
    within: Floats,
    answer: Answer,
    outcome: Ints,
) -> None:
    """Search all cells, which are answered where the outcome (cells,) says SETTLED.

    The cells' own sum is the main one, the criterion's the rider. Wanted is the nearest rider with
    the main sum within the criterion's window, or the nearest main sum where the window is EMPTY.
    Or, to go `outward`: the nearest main sum within that window with the rider within `within`
    (cells,) of its target, which must be in its range; it is left UNSETTLED where there is none.
    """
    count, n = cells.branch.shape
    half = max(3, (n + 1) // 2)
    rows = 1 << (half - 1)
    first = np.empty(2 * rows * LANES, np.int64)
    second = np.empty(2 * rows * LANES, np.int64)
    first_totals = np.empty((half + 1, LANES), np.int64)
    second_totals = np.empty((half + 1, LANES), np.int64)
    sides = Sides(first, first_totals, second, second_totals)
    offsets = np.empty(8 * LANES, np.int64)
    merged = np.empty(4 * rows * LANES, np.int64)
    middle = merged.size // 2
    upper = np.full(merged.size + 2 * BLOCK, np.int32(BEYOND))
    lower = np.zeros(upper.size, np.int32)
    group = _Group(
        np.zeros((LANES, n), np.int64),
        np.empty((LANES, n)),
        np.zeros((2 * half, LANES), np.int64),
        np.zeros(LANES, np.int64),
        np.empty(LANES, np.int32),
        np.empty(LANES, np.int32),
        np.zeros((LANES, 2), np.int64),
        np.zeros(LANES),
        np.zeros((LANES, 5), np.int64),
    )
    best = Best(
        np.empty(LANES, np.int32),
        np.empty(LANES, np.int32),
        np.zeros(LANES, np.int64),
        np.empty(upper.size // ROWS, np.int32),
    )
    left = np.zeros((2, LANES), np.int64)
    at = np.empty(LANES, np.int64)
    chosen = np.empty((2 * half, LANES), np.bool_)
    cell_chosen = np.empty(n, np.bool_)
    for start in range(0, count, LANES):
        end = min(start + LANES, count)
        _pack_group(cells, criterion, start, (outward, within), group, answer, outcome)
        lower_levels(group.packed[:half], first, first_totals, offsets)
        lower_levels(group.packed[half:], second, second_totals, offsets)
        totals = first_totals[half], second_totals[half]
        meet_remainders(
            first[rows * LANES :], second[rows * LANES :], group.target, totals, offsets, merged
        )
        sort_bitonic_to_words(merged[:middle], upper, lower)
        sort_bitonic_to_words(merged[middle:], upper[middle:], lower[middle:])
        asked = outward, within[start:end]
        _find_pairs(Words(upper, lower), best, asked, group, sides, left, outcome[start:end])
        trace_back(left[0], first, first_totals, at, chosen[:half])
        trace_back(left[1], second, second_totals, at, chosen[half:])
        for c in range(start, end):
            if outcome[c] == SETTLED:
                lane = c - start
                for k in range(n):
                    cell_chosen[k] = chosen[k, lane]
                write_answer(cells, c, group.weights[lane], cell_chosen, answer)
