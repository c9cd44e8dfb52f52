"""Two criteria, sixteen cells at once: the second sum rides along below the first.

An entry is 2 (f 2^31 + s): the first sum f and the second sum s as integers, s of either sign.
Both add, so subset sums, their symmetry and their merge are those of `sums_abreast`, and
one difference of two entries holds the differences of both sums, one in each 32-bit word. That
finds the best subset up to rounding; a cell whose answer rounding could change is left to the
exact search of `window`.

Entries target - b carry a mark of 2^31 + 1: half of what the lower word counts to, and one. A
difference of two kinds of entry thus is far from zero in its lower word, the farther the nearer
the second target is, and a difference within one kind is nearer to zero than all of those. So the
absolute value of the lower word scores a pair: the highest score within the window wins.
"""

import math

import numpy as np
from numba import njit

from calibration.selection.bitonic import LANES, sort_bitonic_to_words
from calibration.selection.sums import (
    Answer,
    Cells,
    Floats,
    Ints,
    Ints32,
    fixed_point,
    write_answer,
)
from calibration.selection.sums_abreast import lower_levels, meet_remainders, trace_back
from calibration.selection.window import (
    EMPTY,
    SETTLED,
    UNSETTLED,
    SecondCriterion,
    second_weights,
    window_reach,
)

Words = tuple[Ints32, Ints32]  # upper and lower words of entries

_FIRST_BITS = 29  # of the first sum, unusable branches included
_SECOND_BITS = 31  # of the second sum's modulus, four times its range
_MARK = (1 << _SECOND_BITS) + 1
_TWO_KINDS = 1 << 30  # pairs of two kinds score above, of one kind below
_BLOCK = 6 * LANES  # rows looked at together when searching the merged list
_BEYOND = 5 << 28  # an upper word more than a window above every entry's


@njit(cache=True, nogil=True)
def _pack(
    cells: Cells, c: int, criterion: SecondCriterion, weights: Ints, seconds: Floats, packed: Ints
) -> tuple[int, int, int, int]:
    """Fill in the fixed-point and the packed weights of cell c.

    packed: (branches and more, up to an even number). Returns the packed target; half width of
    the window in units of the packed first sum; the cell's status; SETTLED where the packed cell
    is fit to be searched, else what becomes of it.
    """
    n = weights.size
    target, exponent, status = fixed_point(cells, c, weights)
    reach = window_reach(cells, c, criterion.window[c], exponent, status)
    wanted = second_weights(cells, c, weights, criterion, seconds)
    if reach < 0:
        return 0, -1, status, EMPTY
    total = 0
    low = high = 0.0
    barred = packed.size
    for k in range(n):
        if cells.usable[c, k]:
            barred -= 1
            total += weights[k]
            low += min(seconds[k], 0.0)
            high += max(seconds[k], 0.0)
    if total == 0 or not 1e-290 < high - low < 1e290:
        return 0, -1, status, UNSETTLED
    reach = min(reach, total)
    # Branches that are not usable get a weight beyond every window: with no weight, each subset
    # would come twice, and none would stand out as the best.
    beyond = total + reach
    drop = math.frexp(float(total) + barred * float(beyond))[1] - _FIRST_BITS
    scale = ((1 << (_SECOND_BITS - 2)) - 2 * packed.size) / (high - low)
    for k in range(packed.size):
        if k < n and cells.usable[c, k]:
            packed[k] = _packed(weights[k], drop, seconds[k] * scale)
            if packed[k] < 0:  # of no first weight to speak of; the search needs weights >= 0
                return 0, -1, status, UNSETTLED
        else:
            packed[k] = ((beyond >> drop) + packed.size) << (_SECOND_BITS + 1)
    wanted = min(max(wanted, low), high)
    return _packed(target, drop, wanted * scale) + _MARK, reach >> drop, status, SETTLED


@njit(cache=True, nogil=True)
def _packed(first: int, drop: int, second: float) -> int:
    rounded = (first + (1 << (drop - 1))) >> drop
    return 2 * ((rounded << _SECOND_BITS) + int(np.rint(second)))


@njit(cache=True, nogil=True)
def _widest(reach: int, slack: int) -> int:
    """The largest difference of upper words whose first sums can lie within the window."""
    return reach + slack + 2


@njit(nogil=True, inline="always")
def _score(x: Words, y: Words, i: int, j: int, widest: np.int32, outside: int) -> np.int32:
    """Score of entries x[i] and, later, y[j]; `outside` where they are not within the window."""
    score = np.int32(abs(np.int32(y[1][j] - x[1][i])))
    return score if np.int32(y[0][j] - x[0][i]) <= widest else np.int32(outside)


@njit(nogil=True, inline="always")
def _near(x: Words, y: Words, i: int, widest: np.int32) -> np.int32:
    """The higher score of x[i] with y[i] and with the row after that."""
    return max(_score(x, y, i, i, widest, 0), _score(x, y, i, i + LANES, widest, 0))


@njit(nogil=True, inline="always")
def _far(x: Words, y: Words, i: int, widest: np.int32) -> np.int32:
    """The score of x[i] with the row that is two after y[i]; negative: none is within reach."""
    score: np.int32 = _score(x, y, i, i + 2 * LANES, widest, -1)
    return score


@njit(cache=True, nogil=True)
def _best_blocks(
    entries: Words, widest: Ints32, best: Ints32, second_best: Ints32, where: Ints, scores: Ints32
) -> None:
    """The highest score of each lane, the block of rows it starts from, and the next best block's.

    entries: the merged list. All others are (lanes,).
    """
    best[:] = -1
    second_best[:] = -1
    end = entries[0].size - 2 * _BLOCK
    for start in range(0, end, _BLOCK):
        x = _block(entries, start, _BLOCK)
        scores[:] = -1
        # Every row of the block with three rows further and further on, while any is within reach.
        # Six by three is what fits into 32 vector registers.
        for later in range(start + LANES, end, 3 * LANES):
            y = _block(entries, later, 2 * _BLOCK)
            farthest = np.int32(-1)
            for i in range(LANES):
                w = widest[i]
                a = max(_far(x, y, i, w), _far(x, y, i + LANES, w))
                b = max(_far(x, y, i + 2 * LANES, w), _far(x, y, i + 3 * LANES, w))
                c = max(_far(x, y, i + 4 * LANES, w), _far(x, y, i + 5 * LANES, w))
                far = max(a, b, c)
                a = max(_near(x, y, i, w), _near(x, y, i + LANES, w))
                b = max(_near(x, y, i + 2 * LANES, w), _near(x, y, i + 3 * LANES, w))
                c = max(_near(x, y, i + 4 * LANES, w), _near(x, y, i + 5 * LANES, w))
                farthest = max(farthest, far)
                scores[i] = max(scores[i], far, a, b, c)
            if farthest < 0:
                break
        for i in range(LANES):
            score = scores[i]
            where[i] = start if score > best[i] else where[i]
            second_best[i] = max(second_best[i], min(best[i], score))
            best[i] = max(best[i], score)


@njit(nogil=True, inline="always")
def _block(entries: Words, start: int, size: int) -> Words:
    return entries[0][start : start + size], entries[1][start : start + size]


@njit(cache=True, nogil=True)
def _settle(
    entries: Words, start: int, best: int, second_best: int, reach: int, slack: int
) -> tuple[int, int, int]:
    """What becomes of a cell, and the sum a and the remainder target - b of its best pair.

    start: the first entry of the best block, of the cell's lane. slack: what rounding changes a
    sum by at most, in units of the packed sums.
    """
    if best <= _TWO_KINDS:
        return EMPTY, 0, 0
    upper, lower = entries
    widest = _widest(reach, slack)
    here = there = -1
    for i in range(start, start + _BLOCK, LANES):
        for j in range(i + LANES, upper.size, LANES):
            if upper[j] - upper[i] > widest:
                break
            score = int(abs(np.int32(lower[j] - lower[i])))
            if score == best and here < 0:
                here, there = i, j
            else:
                second_best = max(second_best, score)
    if best - second_best <= 4 * slack:
        return UNSETTLED, 0, 0
    low = (int(upper[here]) << 32) + (int(lower[here]) & 0xFFFFFFFF)
    high = (int(upper[there]) << 32) + (int(lower[there]) & 0xFFFFFFFF)
    a, rest = (high, low) if low & 1 else (low, high)
    residual = (a - rest + _MARK) >> 1
    first_residual = (residual + (1 << (_SECOND_BITS - 1))) >> _SECOND_BITS
    return SETTLED if abs(first_residual) <= reach - slack else UNSETTLED, a, rest


@njit(cache=True, nogil=True)
def nearest_second_abreast(
    cells: Cells, criterion: SecondCriterion, answer: Answer, outcome: Ints
) -> None:
    """Nearest second sum within the window, where the outcome (cells,) says SETTLED."""
    count, n = cells.branch.shape
    half = max(3, (n + 1) // 2)
    rows = 1 << (half - 1)
    slack = half + 2
    weights = np.zeros((LANES, n), np.int64)
    seconds = np.empty(n)
    cell_packed = np.empty(2 * half, np.int64)
    packed = np.zeros((2 * half, LANES), np.int64)
    chosen = np.empty((2 * half, LANES), np.bool_)
    target = np.zeros(LANES, np.int64)
    reach = np.empty(LANES, np.int64)
    first = np.empty(2 * rows * LANES, np.int64)
    second = np.empty(2 * rows * LANES, np.int64)
    first_totals = np.empty((half + 1, LANES), np.int64)
    second_totals = np.empty((half + 1, LANES), np.int64)
    offsets = np.empty(8 * LANES, np.int64)
    merged = np.empty(4 * rows * LANES, np.int64)
    middle = merged.size // 2
    upper = np.full(merged.size + 2 * _BLOCK, np.int32(_BEYOND))
    lower = np.zeros(upper.size, np.int32)
    widest = np.empty(LANES, np.int32)
    best = np.empty(LANES, np.int32)
    second_best = np.empty(LANES, np.int32)
    where = np.zeros(LANES, np.int64)
    scores = np.empty(LANES, np.int32)
    left = np.zeros((2, LANES), np.int64)
    at = np.empty(LANES, np.int64)
    for group in range(0, count, LANES):
        lanes = min(LANES, count - group)
        widest[:] = -1
        for lane in range(lanes):
            c = group + lane
            target[lane], reach[lane], answer.status[c], outcome[c] = _pack(
                cells, c, criterion, weights[lane], seconds, cell_packed
            )
            for k in range(2 * half):
                packed[k, lane] = cell_packed[k]
            if outcome[c] == SETTLED:
                widest[lane] = _widest(reach[lane], slack)
        lower_levels(packed[:half], first, first_totals, offsets)
        lower_levels(packed[half:], second, second_totals, offsets)
        totals = first_totals[half], second_totals[half]
        meet_remainders(
            first[rows * LANES :], second[rows * LANES :], target, totals, offsets, merged
        )
        sort_bitonic_to_words(merged[:middle], upper, lower)
        sort_bitonic_to_words(merged[middle:], upper[middle:], lower[middle:])
        _best_blocks((upper, lower), widest, best, second_best, where, scores)
        for lane in range(lanes):
            c = group + lane
            if outcome[c] == SETTLED:
                outcome[c], left[0, lane], rest = _settle(
                    (upper, lower),
                    where[lane] + lane,
                    best[lane],
                    second_best[lane],
                    reach[lane],
                    slack,
                )
                left[1, lane] = target[lane] - rest
        trace_back(left[0], first, first_totals, at, chosen[:half])
        trace_back(left[1], second, second_totals, at, chosen[half:])
        for lane in range(lanes):
            if outcome[group + lane] == SETTLED:
                write_answer(cells, group + lane, weights[lane], chosen[:n, lane], answer)
