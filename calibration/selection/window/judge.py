"""Subsets that rounded sums do not tell apart, judged by their exact ones; one cell of sixteen."""

from typing import NamedTuple

import numpy as np

from calibration.arrays import Bools, Floats, Ints
from calibration.selection.nearest import LANES, Ints32
from calibration.selection.window.one_by_one import EMPTY, SETTLED, UNSETTLED
from calibration.selection.window.scan import (
    BLOCK,
    NO_KEY,
    ROWS,
    TWO_KINDS,
    Limits,
    Words,
    entry_at,
    pair_key,
)
from kirchhoff.compiled import callee, uncounted

# Where more are too much alike, as of equal branches, the exact search is as fast.
_MAX_PAIRS_JUDGED = 64


class Exact(NamedTuple):
    """A cell's target, the half width of its window, and its rider's target."""

    target: int  # fixed point
    reach: int  # fixed point
    rider: float


class Sides(NamedTuple):
    """All levels of both halves' sums, and their totals, as `lower_levels` made them."""

    first: Ints
    first_totals: Ints
    second: Ints
    second_totals: Ints


@uncounted
def _trace_lane(left: int, levels: Ints, totals: Ints, lane: int, chosen: Bools) -> None:
    """Which weights add up to `left` in one lane: `trace_back` of it alone."""
    for k in range(chosen.size - 1, 0, -1):
        wanted = min(left, totals[k, lane] - left)
        at = step = 1 << (k - 1)
        while step > 1:
            step //= 2
            if levels[(at + step) * LANES + lane] <= wanted:
                at += step
        chosen[k] = levels[at * LANES + lane] != wanted
        if chosen[k]:
            left -= totals[k + 1, lane] - totals[k, lane]
    chosen[0] = left != 0


@uncounted
def _residuals(exact: Exact, weights: tuple[Ints, Floats], chosen: Bools) -> tuple[int, float]:
    main = -exact.target
    rider = -exact.rider
    for k in range(weights[0].size):
        if chosen[k]:
            main += weights[0][k]
            rider += weights[1][k]
    return abs(main), abs(rider)


@uncounted
def _best_sure(words: Words, blocks: Ints32, lane: int, limits: Limits) -> int:
    """Return the best score of a pair that is surely inside the window; NO_KEY if there is none."""
    best = NO_KEY
    for start in range(0, words.upper.size - 2 * BLOCK, BLOCK):
        if blocks[start // ROWS + lane] <= max(best, TWO_KINDS):
            continue
        for i in range(start + lane, start + BLOCK, LANES):
            for j in range(i + LANES, words.upper.size, LANES):
                if words.upper[j] - words.upper[i] > limits.surely_widest:
                    break
                best = max(best, pair_key(words, i, j, limits.surely_least, False))
    return best


@callee
def judge(
    words: Words,
    where: tuple[Ints32, int],
    sure: int,
    limits: Limits,
    outward: bool,
    sides: Sides,
    target: int,
    weights: tuple[Ints, Floats],
    wanted: tuple[Exact, float],
    chosen: Bools,
) -> tuple[int, int, int]:
    """Return what becomes of a cell, and the sum a and remainder target - b of its best pair.

    where: the best key of each block, and the cell's lane. sure: the best key of a pair that is
    surely inside the window, NO_KEY where that is not known, which it must be to go outward.
    target: the packed one. weights: fixed point and riders (branches,). wanted: what is, and how
    near the rider must be. chosen: (2 halves), scratch.
    """
    blocks, lane = where
    exact, within = wanted
    if outward:
        cutoff = sure - limits.margin
        reach = -cutoff
    else:
        if sure == NO_KEY:
            sure = _best_sure(words, blocks, lane, limits)
        cutoff = max(sure - limits.margin, limits.least)
        reach = limits.widest
    half = chosen.size // 2
    # Less than one unit is lost of every weight and of the target.
    main_reach = exact.reach + weights[0].size + 2
    pairs = np.empty((_MAX_PAIRS_JUDGED, 2), np.int64)
    judged = 0
    best = np.inf
    best_a = best_rest = 0
    for start in range(0, words.upper.size - 2 * BLOCK, BLOCK):
        if blocks[start // ROWS + lane] < cutoff:
            continue
        for i in range(start + lane, start + BLOCK, LANES):
            for j in range(i + LANES, words.upper.size, LANES):
                if words.upper[j] - words.upper[i] > reach:
                    break
                if pair_key(words, i, j, limits.least, outward) < cutoff:
                    continue
                a, rest = entry_at(words, i, j)
                # Of subsets whose packed sums are the same, only one would be found back.
                alike = (pairs[:judged, 0] == a) & (pairs[:judged, 1] == rest)
                if judged == _MAX_PAIRS_JUDGED or alike.any():
                    return UNSETTLED, 0, 0
                pairs[judged, 0], pairs[judged, 1] = a, rest
                judged += 1
                _trace_lane(a, sides.first, sides.first_totals, lane, chosen[:half])
                _trace_lane(target - rest, sides.second, sides.second_totals, lane, chosen[half:])
                main, rider = _residuals(exact, weights, chosen)
                residual = float(main) if outward else rider
                if main <= main_reach and rider <= within and residual < best:
                    best, best_a, best_rest = residual, a, rest
    if best < np.inf:
        return SETTLED, best_a, best_rest
    return UNSETTLED if outward else EMPTY, 0, 0
