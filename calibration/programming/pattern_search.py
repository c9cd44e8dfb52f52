"""Converge in the model: patterns whose predicted transfer matrix is nearest to the wanted one.

Selecting every pair for its own target stalls, because the wires couple them: what a pair's total
G₊ + G₋ changes by, all others of its row and of its column see as a gain. At first order, with
R(p, q) the wire that pairs p and q of a row share from the driver on, and R'(i, k) what rows i and
k of a column share on the way to ground,

    d_iq → d_iq · (1 − R(p, q) · t),    d_kp → d_kp · (1 − R'(i, k) · t / 2)

when the total of pair (i, p) changes by t (what the two columns of a pair differ by is left out).
So every pair that moves takes, among the subsets within a window of its own target, the one whose
total its row and column would like best: the t that minimizes the sum of their squared errors,

    t = Σ a e / Σ a²,   a = R d,

over the pairs that are done. A few pairs move at a time, and a move is made only if the sum of
squares over all of them becomes smaller for it, the uncertainty of the new subset included. Windows
narrow from sweep to sweep; the exact network corrects the first order between the sweeps.
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

FIRST_WINDOW, NARROWEST_WINDOW = 2.0**-15.5, 2.0**-19
"""Half widths over the root mean square of the wanted differences."""
WINDOW_SHARE = 0.7
"""Half width over what the pairs are off by, root mean square, if that is less."""
MOST_SWEEPS = 12
LEAST_GAIN = 0.01
"""Relative gain that another sweep is worth."""
GROUPS = 16
"""Pairs that move together are this many apart in their row and in their column."""
STRAY = 32.0
"""Windows that a pair may be off by after its turn and still have a say: one that cannot be helped
must not bend its whole row.
"""
MOST_SEARCHED = 24
"""Branches of a pair of which all subsets are searched. That is 2^-24 of what the pair reaches,
some 200 times finer than a converter of 16 bits; each two more would take twice as long.
"""
MOST_STEER = 0.05
"""Of a pair's total, the most that it is asked to change by for the others' sake."""


@dataclass(frozen=True)
class Coupling:
    """What pairs share of the wires."""

    row_ohms: Floats
    """(outputs, outputs): R(p, q)."""
    column_ohms: Floats
    """(rows, rows): R'(i, k) / 2, half because half of a change of the total flows in each column.
    """


@dataclass(frozen=True)
class Evaluated:
    """Patterns of all pairs, and what they are predicted to show."""

    chosen: Bools
    """(cells, 2·branches)"""
    error_siemens: Floats
    """(rows, outputs): predicted minus wanted difference."""
    variance: Floats
    """(rows, outputs): of the predicted difference, siemens²."""
    slope: Floats
    """(cells, 2): dT/dG of the plus and of the minus side."""

    def expected_rms(self, counts: Bools) -> float:
        """Return the root mean square error to expect of the pairs that count (rows, outputs)."""
        return _rms(np.sqrt(self.error_siemens**2 + self.variance)[counts])


def couple(wire: Wire, board_rows: int, used: tuple[int, int]) -> Coupling:
    """Return what the pairs of the first (rows, outputs) of a board share."""
    rows, outputs = used
    along = wire.source_ohms + wire.row_ohms * (2 * np.arange(outputs) + 0.5)
    down = wire.sense_ohms + wire.column_ohms * (board_rows - 1 - np.arange(rows))
    return Coupling(np.minimum.outer(along, along), np.minimum.outer(down, down) / 2)


def choose(
    bank: PairBanks, difference_siemens: Floats, total_siemens: float, window_siemens: float
) -> Selection:
    """Select every pair by itself: a difference of its own (rows, outputs), a common total."""
    return select_in_window(
        bank.signed_siemens,
        difference_siemens.ravel() - bank.open_difference_siemens,
        np.abs(bank.signed_siemens),
        np.full(difference_siemens.size, total_siemens),
        window_siemens,
        usable=bank.usable,
        most_searched=MOST_SEARCHED,
    )


def evaluated(estimate: BoardEstimate, wanted_siemens: Floats, chosen: Bools) -> Evaluated:
    """Return patterns (cells, 2·branches) with what they are predicted to show."""
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
    """Return the patterns that `chosen` (cells, 2·branches) become when they are improved until
    the narrowest window.

    Wanted differences are (rows, outputs), and so is `counts`: False for pairs whose error is of no
    interest, because their targets are beyond reach; they stay as they are. Never worse than it
    began, as far as the estimate can tell.
    """
    best = evaluated(estimate, wanted_siemens, chosen)
    scale = _rms(wanted_siemens[counts])
    window = FIRST_WINDOW * scale
    for _ in range(MOST_SWEEPS):
        now = evaluated(
            estimate, wanted_siemens, _sweep(estimate, wanted_siemens, best, counts, window)
        )
        worth = now.expected_rms(counts) < (1 - LEAST_GAIN) * best.expected_rms(counts)
        if now.expected_rms(counts) < best.expected_rms(counts):
            best = now
        narrower = max(WINDOW_SHARE * _rms(best.error_siemens[counts]), NARROWEST_WINDOW * scale)
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
    """Return patterns after every pair that is off by more than the window had its turn."""
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
        # Copies: of several pairs they would be views with strides, which compile once more.
        at = tuple(place.copy() for place in np.nonzero(off & (turn == group)))
        which = at[0] * outputs + at[1]
        if not len(which):
            continue
        total = (chosen[which] * magnitude[which]).sum(axis=1)
        limit = MOST_STEER * total
        steer = np.clip(_steer(error, done * wanted, wanted, coupling)[at], -limit, limit)
        before = error[at]
        new = select_in_window(
            effective[which],
            (chosen[which] * effective[which]).sum(axis=1) - before,
            magnitude[which],
            total + steer,
            window_siemens,
            usable=bank.usable[which],
            most_searched=MOST_SEARCHED,
        )
        # Whoever is far off moves whatever is known of where to: that is how one gets to know.
        riskier = uncertain.of_patterns(which, new.pattern) - now.variance[at]
        riskier[np.abs(before) > STRAY * window_siemens] = 0.0
        made = make_moves(
            error,
            done,
            wanted,
            coupling.row_ohms,
            coupling.column_ohms,
            STRAY * window_siemens,
            at,
            new.residual_siemens - before,
            (new.pattern * magnitude[which]).sum(axis=1) - total,
            riskier,
        )
        chosen[which[made]] = new.pattern[made]
    return chosen


def _steer(error: Floats, counted: Floats, wanted: Floats, coupling: Coupling) -> Floats:
    """Return the change of each pair's total (rows, outputs) that the pairs which count would like
    best; `counted` is their wanted difference, and 0 elsewhere.
    """
    pull = (counted * error) @ coupling.row_ohms + coupling.column_ohms @ (counted * error)
    square = counted * wanted
    stiffness = square @ coupling.row_ohms**2 + coupling.column_ohms**2 @ square
    return np.asarray(pull / np.where(stiffness > 0, stiffness, np.inf))


@dataclass(frozen=True)
class _Uncertain:
    """What is uncertain of an estimate, laid out by cells."""

    slope: Floats
    """(cells, 2)"""
    covariance: Floats
    """(cells, 2, 1 + branches, 1 + branches): of (open, branches), siemens²."""

    @staticmethod
    def of(estimate: BoardEstimate, slope: Floats, used: tuple[int, int]) -> _Uncertain:
        rows, outputs = used
        unknowns = estimate.covariance.shape[2:]
        used_part = estimate.covariance[:rows, : 2 * outputs]
        return _Uncertain(slope, used_part.reshape(rows * outputs, 2, *unknowns))

    def of_patterns(self, which: NDArray[np.int_], chosen: Bools) -> Floats:
        """Return the variance of the differences that patterns of some cells show, siemens²."""
        weights = sum_weights(chosen.reshape(len(which), 2, -1))
        sides = sum_variance(weights, self.covariance[which])
        return np.asarray((self.slope[which] ** 2 * sides).sum(axis=1))
