"""Converge in the model: find patterns whose predicted transfer matrix is nearest the wanted one.

Selecting every pair for its own target stalls, because the wires couple pairs: a change of the
total G₊ + G₋ of one pair acts on all others of its row and of its column as a gain. At first order,
with R(p, q) the wire that pairs p and q of a row share from the driver on, and R'(i, k) the wire
that rows i and k of a column share on the way to ground,

    d_iq → d_iq · (1 − R(p, q) · t),    d_kp → d_kp · (1 − R'(i, k) · t / 2)

when the total of pair (i, p) changes by t (the difference between the two columns of a pair is
neglected). So every pair that moves takes, among the subsets within a window of its own target, the
one whose total suits its row and column best: the t that minimizes the sum of their squared errors,

    t = Σ a e / Σ a²,   a = R d,

over the pairs that are done. A few pairs move at a time. A move is made only if it reduces the sum
of squares over all of them, the uncertainty of the new subset included. Windows narrow from sweep
to sweep; the exact network corrects the first order between the sweeps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.programming.board_model import BoardEstimate, predict, sum_variance, sum_weights
from calibration.programming.moves import make_moves
from calibration.programming.pairs import PairBanks, board_pattern, differences, pair_banks
from calibration.selection import Selection, select_in_window
from kirchhoff import Wire

FIRST_WINDOW, MIN_WINDOW = 2.0**-15.5, 2.0**-19
"""Half widths of windows, over the root mean square of the wanted differences."""
WINDOW_PER_ERROR = 0.7
"""Half width of a window over the root mean square error of the pairs, if that is less."""
MAX_SWEEPS = 12
MIN_RELATIVE_GAIN = 0.01
"""Relative fall of the error that another sweep is worth."""
GROUPS = 16
"""Pairs that move together are this many apart in their row and in their column."""
MAX_OFF_WINDOWS = 32.0
"""Pairs that miss by more than this many windows after their move are excluded from the cost, so
that an unreachable pair does not distort its row.
"""
MAX_SEARCHED = 24
"""Branches of a pair of which all subsets are searched. That resolves 2^-24 of the reach of a pair,
some 200 times finer than a converter of 16 bits; each two more would take twice as long.
"""
MAX_STEER_SHARE = 0.05
"""Largest change of a pair's total that is asked for the sake of other pairs, over that total."""


@dataclass(frozen=True)
class Coupling:
    """Wire resistance that pairs share."""

    row_ohms: Floats
    """(outputs, outputs): R(p, q)."""
    column_ohms: Floats
    """(rows, rows): R'(i, k) / 2. Half, because half of a change of the total flows in each column.
    """


@dataclass(frozen=True)
class Evaluated:
    """Patterns of all pairs, and their predicted errors."""

    chosen: Bools
    """(cells, 2·branches)"""
    error_siemens: Floats
    """(rows, outputs): predicted minus wanted difference."""
    variance: Floats
    """(rows, outputs): of the predicted difference, siemens²."""
    slope: Floats
    """(cells, 2): dT/dG of the plus and of the minus side."""

    def expected_rms(self, counts: Bools) -> float:
        """Return the expected root mean square error of the pairs that count (rows, outputs)."""
        return _rms(np.sqrt(self.error_siemens**2 + self.variance)[counts])


def couple(wire: Wire, board_rows: int, used: tuple[int, int]) -> Coupling:
    """Return the wire resistance shared by the pairs of the first (rows, outputs) of a board."""
    rows, outputs = used
    along = wire.source_ohms + wire.row_ohms * (2 * np.arange(outputs) + 0.5)
    down = wire.sense_ohms + wire.column_ohms * (board_rows - 1 - np.arange(rows))
    return Coupling(np.minimum.outer(along, along), np.minimum.outer(down, down) / 2)


def choose(
    bank: PairBanks, difference_siemens: Floats, total_siemens: float, window_siemens: float
) -> Selection:
    """Select every pair by itself, for its own difference and a common total.

    `difference_siemens` is (rows, outputs).
    """
    return select_in_window(
        bank.signed_siemens,
        difference_siemens.ravel() - bank.open_difference_siemens,
        np.abs(bank.signed_siemens),
        np.full(difference_siemens.size, total_siemens),
        window_siemens,
        usable=bank.usable,
        most_searched=MAX_SEARCHED,
    )


def evaluated(estimate: BoardEstimate, wanted_siemens: Floats, chosen: Bools) -> Evaluated:
    """Return patterns (cells, 2·branches) with their predicted errors."""
    rows, outputs = wanted_siemens.shape
    prediction = predict(
        estimate, board_pattern(chosen, (rows, outputs), estimate.branches.status.shape)
    )
    part = np.s_[:rows, : 2 * outputs]
    return Evaluated(
        chosen,
        error_siemens=differences(prediction.siemens[:rows], outputs) - wanted_siemens,
        variance=prediction.variance[part].reshape(rows, outputs, 2).sum(axis=2),
        slope=prediction.slope[part].reshape(-1, 2),
    )


def descend(
    estimate: BoardEstimate, wanted_siemens: Floats, chosen: Bools, counts: Bools
) -> Evaluated:
    """Improve patterns `chosen` (cells, 2·branches) down to the narrowest window.

    `wanted_siemens` and `counts` are (rows, outputs). `counts` is False for pairs with targets
    beyond reach: their error is ignored, and they stay as they are. The result is never worse than
    `chosen`, as far as the model predicts.
    """
    best = evaluated(estimate, wanted_siemens, chosen)
    scale = _rms(wanted_siemens[counts])
    window = FIRST_WINDOW * scale
    for _ in range(MAX_SWEEPS):
        now = evaluated(
            estimate, wanted_siemens, _sweep(estimate, wanted_siemens, best, counts, window)
        )
        worth = now.expected_rms(counts) < (1 - MIN_RELATIVE_GAIN) * best.expected_rms(counts)
        if now.expected_rms(counts) < best.expected_rms(counts):
            best = now
        narrower = max(WINDOW_PER_ERROR * _rms(best.error_siemens[counts]), MIN_WINDOW * scale)
        if not worth and narrower > 0.9 * window:
            break
        window = min(window, narrower)
    return best


def _rms(values: Floats) -> float:
    return float(np.sqrt((values**2).mean())) if values.size else 0.0


def _sweep(
    estimate: BoardEstimate,
    wanted: Floats,
    now: Evaluated,
    counts: Bools,
    window_siemens: float,
) -> Bools:
    """Return the patterns after a move of every pair that is off by more than the window."""
    rows, outputs = wanted.shape
    board_rows, _, branches = estimate.branches.status.shape
    coupling = couple(estimate.wire, board_rows, (rows, outputs))
    bank = pair_banks(estimate.branches, rows, outputs)
    magnitude = np.abs(bank.signed_siemens)
    effective = bank.signed_siemens * np.repeat(now.slope, branches, axis=1)
    uncertain = _Uncertain.of(estimate, now.slope, (rows, outputs))
    chosen, error = now.chosen.copy(), now.error_siemens.copy()

    off = counts & (np.abs(error) > window_siemens)
    done = (counts & ~off).astype(np.float64)
    turn = np.add.outer(np.arange(rows)[::-1], np.arange(outputs)) % GROUPS
    for group in range(GROUPS):
        # Copies: views with strides would be one more type to compile the kernel for.
        at = tuple(place.copy() for place in np.nonzero(off & (turn == group)))
        cells = at[0] * outputs + at[1]
        if not len(cells):
            continue
        total = (chosen[cells] * magnitude[cells]).sum(axis=1)
        limit = MAX_STEER_SHARE * total
        steer = np.clip(_steer(error, done * wanted, wanted, coupling)[at], -limit, limit)
        before = error[at]
        new = select_in_window(
            effective[cells],
            (chosen[cells] * effective[cells]).sum(axis=1) - before,
            magnitude[cells],
            total + steer,
            window_siemens,
            usable=bank.usable[cells],
            most_searched=MAX_SEARCHED,
        )
        # A pair far off moves however uncertain its new subset is: the next measurement then
        # shows what its branches conduct.
        riskier = uncertain.of_patterns(cells, new.pattern) - now.variance[at]
        riskier[np.abs(before) > MAX_OFF_WINDOWS * window_siemens] = 0.0
        made = make_moves(
            error,
            done,
            wanted,
            coupling.row_ohms,
            coupling.column_ohms,
            MAX_OFF_WINDOWS * window_siemens,
            at,
            new.residual_siemens - before,
            (new.pattern * magnitude[cells]).sum(axis=1) - total,
            riskier,
        )
        chosen[cells[made]] = new.pattern[made]
    return chosen


def _steer(error: Floats, counted: Floats, wanted: Floats, coupling: Coupling) -> Floats:
    """Return the change of each pair's total (rows, outputs) that suits the counted pairs best.

    In siemens. `counted` (rows, outputs) is their wanted difference, and 0 elsewhere.
    """
    pull = (counted * error) @ coupling.row_ohms + coupling.column_ohms @ (counted * error)
    square = counted * wanted
    stiffness = square @ coupling.row_ohms**2 + coupling.column_ohms**2 @ square
    return np.asarray(pull / np.where(stiffness > 0, stiffness, np.inf))


@dataclass(frozen=True)
class _Uncertain:
    """Uncertainty of a model, laid out by cells."""

    slope: Floats
    """(cells, 2)"""
    covariance: Floats
    """(cells, 2, 1 + branches, 1 + branches): of (open, branches), siemens²."""

    @staticmethod
    def of(estimate: BoardEstimate, slope: Floats, used: tuple[int, int]) -> _Uncertain:
        """Return that of the first (rows, outputs) of a board; `slope` is (cells, 2)."""
        rows, outputs = used
        unknowns = estimate.covariance.shape[2:]
        used_part = estimate.covariance[:rows, : 2 * outputs]
        return _Uncertain(slope, used_part.reshape(rows * outputs, 2, *unknowns))

    def of_patterns(self, which: NDArray[np.int_], chosen: Bools) -> Floats:
        """Return the variance (cells,) of the differences of patterns of some cells, siemens².

        `chosen` is (cells, 2·branches).
        """
        weights = sum_weights(chosen.reshape(len(which), 2, -1))
        sides = sum_variance(weights, self.covariance[which])
        return np.asarray((self.slope[which] ** 2 * sides).sum(axis=1))
