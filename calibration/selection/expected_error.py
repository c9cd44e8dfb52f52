"""Least expected square error among the subsets near a target; and switches of three states.

One cell after another. Both sorted lists carry the states of their switches beside each sum, two
bits a switch, because a subset is judged by more than its sum.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats, Ints
from calibration.selection.nearest import (
    NO_USABLE_BRANCH,
    OK,
    OUT_OF_RANGE,
    SUM_BITS,
    Answer,
    power_of_two,
    to_fixed,
)
from kirchhoff.compiled import callee, kernel

States = NDArray[np.int8]

CANDIDATES = 4096
"""Subsets of a cell that are judged at most, those of least residual."""
NO_WORSE = 1.001
"""Subsets whose expected square error is within this factor of the least are as good: 0.0007 bits.
Of them the one of least total conductance is taken.
"""

_END = 1 << 62


class FreeCells(NamedTuple):
    """A batch whose free switches are to be set; C-contiguous, finite."""

    branch: Floats  # (cells, branches)
    target: Floats  # (cells,)
    free: Bools  # (cells, branches)
    state: States  # (cells, branches): of the switches that are not free


class Spread(NamedTuple):
    """How well the branches are known."""

    variance: Floats  # (cells, branches), siemens²
    covariance: Floats  # (cells, branches, branches), or without cells where none is known


class _Half(NamedTuple):
    """Ascending sums of half of the free switches, and their states, two bits a switch.

    Behind the last sum stands _END, greater than any sum, so that a merge need not look for ends.
    """

    sums: Ints
    states: Ints


@callee
def _merged(half: _Half, other: _Half, shift: int, mark: int) -> _Half:
    """Merge a list with another one, whose sums are shifted and whose states marked."""
    size = half.sums.size + other.sums.size - 2
    sums = np.empty(size + 1, np.int64)
    states = np.empty(size + 1, np.int64)
    i = j = 0
    for k in range(size):
        first = half.sums[i]
        second = other.sums[j] + shift
        take_first = first <= second
        sums[k] = first if take_first else second
        states[k] = half.states[i] if take_first else other.states[j] + mark
        i += take_first
        j += not take_first
    sums[size] = _END
    return _Half(sums, states)


@callee
def _sorted_half(weights: Ints, switch_states: int) -> _Half:
    """All sums Σ y_u w_u with y_u in 0 … switch_states − 1 (Horowitz and Sahni 1974)."""
    half = _Half(np.array([0, _END]), np.zeros(2, np.int64))
    for u in range(weights.size):
        grown = half
        for y in range(1, switch_states):
            grown = _merged(grown, half, y * weights[u], y << (2 * u))
        half = grown
    return half


@callee
def _nearest(first: Ints, second: Ints, target: int) -> tuple[int, int]:
    """Places of the entries of two ascending lists whose sum is nearest the target."""
    i = best_i = 0
    j = best_j = second.size - 2
    best = 1 << 62
    while i < first.size - 1 and j >= 0:
        difference = first[i] + second[j] - target
        distance = abs(difference)
        better = distance < best
        best = distance if better else best
        best_i = i if better else best_i
        best_j = j if better else best_j
        above = difference > 0
        j -= above
        i += not above
    return best_i, best_j


@callee
def _within(first: Ints, second: Ints, edges: tuple[int, int], places: Ints) -> int:
    """Fill `places` (n, 2) with the pairs whose sum lies between the edges.

    Returns how many there are, n + 1 where there are more than fit.
    """
    low, high = edges
    count = 0
    top = second.size - 2
    for i in range(first.size - 1):
        while top >= 0 and first[i] + second[top] > high:
            top -= 1
        j = top
        while j >= 0 and first[i] + second[j] >= low:
            if count == len(places):
                return count + 1
            places[count, 0] = i
            places[count, 1] = j
            count += 1
            j -= 1
    return count


@callee
def _set_states(
    branch: Floats, used: Ints, halves: tuple[int, int], switch_states: int, state: States
) -> None:
    """Write the states of the free switches, `used`, from those of both halves.

    The lists know magnitudes above the smallest sum: a negative branch counts from its other end.
    """
    middle = used.size // 2
    lowest = 1 if switch_states == 3 else 0
    for u in range(used.size):
        packed = halves[0] >> (2 * u) if u < middle else halves[1] >> (2 * (u - middle))
        y = packed & 3
        if branch[used[u]] < 0.0:
            y = switch_states - 1 - y
        state[used[u]] = y - lowest


@callee
def _total(branch: Floats, state: States) -> float:
    total = 0.0
    for k in range(branch.size):
        total += state[k] * branch[k]
    return total


@callee
def _conductance(branch: Floats, state: States) -> float:
    total = 0.0
    for k in range(branch.size):
        total += abs(state[k] * branch[k])
    return total


@callee
def _variance(spread: Spread, c: int, state: States) -> float:
    """Variance of a signed sum: xᵀ Σ x (JCGM 100:2008, eq. 13)."""
    variance = 0.0
    if len(spread.covariance):
        for k in range(state.size):
            if state[k]:
                for m in range(state.size):
                    variance += state[k] * state[m] * spread.covariance[c, k, m]
        # Of a covariance that is singular, rounding may leave less than nothing.
        return max(variance, 0.0)
    for k in range(state.size):
        variance += state[k] ** 2 * spread.variance[c, k]
    return variance


@callee
def _scaled(
    cells: FreeCells, c: int, used: Ints, switch_states: int, weights: Ints
) -> tuple[int, int, int]:
    """Fill `weights` with the fixed-point magnitudes of the free switches of cell c.

    Returns the target, measured from the smallest reachable sum and clipped to the reachable
    range; the exponent of the fixed point; the cell's status.
    """
    branch = cells.branch[c]
    fixed = low = high = 0.0
    for k in range(branch.size):
        if not cells.free[c, k]:
            fixed += cells.state[c, k] * branch[k]
        elif switch_states == 3:
            low -= abs(branch[k])
            high += abs(branch[k])
        else:
            low += min(branch[k], 0.0)
            high += max(branch[k], 0.0)
    target = cells.target[c] - fixed
    rounding = branch.size * 2.0**-53 * (high - low + abs(fixed))
    status = OK
    if used.size == 0:
        status = NO_USABLE_BRANCH
    elif target > high + rounding or target < low - rounding:
        status = OUT_OF_RANGE
    if high == low:
        weights[: used.size] = 0
        return 0, 0, status
    exponent = SUM_BITS - math.frexp(high - low)[1]
    scale = power_of_two(exponent)
    total = 0
    for u in range(used.size):
        weights[u] = to_fixed(abs(branch[used[u]]), scale)
        total += (switch_states - 1) * weights[u]
    # The target from the lowest sum, as `to_fixed` of their difference would lose the last bits.
    offset = total // 2 if switch_states == 3 else 0
    if switch_states == 2:
        for u in range(used.size):
            if branch[used[u]] < 0.0:
                offset += weights[u]
    from_low = to_fixed(min(max(target, low), high), scale) + offset
    return min(max(from_low, 0), total), exponent, status


@kernel
def best_states(
    cells: FreeCells,
    spread: Spread,
    tolerance: Floats,
    switch_states: int,
    judge: bool,
    answer: Answer,
) -> None:
    """Set the free switches of every cell, to the nearest sum or as `judge` asks.

    With `judge`, the goal is the minimum expected square error within the tolerance (cells,).
    A subset better than the nearest sum's expected square error E has a residual below √E: those
    within it, up to CANDIDATES, are all judged.
    """
    n = cells.branch.shape[1]
    weights = np.empty(n, np.int64)
    places = np.empty((CANDIDATES, 2), np.int64)
    square_error = np.empty(CANDIDATES)
    conductance = np.empty(CANDIDATES)
    for c in range(cells.target.size):
        branch = cells.branch[c]
        used = np.flatnonzero(cells.free[c])
        middle = used.size // 2
        target, exponent, status = _scaled(cells, c, used, switch_states, weights)
        first = _sorted_half(weights[:middle], switch_states)
        second = _sorted_half(weights[middle : used.size], switch_states)
        i, j = _nearest(first.sums, second.sums, target)
        state = cells.state[c].copy()
        halves = (first.states[i], second.states[j])
        _set_states(branch, used, halves, switch_states, state)
        if judge and status == OK:
            residual = abs(_total(branch, state) - cells.target[c])
            reach = np.sqrt(residual**2 + _variance(spread, c, state))
            if residual <= tolerance[c]:
                reach = min(reach, tolerance[c])
            # More by what float64 rounds, and never without the nearest.
            nearest = abs(first.sums[i] + second.sums[j] - target)
            scale = power_of_two(exponent)
            # No more than all of the range, which is less than 2^SUM_BITS.
            whole = 2 * int(min(np.rint(reach * scale[0] * scale[1]), 2.0**SUM_BITS))
            window = max(whole + (n << 9), nearest)
            pairs = _within(first.sums, second.sums, (target - window, target + window), places)
            while pairs > CANDIDATES and window > max(nearest, 1):
                window = max(window // 2, nearest)
                edges = (target - window, target + window)
                pairs = _within(first.sums, second.sums, edges, places)
            pairs = min(pairs, CANDIDATES)
            min_square_error = np.inf
            for f in range(pairs):
                halves = (first.states[places[f, 0]], second.states[places[f, 1]])
                _set_states(branch, used, halves, switch_states, state)
                residual = _total(branch, state) - cells.target[c]
                square_error[f] = residual**2 + _variance(spread, c, state)
                conductance[f] = _conductance(branch, state)
                min_square_error = min(min_square_error, square_error[f])
            best = -1
            for f in range(pairs):
                as_good = square_error[f] <= NO_WORSE * min_square_error
                if as_good and (best < 0 or conductance[f] < conductance[best]):
                    best = f
            halves = (first.states[places[best, 0]], second.states[places[best, 1]])
            _set_states(branch, used, halves, switch_states, state)
        answer.pattern[c] = state
        answer.achieved[c] = _total(branch, state)
        answer.status[c] = status
