"""The nearest sum of eight cells at once, by sorting networks instead of merges.

A merge by two pointers waits at every step for the comparison before it. A bitonic merge
(Batcher, AFIPS 1968) compares the same places whatever the numbers are, so eight cells lie side
by side in one vector register ("lanes"; a "row" is one entry of all eight lists) and every
comparison is a vector minimum and maximum. Its extra factor log2(rows) / 2 is less than what that
gains. Three things keep it short:

- Subset sums are symmetric, s(rows - 1 - i) = total - s(i), so only the lower half of each list
  is made and kept.
- The nearest pair needs no sweep: merge the first half's sums a with target - b over the second
  half's b. The nearest a and target - b are neighbours in the merged list. Entries of the second
  kind are odd, all others even, so an odd step is a step between the two kinds.
- Entries carry no mask: the sums are exact integers, so the subset is found again by asking
  each level whether it holds the remaining sum.

Loop lengths are powers of two known to the compiler where that lets it use vector registers.
"""

import numpy as np
from numba import njit

from calibration._subset_sums import Answer, Bools, Cells, Ints, fixed_point, write_answer

LANES = 8
_SCANNED = 8 * LANES  # rows looked at together when searching the merged list
_FAR = 1 << 62
_PADDING = np.iinfo(np.int64).max


@njit(cache=True, nogil=True)
def _halve(rows: Ints, span: int) -> None:
    """One network stage: split every bitonic run of `span` rows into its lower and upper half."""
    run = span // 2 * LANES
    for start in range(0, rows.size, 2 * run):
        low = rows[start : start + run]
        high = rows[start + run : start + 2 * run]
        for i in range(run):
            a = low[i]
            b = high[i]
            low[i] = min(a, b)
            high[i] = max(a, b)


@njit(nogil=True, inline="always")
def _halve_thrice(rows: Ints, run: int) -> None:
    """Three stages in one pass over runs of 8 `run` numbers, to spare loads and stores."""
    for start in range(0, rows.size, 8 * run):
        x = rows[start : start + 8 * run]
        for i in range(run):
            a, b, c, d = x[i], x[i + run], x[i + 2 * run], x[i + 3 * run]
            e, f, g, h = x[i + 4 * run], x[i + 5 * run], x[i + 6 * run], x[i + 7 * run]
            a, e = min(a, e), max(a, e)
            b, f = min(b, f), max(b, f)
            c, g = min(c, g), max(c, g)
            d, h = min(d, h), max(d, h)
            a, c = min(a, c), max(a, c)
            b, d = min(b, d), max(b, d)
            e, g = min(e, g), max(e, g)
            f, h = min(f, h), max(f, h)
            x[i], x[i + run] = min(a, b), max(a, b)
            x[i + 2 * run], x[i + 3 * run] = min(c, d), max(c, d)
            x[i + 4 * run], x[i + 5 * run] = min(e, f), max(e, f)
            x[i + 6 * run], x[i + 7 * run] = min(g, h), max(g, h)


# The compiler vectorizes three stages at once only where it knows their stride.
@njit(cache=True, nogil=True)
def _halve_8(rows: Ints) -> None:
    _halve_thrice(rows, LANES)


@njit(cache=True, nogil=True)
def _halve_64(rows: Ints) -> None:
    _halve_thrice(rows, 8 * LANES)


@njit(cache=True, nogil=True)
def _halve_512(rows: Ints) -> None:
    _halve_thrice(rows, 64 * LANES)


@njit(cache=True, nogil=True)
def _halve_until(rows: Ints, span: int, last: int) -> int:
    while span > last:
        if span == 512:
            _halve_512(rows)
            span = 64
        elif span == 64:
            _halve_64(rows)
            span = 8
        elif span == 8:
            _halve_8(rows)
            span = 1
        else:
            _halve(rows, span)
            span //= 2
    return span


@njit(cache=True, nogil=True)
def _sort_bitonic(rows: Ints) -> None:
    """Make one bitonic run ascending, the last stages piece by piece inside the fast cache."""
    span = _halve_until(rows, rows.size // LANES, 64)
    for start in range(0, rows.size, span * LANES):
        _halve_until(rows[start : start + span * LANES], span, 1)


@njit(cache=True, nogil=True)
def _lower_levels(weights: Ints, levels: Ints, totals: Ints) -> None:
    """Lower halves of the sorted subset sums of the first k weights, k = 1..m.

    weights: (m, lanes). levels: flat; level k takes rows 2^(k-1) up to 2^k.
    totals: (m + 1, lanes), the sum of the first k weights.
    """
    totals[0] = 0
    totals[1] = weights[0]
    levels[LANES : 2 * LANES] = 0
    for k in range(1, weights.shape[0]):
        rows = 1 << (k - 1)
        below = levels[rows * LANES : 2 * rows * LANES]
        level = levels[2 * rows * LANES : 4 * rows * LANES]
        weight = weights[k]
        total = totals[k]
        # Bitonic first stage on the list below and its mirror image, the shifted list reversed.
        for i in range(rows):
            plain = below[i * LANES : (i + 1) * LANES]
            mirrored = below[(rows - 1 - i) * LANES : (rows - i) * LANES]
            low = level[i * LANES : (i + 1) * LANES]
            high = level[(rows + i) * LANES : (rows + i + 1) * LANES]
            for lane in range(LANES):
                a = plain[lane]
                b = min(total[lane] - mirrored[lane], weight[lane] + mirrored[lane])
                low[lane] = min(a, b)
                high[lane] = max(a, b)
        totals[k + 1] = total + weight
        _sort_bitonic(level[: rows * LANES])
        _sort_bitonic(level[rows * LANES :])


@njit(cache=True, nogil=True)
def _merge_with_remainders(
    first: Ints, second: Ints, first_total: Ints, remainder: Ints, merged: Ints
) -> None:
    """Merge all sums a of one half with the remainders target - b of the other, ascending.

    first, second: lower halves. remainder: (2, lanes), target and target - total of the second.
    """
    rows = first.size // LANES
    whole, rest = remainder
    for i in range(rows):
        a = first[i * LANES : (i + 1) * LANES]
        b = second[i * LANES : (i + 1) * LANES]
        low = merged[i * LANES : (i + 1) * LANES]
        low_mirror = merged[(2 * rows - 1 - i) * LANES : (2 * rows - i) * LANES]
        high = merged[(2 * rows + i) * LANES : (2 * rows + i + 1) * LANES]
        high_mirror = merged[(4 * rows - 1 - i) * LANES : (4 * rows - i) * LANES]
        for lane in range(LANES):
            p = a[lane]
            q = whole[lane] - b[lane]
            u = first_total[lane] - a[lane]
            v = rest[lane] + b[lane]
            low[lane] = min(p, q)
            high[lane] = max(p, q)
            low_mirror[lane] = min(u, v)
            high_mirror[lane] = max(u, v)
    _sort_bitonic(merged[: 2 * rows * LANES])
    _sort_bitonic(merged[2 * rows * LANES : 4 * rows * LANES])


@njit(cache=True, nogil=True)
def _closest_neighbours(merged: Ints, step: Ints, where: Ints) -> None:
    """Smallest odd step of every lane, into step[lane], and its lower entry, into where[lane]."""
    step[:] = _FAR
    for start in range(0, merged.size - LANES, _SCANNED):
        here = merged[start : start + _SCANNED + LANES]
        for i in range(_SCANNED):
            difference = here[i + LANES] - here[i]
            odd = difference if difference & 1 else _FAR
            where[i] = start + i if odd < step[i] else where[i]
            step[i] = min(odd, step[i])
    for i in range(LANES, _SCANNED):
        lane = i % LANES
        if step[i] < step[lane]:
            step[lane] = step[i]
            where[lane] = where[i]
    for lane in range(LANES):
        where[lane] = merged[where[lane]]


@njit(cache=True, nogil=True)
def _level_contains(levels: Ints, totals: Ints, k: int, lane: int, wanted: int) -> bool:
    if k == 0:
        return wanted == 0
    if 2 * wanted > totals[k, lane]:
        wanted = totals[k, lane] - wanted
    low = 1 << (k - 1)
    high = 2 * low
    while high - low > 1:
        middle = (low + high) >> 1
        if levels[middle * LANES + lane] <= wanted:
            low = middle
        else:
            high = middle
    return bool(levels[low * LANES + lane] == wanted)


@njit(cache=True, nogil=True)
def _trace_back(total: int, lane: int, levels: Ints, totals: Ints, chosen: Bools) -> None:
    for k in range(chosen.size - 1, -1, -1):
        chosen[k] = not _level_contains(levels, totals, k, lane, total)
        if chosen[k]:
            total -= totals[k + 1, lane] - totals[k, lane]


@njit(cache=True, nogil=True)
def nearest_abreast(cells: Cells, answer: Answer) -> None:
    """The nearest sum of every cell."""
    count, n = cells.branch.shape
    half = (n + 1) // 2  # an odd number of branches gets one of no conductance
    rows = 1 << (half - 1)
    weights = np.zeros((2 * half, LANES), np.int64)
    cell_weights = np.zeros(n, np.int64)
    chosen = np.empty(2 * half, np.bool_)
    target = np.zeros(LANES, np.int64)
    first = np.empty(2 * rows * LANES, np.int64)
    second = np.empty(2 * rows * LANES, np.int64)
    first_totals = np.empty((half + 1, LANES), np.int64)
    second_totals = np.empty((half + 1, LANES), np.int64)
    remainder = np.empty((2, LANES), np.int64)
    merged = np.full(max(4 * rows * LANES, _SCANNED) + LANES, _PADDING)
    step = np.empty(_SCANNED, np.int64)
    where = np.zeros(_SCANNED, np.int64)
    for group in range(0, count, LANES):
        lanes = min(LANES, count - group)
        for lane in range(lanes):
            fixed, _, answer.status[group + lane] = fixed_point(cells, group + lane, cell_weights)
            target[lane] = fixed + 1
            for k in range(n):
                weights[k, lane] = cell_weights[k]
        _lower_levels(weights[:half], first, first_totals)
        _lower_levels(weights[half:], second, second_totals)
        remainder[0] = target
        remainder[1] = target - second_totals[half]
        _merge_with_remainders(
            first[rows * LANES :], second[rows * LANES :], first_totals[half], remainder, merged
        )
        _closest_neighbours(merged, step, where)
        for lane in range(lanes):
            lower = where[lane]
            upper = lower + step[lane]
            a, rest = (upper, lower) if lower & 1 else (lower, upper)
            b = target[lane] - rest
            _trace_back(a, lane, first, first_totals, chosen[:half])
            _trace_back(b, lane, second, second_totals, chosen[half:])
            for k in range(n):
                cell_weights[k] = weights[k, lane]
            write_answer(cells, group + lane, cell_weights, chosen, answer)
