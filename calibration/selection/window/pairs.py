"""Differential pairs: the conductance wanted of a pair within a window, the total nearest.

Where the second sum is that of all conductances, G+ + G-, and the first one G+ - G-, the two sides
come apart: with u the sum of the plus side and v that of the minus side, u - v and u + v are near
their targets only if u is near half their sum. So the sides are the halves, and the search starts
at the u next to that and goes outward until no u can be better, which is a few steps. Sums are
the exact integers of `sums`.
"""

import numpy as np

from calibration.arrays import Ints
from calibration.selection.nearest import (
    LANES,
    Answer,
    Cells,
    fixed_point,
    half_of,
    lower_levels,
    to_fixed,
    trace_back,
    write_answer,
)
from calibration.selection.window.one_by_one import (
    EMPTY,
    SETTLED,
    UNSETTLED,
    SecondCriterion,
    window_reach,
)
from kirchhoff.compiled import callee, kernel

_FAR = 1 << 62


@callee
def _sides(cells: Cells, c: int, weights: Ints, sides: Ints, branches: Ints) -> tuple[bool, float]:
    """Deal the weights of cell c to the plus and the minus side.

    sides: (2 halves), the plus side's weights, then the minus side's; branches: (2 halves), whose
    weight it is. Returns whether each side has room, and the sum of all conductances.
    """
    half = sides.size // 2
    sides[:] = 0
    branches[:] = -1
    free = np.array([0, half])
    total = 0.0
    for k in range(weights.size):
        if weights[k] > 0:
            side = 0 if cells.branch[c, k] > 0.0 else 1
            at = free[side]
            if at == (side + 1) * half:
                return False, 0.0
            sides[at] = weights[k]
            branches[at] = k
            free[side] += 1
            total += abs(cells.branch[c, k])
    return True, total


@callee
def _sum(side: tuple[Ints, int], lane: int, i: int) -> int:
    """Sum i of a side, ascending; negative or beyond all sums where there is none."""
    lower, total = side
    rows = lower.size // LANES
    if i < rows:
        return int(lower[i * LANES + lane]) if i >= 0 else -_FAR
    return int(total - lower[(2 * rows - 1 - i) * LANES + lane]) if i < 2 * rows else _FAR


@callee
def _first_not_below(side: tuple[Ints, int], lane: int, bound: int) -> int:
    low = 0
    high = 2 * side[0].size // LANES
    while low < high:
        middle = (low + high) >> 1
        if _sum(side, lane, middle) < bound:
            low = middle + 1
        else:
            high = middle
    return low


@callee
def _nearest_total(
    plus: tuple[Ints, int], minus: tuple[Ints, int], lane: int, wanted: tuple[int, int], reach: int
) -> tuple[int, int, int]:
    """Find sums a, b of the sides with a - b nearest wanted[1], a + b within reach of wanted[0].

    The minus side is complemented: b is the sum of what is switched off. Returns what becomes of
    the cell, a and b.
    """
    rows = plus[0].size // LANES
    both = wanted[0] + wanted[1]
    up = _first_not_below(plus, lane, (both + 1) >> 1)
    down = up - 1
    up_at = down_at = _first_not_below(minus, lane, (wanted[0] - wanted[1]) >> 1)
    best = _FAR
    best_a = best_b = 0
    # Where so many steps led into no window, the search over both sums at once is faster.
    patience = rows // 4 + 8
    while best < _FAR or patience > 0:
        patience -= 1
        above = 2 * _sum(plus, lane, up) - both if up < 2 * rows else _FAR
        below = both - 2 * _sum(plus, lane, down) if down >= 0 else _FAR
        nearer = min(above, below)
        # The residuals of both sums add up to 2 a - both, and the first one's is at most `reach`.
        if nearer == _FAR or nearer - reach > best:
            return EMPTY if best == _FAR else SETTLED, best_a, best_b
        upward = above <= below
        a = _sum(plus, lane, up if upward else down)
        at = up_at if upward else down_at
        low = wanted[0] - a - reach
        high = wanted[0] - a + reach
        aim = min(max(a - wanted[1], low), high)
        while _sum(minus, lane, at) < aim:
            at += 1
        while _sum(minus, lane, at - 1) >= aim:
            at -= 1
        for i in range(at - 1, at + 1):
            b = _sum(minus, lane, i)
            distance = abs(a - b - wanted[1])
            if low <= b <= high and distance < best:
                best, best_a, best_b = distance, a, b
        if upward:
            up, up_at = up + 1, at
        else:
            down, down_at = down - 1, at
    return UNSETTLED, 0, 0


@kernel
def nearest_total_abreast(
    cells: Cells, criterion: SecondCriterion, answer: Answer, outcome: Ints
) -> None:
    """Nearest total within the window, where the outcome (cells,) says SETTLED.

    The criterion's weights are not looked at: they are the magnitudes of the branches.
    """
    count, n = cells.branch.shape
    half = half_of(n)
    rows = 1 << (half - 1)
    weights = np.empty((LANES, n), np.int64)
    branches = np.empty((LANES, 2 * half), np.int64)
    cell_sides = np.empty(2 * half, np.int64)
    sides = np.zeros((2 * half, LANES), np.int64)
    chosen = np.empty((2 * half, LANES), np.bool_)
    cell_chosen = np.empty(n, np.bool_)
    wanted = np.zeros((LANES, 2), np.int64)
    reach = np.zeros(LANES, np.int64)
    plus = np.empty(2 * rows * LANES, np.int64)
    minus = np.empty(2 * rows * LANES, np.int64)
    plus_totals = np.empty((half + 1, LANES), np.int64)
    minus_totals = np.empty((half + 1, LANES), np.int64)
    offsets = np.empty(2 * LANES, np.int64)
    left = np.zeros((2, LANES), np.int64)
    at = np.empty(LANES, np.int64)
    for group in range(0, count, LANES):
        lanes = min(LANES, count - group)
        for lane in range(lanes):
            c = group + lane
            target, scale, status = fixed_point(cells, c, weights[lane])
            answer.status[c] = status
            reach[lane] = window_reach(cells, c, criterion.window[c], scale, status)
            fits, total = _sides(cells, c, weights[lane], cell_sides, branches[lane])
            outcome[c] = EMPTY if reach[lane] < 0 else SETTLED if fits else UNSETTLED
            second = to_fixed(min(max(criterion.target[c], 0.0), total), scale)
            wanted[lane, 0] = target
            wanted[lane, 1] = second - cell_sides[half:].sum()
            for i in range(2 * half):
                sides[i, lane] = cell_sides[i]
        lower_levels(sides[:half], plus, plus_totals, offsets)
        lower_levels(sides[half:], minus, minus_totals, offsets)
        for lane in range(lanes):
            c = group + lane
            if outcome[c] == SETTLED:
                outcome[c], left[0, lane], left[1, lane] = _nearest_total(
                    (plus[rows * LANES :], plus_totals[half, lane]),
                    (minus[rows * LANES :], minus_totals[half, lane]),
                    lane,
                    (wanted[lane, 0], wanted[lane, 1]),
                    reach[lane],
                )
        trace_back(left[0], plus, plus_totals, at, chosen[:half])
        trace_back(left[1], minus, minus_totals, at, chosen[half:])
        for lane in range(lanes):
            c = group + lane
            if outcome[c] == SETTLED:
                cell_chosen[:] = False
                for i in range(2 * half):
                    if branches[lane, i] >= 0:
                        cell_chosen[branches[lane, i]] = chosen[i, lane]
                write_answer(cells, c, weights[lane], cell_chosen, answer)
