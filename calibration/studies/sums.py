"""All sums of a bank: the one nearest a target, and the worst target of an interval.

A bank of n switches of two states has 2^n sums, of three states 3^n; both are kept as two sorted
lists whose pairs add up to all of them (Horowitz and Sahni, J. ACM 21, 1974).
"""

from __future__ import annotations

import math

import numpy as np

from calibration.arrays import Floats
from kirchhoff.compiled import callee, kernel

_BINS = 2048  # two lists of these stay in the fastest cache
_PASSES = 8  # looks at whether a block is settled before all of its sums are seen


@kernel
def sorted_sums(weights: Floats, states: int) -> Floats:
    """Return the ascending sums of all subsets of `weights` (n,), float64 (states^n,).

    With two states a weight g adds 0 or g; with three −g, 0 or g.
    """
    sums = np.zeros(1)
    for weight in weights:
        step = abs(weight)
        if states == 3:
            sums = _merged(_merged(sums - step, sums), sums + step)
        elif weight < 0.0:
            sums = _merged(sums - step, sums)
        else:
            sums = _merged(sums, sums + step)
    return sums


@callee
def _merged(first: Floats, second: Floats) -> Floats:
    merged = np.empty(first.size + second.size)
    i = j = 0
    for k in range(merged.size):
        take_first = j == second.size or (i < first.size and first[i] <= second[j])
        merged[k] = first[i] if take_first else second[j]
        i += take_first
        j += not take_first
    return merged


@kernel
def neighbours(first: Floats, second: Floats, target: float) -> tuple[float, float]:
    """Return the largest sum a + b ≤ target and the smallest ≥ target; ∓inf where there is none.

    first, second: sorted lists (any length of at least one) that a and b come from.
    """
    below, above = -math.inf, math.inf
    i = 0
    j = second.size - 1
    while i < first.size and j >= 0:
        total = first[i] + second[j]
        if total >= target:
            above = min(above, total)
            j -= 1
        if total <= target:
            below = max(below, total)
            i += 1
    return below, above


@kernel
def nearest_error(first: Floats, second: Floats, target: float) -> float:
    """Return the distance from `target` to the nearest sum a + b."""
    below, above = neighbours(first, second, target)
    return float(min(target - below, above - target))


@kernel
def sums_by_size(weights: Floats) -> list[Floats]:
    """Return for k = 0 … n the ascending sums of all subsets of k of the `weights` (n,)."""
    sizes = [np.zeros(1)]
    for weight in weights:
        grown = [sizes[0]]
        for k in range(1, len(sizes)):
            grown.append(_merged(sizes[k], sizes[k - 1] + weight))
        grown.append(sizes[-1] + weight)
        sizes = grown
    return sizes


@kernel
def nearest_error_of_size(weights: Floats, size: int, target: float) -> float:
    """Return the distance from `target` to the nearest sum of exactly `size` weights.

    `weights` are (n,), 0 ≤ size ≤ n.

    Horowitz and Sahni's two lists once for each way to share the size between them: the lists of
    all ways together are no longer than those of all subsets.
    """
    first = sums_by_size(weights[: weights.size // 2])
    second = sums_by_size(weights[weights.size // 2 :])
    nearest = math.inf
    for k in range(max(0, size - len(second) + 1), min(size, len(first) - 1) + 1):
        nearest = min(nearest, nearest_error(first[k], second[size - k], target))
    return nearest


@kernel
def worst_error(first: Floats, second: Floats, low: float, high: float) -> float:
    """Return the largest distance from any target in [low, high] to its nearest sum a + b.

    first: the shorter of two sorted lists that a and b come from; second: the longer.

    Exact but for the rounding of float64 sums, without ever sorting them. The interval is walked
    in blocks of bins as wide as the widest gap found so far: a wider one must reach across the
    edge of a bin, so each bin need keep only its smallest and its largest sum. A block is left as
    soon as the sums seen leave no gap in it that is wider.
    """
    before, start = neighbours(first, second, low)
    last, after = neighbours(first, second, high)
    worst = max(_gap_error(before, start, low, high), _gap_error(last, after, low, high))
    # All sums at equal distances would leave gaps of this width: the widest is no narrower.
    widest = max(2.0 * worst, (high - low) / (first.size * second.size + 1.0))
    smallest = np.empty(_BINS)
    largest = np.empty(_BINS)
    while start < last:
        seen, gap = _block(first, second, (start, last, widest), smallest, largest)
        if seen == start:
            _, seen = neighbours(first, second, np.nextafter(start, math.inf))
            gap = seen - start
        widest = max(widest, gap)
        start = seen
    return float(0.5 * widest)


@callee
def _gap_error(below: float, above: float, low: float, high: float) -> float:
    """Return the error of the worst target of [low, high] between two neighbouring sums."""
    middle = min(max(0.5 * (below + above), low), high)
    return float(max(min(middle - below, above - middle), 0.0))


@callee
def _block(
    first: Floats,
    second: Floats,
    bounds: tuple[float, float, float],
    smallest: Floats,
    largest: Floats,
) -> tuple[float, float]:
    """Look at one block of bins from a known sum on, up to `last`.

    Returns the largest sum seen and the widest gap up to there; what lies between that sum and the
    end of the block is left to the next one.
    """
    start, last, widest = bounds
    end = min(start + _BINS * widest, last)
    per_bin = 1.0 / widest
    smallest[:] = math.inf
    largest[:] = -math.inf
    smallest[0] = largest[0] = start
    seen, gap = start, 0.0
    for begin in range(_PASSES):
        for i in range(begin, first.size, _PASSES):
            a = first[i]
            # The first b that may reach the block, but for rounding: hence the test below.
            for j in range(np.searchsorted(second, start - a), second.size):
                total = a + second[j]
                if total > end:
                    break
                at = min(max(int((total - start) * per_bin), 0), _BINS - 1)
                if total >= start:
                    smallest[at] = min(smallest[at], total)
                    largest[at] = max(largest[at], total)
        seen, gap = _widest(smallest, largest)
        if max(gap, end - seen) <= widest and seen > start:
            break
    return seen, gap


@callee
def _widest(smallest: Floats, largest: Floats) -> tuple[float, float]:
    """Return the largest sum in the bins, and the widest step from one bin to the next."""
    seen = largest[0]
    gap = 0.0
    for i in range(1, smallest.size):
        if largest[i] > -math.inf:
            gap = max(gap, smallest[i] - seen)
            seen = largest[i]
    return seen, gap
