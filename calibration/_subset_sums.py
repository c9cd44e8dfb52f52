"""Compiled kernels of the selection: fixed-point weights, sorted subset sums, sweeps over them.

All sums are int64 in units of 2^-61 of the cell's range, so additions are exact and equal sums
compare equal; the only rounding is that of each branch, once. Negative branches are complemented
(switching one on is switching off its absolute value from the full sum), so that every weight
is non-negative and a subset of no switches is the smallest sum.
"""

import math

import numpy as np
from numba import njit

OK, OUT_OF_RANGE, NO_USABLE_BRANCH = 0, 1, 2

# A sum of at most 40 weights, each rounded up by less than one unit, stays below 2^62.
SUM_BITS = 61


@njit(cache=True, nogil=True)
def _fixed_point(branch, target, usable, weights):
    """Fill `weights` with the fixed-point magnitudes of one cell.

    Returns the fixed-point target measured from the smallest reachable sum, clipped to the
    reachable range, and the status of the cell.
    """
    n = branch.size
    low = high = 0.0
    any_usable = False
    for k in range(n):
        weights[k] = 0
        if usable[k]:
            any_usable = True
            low += min(branch[k], 0.0)
            high += max(branch[k], 0.0)
    status = OK if any_usable else NO_USABLE_BRANCH
    scale = high - low
    if any_usable and (target > high + n * 2.0**-53 * scale or target < low - n * 2.0**-53 * scale):
        status = OUT_OF_RANGE
    if scale == 0.0:
        return np.int64(0), status
    # Two factors, because one power of two alone may overflow or underflow.
    exponent = SUM_BITS - math.frexp(scale)[1]
    first = math.ldexp(1.0, exponent // 2)
    second = math.ldexp(1.0, exponent - exponent // 2)
    offset = np.int64(0)
    total = np.int64(0)
    for k in range(n):
        if usable[k]:
            weights[k] = np.int64(np.rint(abs(branch[k]) * first * second))
            total += weights[k]
            if branch[k] < 0.0:
                offset += weights[k]
    fixed = np.int64(np.rint(min(max(target, low), high) * first * second)) + offset
    return min(max(fixed, np.int64(0)), total), status


@njit(cache=True, nogil=True)
def _merge_levels(weights, levels):
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


@njit(cache=True, nogil=True)
def _contains(values, wanted):
    low = 0
    high = values.size
    while high - low > 1:
        middle = (low + high) >> 1
        if values[middle] <= wanted:
            low = middle
        else:
            high = middle
    return values[low] == wanted


@njit(cache=True, nogil=True)
def _trace_back(total, weights, levels, chosen):
    """Which weights add up to `total`: exact integers, so each level is asked in turn."""
    for k in range(weights.size - 1, -1, -1):
        below = levels[(1 << k) - 1 : (2 << k) - 1]
        chosen[k] = not _contains(below, total)
        if chosen[k]:
            total -= weights[k]


@njit(cache=True, nogil=True)
def _nearest_pair(first, second, target):
    """The entries of two ascending lists whose sum is nearest the target."""
    i = 0
    j = second.size - 1
    best = np.int64(1) << 62
    best_i = i
    best_j = j
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


@njit(cache=True, nogil=True)
def _write_pattern(branch, usable, weights, chosen, pattern):
    """Undo the complement of the negative branches; returns the achieved sum in float64."""
    achieved = 0.0
    for k in range(branch.size):
        complemented = branch[k] < 0.0 and weights[k] > 0
        pattern[k] = usable[k] and (chosen[k] != complemented)
        if pattern[k]:
            achieved += branch[k]
    return achieved


@njit(cache=True, nogil=True)
def nearest_patterns(branch, target, usable, pattern, achieved, status):
    cells, n = branch.shape
    half = n // 2
    weights = np.empty(n, np.int64)
    chosen = np.empty(n, np.bool_)
    first = np.empty((2 << half) - 1, np.int64)
    second = np.empty((2 << (n - half)) - 1, np.int64)
    for c in range(cells):
        fixed, status[c] = _fixed_point(branch[c], target[c], usable[c], weights)
        _merge_levels(weights[:half], first)
        _merge_levels(weights[half:], second)
        a, b = _nearest_pair(first[(1 << half) - 1 :], second[(1 << (n - half)) - 1 :], fixed)
        _trace_back(a, weights[:half], first, chosen[:half])
        _trace_back(b, weights[half:], second, chosen[half:])
        achieved[c] = _write_pattern(branch[c], usable[c], weights, chosen, pattern[c])


@njit(cache=True, nogil=True)
def _sums_by_mask(weights, sums):
    """Subset sums of float weights, indexed by the subset's bit mask."""
    sums[0] = 0.0
    for k in range(weights.size):
        size = 1 << k
        for mask in range(size):
            sums[size + mask] = sums[mask] + weights[k]


@njit(cache=True, nogil=True)
def _nearest_second_in_window(
    first, second, low, high, first_extra, second_extra, extra_target, mask_bits
):
    """Among pairs whose packed sum lies in low..high, the one of nearest extra sum.

    Returns the two masks, or -1, -1 when no pair lies in the window. As the entry of the first
    list grows, the run of matching entries in the second list moves down.
    """
    mask = (np.int64(1) << mask_bits) - 1
    best = np.inf
    best_i = best_j = np.int64(-1)
    top = second.size - 1
    for i in range(first.size):
        while top >= 0 and first[i] + second[top] > high:
            top -= 1
        wanted = extra_target - first_extra[first[i] & mask]
        j = top
        while j >= 0 and first[i] + second[j] >= low:
            distance = abs(second_extra[j] - wanted)
            if distance < best:
                best = distance
                best_i = i
                best_j = j
            j -= 1
    if best_i < 0:
        return best_i, best_j
    return first[best_i] & mask, second[best_j] & mask


@njit(cache=True, nogil=True)
def window_patterns(branch, target, extra, extra_target, window, usable, pattern, achieved, status):
    """Nearest second sum within the window where there is one, else the nearest first sum.

    Here every entry packs its mask below a sum of fewer bits, because subsets of equal sum may
    differ in their second sum.
    """
    cells, n = branch.shape
    weights = np.empty(n, np.int64)
    packed = np.empty(n, np.int64)
    used = np.empty(n, np.int64)
    signed_extra = np.empty(n)
    chosen = np.empty(n, np.bool_)
    largest = n - n // 2
    first = np.empty((2 << largest) - 1, np.int64)
    second = np.empty((2 << largest) - 1, np.int64)
    first_extra = np.empty(1 << largest)
    second_extra = np.empty(1 << largest)
    sorted_extra = np.empty(1 << largest)
    for c in range(cells):
        fixed, status[c] = _fixed_point(branch[c], target[c], usable[c], weights)
        scale = 0.0
        count = 0
        extra_wanted = extra_target[c]
        for k in range(n):
            if usable[c, k]:
                scale += abs(branch[c, k])
                complemented = branch[c, k] < 0.0 and weights[k] > 0
                if complemented:
                    extra_wanted -= extra[c, k]
                used[count] = k
                signed_extra[count] = -extra[c, k] if complemented else extra[c, k]
                count += 1
        half = count // 2
        mask_bits = count - half
        for u in range(count):
            bit = u if u < half else u - half
            packed[u] = (weights[used[u]] >> mask_bits << mask_bits) | (np.int64(1) << bit)
        _merge_levels(packed[:half], first)
        _merge_levels(packed[half:count], second)
        sorted_first = first[(1 << half) - 1 : (2 << half) - 1]
        sorted_second = second[(1 << mask_bits) - 1 : (2 << mask_bits) - 1]
        _sums_by_mask(signed_extra[:half], first_extra)
        _sums_by_mask(signed_extra[half:count], second_extra)
        for j in range(sorted_second.size):
            sorted_extra[j] = second_extra[sorted_second[j] & ((np.int64(1) << mask_bits) - 1)]
        reach = np.int64(0)
        if scale > 0.0:
            reach = np.int64(min(window[c] / scale, 1.0) * 2.0 ** (SUM_BITS - 1))
            # scale is m 2^e with m in [0.5, 1): bring the share of scale to units of 2^(e - 61)
            reach = np.int64(2.0 * math.frexp(scale)[0] * reach)
        blur = (np.int64(count) + 2) << mask_bits
        i, j = _nearest_second_in_window(
            sorted_first,
            sorted_second,
            fixed - reach - blur,
            fixed + reach + blur,
            first_extra,
            sorted_extra,
            extra_wanted,
            mask_bits,
        )
        chosen[:] = False
        for u in range(half):
            chosen[used[u]] = (i >> u) & 1
        for u in range(half, count):
            chosen[used[u]] = (j >> (u - half)) & 1
        achieved[c] = _write_pattern(branch[c], usable[c], weights, chosen, pattern[c])
        if i < 0:
            nearest_patterns(
                branch[c : c + 1],
                target[c : c + 1],
                usable[c : c + 1],
                pattern[c : c + 1],
                achieved[c : c + 1],
                status[c : c + 1],
            )
