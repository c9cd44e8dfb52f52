"""Choose the scale of every output: of all that its pairs can reach, the one whose products should
err least.

A larger scale stands out more from the noise of a reading, but its large weights leave the middle
of what a pair reaches, where subset sums are dense. So both are predicted, from the scatter that
was measured and from the subsets that there are, and the best of some scales is taken, output by
output: an output with one pair that is nearly out of reach holds no other back.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.programming.board_model import BoardEstimate
from calibration.programming.pairs import left_to_reach, pair_banks
from calibration.programming.pattern_search import MOST_SEARCHED, couple
from calibration.programming.targets import Targets
from calibration.selection import select_in_window
from calibration.transfer import weighing_signs

FACTORS = tuple(k / 10 for k in range(5, 17))
"""Scales that are looked at, over the one to begin with."""
WORTH_BITS = 0.15
"""Predicted gain for which an output goes its own way: the few pairs that are looked at of each
tell it no better.
"""
SAMPLE, LEAST_SAMPLE = 256, 8
"""Pairs whose subsets are looked at, of all outputs and at least of each: so many of the nearest to
their reach, and as many of the others. An output of fewer does not go its own way: what its pairs
happen to find at one scale they do not once the gain has moved.
"""
WINDOWS = tuple(2.0**-bits for bits in (19, 17, 15, 13))
"""Half widths over the root mean square of the weights."""
STEERED = 0.25
"""Share c of a total's effect on the others that is left when all pairs are steered together: what
`pattern_search` reaches on boards of 64 × 16 and 100 × 100 weights, twice as near as each
pair for itself would come.
"""


def best_scale(
    estimate: BoardEstimate, start: Targets, counts: Bools, uncertainty_siemens: float
) -> Targets:
    """Return the targets at those of the scales looked at which have the least predicted error.

    One factor serves most outputs, the best of all by the mean of their bits; an output goes its
    own way where that promises a clear gain. An output to which the factor makes no difference
    stays where it began: it is to be zero, or no pair of it counts.

    `counts` (rows, outputs) says which pairs are of interest; see `predicted_error` for the rest.
    """
    errors = np.array(
        [
            predicted_error(estimate, scaled(start, factor), counts, uncertainty_siemens)
            for factor in FACTORS
        ]
    )
    tells = np.ptp(errors, axis=0) > 0
    if not tells.any():
        return start
    # In bits, so that an output which cannot be precise at any scale weighs as much as the others.
    bits = -np.log2(np.where(tells, errors, 1.0))
    common = int(np.argmax(bits[:, tells].mean(axis=1)))
    own = np.argmax(bits, axis=0)
    better = bits.max(axis=0) > bits[common] + WORTH_BITS
    better &= counts.sum(axis=0) >= 2 * LEAST_SAMPLE
    return scaled(start, np.where(tells, np.array(FACTORS)[np.where(better, own, common)], 1.0))


def scaled(targets: Targets, factor: float | Floats) -> Targets:
    """Return targets with their scales multiplied by a factor, or by one for each output
    (outputs,), and their totals as they were.
    """
    return replace(
        targets,
        difference_siemens=targets.difference_siemens * factor,
        scale_siemens=targets.scale_siemens * factor,
    )


def predicted_error(
    estimate: BoardEstimate, targets: Targets, counts: Bools, uncertainty_siemens: float
) -> Floats:
    """Return the relative error (outputs,) to expect of products of inputs uniform within ± full
    scale; 0 of outputs that are to be zero.

    Three independent parts, over the root mean square of the products: what selection leaves
    (`_selection_square`); what an element of the transfer matrix is uncertain by on both columns of
    a pair; and what a single reading scatters by, √(2m) times as much for the m vectors, with their
    negatives, that the matrix was measured with.
    """
    wanted = targets.difference_siemens
    mean_square = _mean(wanted**2, counts)
    if not mean_square.any():
        return mean_square
    rows = len(wanted)
    transfer = 2 * uncertainty_siemens**2
    product = transfer * 2 * len(weighing_signs(rows)) / (rows / 3)
    selection = _selection_square(estimate, targets, counts)
    whole = np.where(mean_square > 0, mean_square, np.inf)
    return np.asarray(np.sqrt((product + transfer + selection) / whole))


def _mean(values: Floats, counts: Bools) -> Floats:
    """Return the mean (outputs,) over those of values (rows, outputs) that count; 0 of none."""
    return np.asarray(np.where(counts, values, 0.0).sum(axis=0) / np.maximum(counts.sum(axis=0), 1))


def _selection_square(estimate: BoardEstimate, targets: Targets, counts: Bools) -> Floats:
    """Return the mean square error (outputs,) that selection leaves, siemens².

    A pair that may be off by w in its difference finds a subset whose total is off by τ, less for a
    wider window. What it costs, itself and the other pairs of its row and column,

        residual² + (c κ τ)²,

    is least at some window; κ is the root sum square of what one siemens of total does to the
    others. Each pair is asked at its best window: of each output those that have the least left to
    their reach, where subsets are thin, and a sample of the rest.
    """
    wanted = targets.difference_siemens
    rows, outputs = wanted.shape
    bank = pair_banks(estimate.branches, rows, outputs)
    thin, others = _sampled(left_to_reach(bank, wanted.ravel()).reshape(wanted.shape), counts)
    those = np.flatnonzero(thin | others)
    magnitude = np.abs(bank.signed_siemens[those])
    coupling = couple(estimate.wire, len(estimate.row_gain), (rows, outputs))
    squares = np.where(counts, wanted**2, 0.0)
    felt = squares @ coupling.row_ohms**2 + coupling.column_ohms**2 @ squares
    costs = []
    for window in WINDOWS:
        found = select_in_window(
            bank.signed_siemens[those],
            wanted.ravel()[those] - bank.open_difference_siemens[those],
            magnitude,
            np.full(len(those), targets.total_siemens),
            window * float(np.sqrt((wanted[counts] ** 2).mean())),
            usable=bank.usable[those],
            most_searched=MOST_SEARCHED,
        )
        astray = (found.pattern * magnitude).sum(axis=1) - targets.total_siemens
        costs.append(found.residual_siemens**2 + felt.ravel()[those] * (STEERED * astray) ** 2)
    cost = np.zeros(wanted.shape)
    cost.ravel()[those] = np.min(costs, axis=0)
    share = thin.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    return np.asarray(share * _mean(cost, thin) + (1 - share) * _mean(cost, others))


def _sampled(left_siemens: Floats, counts: Bools) -> tuple[Bools, Bools]:
    """Return which pairs (rows, outputs) to look at among those that count, output by output: those
    with the least left to their reach, and some of the others, evenly spread over the rows.
    """
    each = max(LEAST_SAMPLE, SAMPLE // counts.shape[1])
    thin, others = np.zeros_like(counts), np.zeros_like(counts)
    for output in range(counts.shape[1]):
        every = np.flatnonzero(counts[:, output])
        nearest = np.argsort(left_siemens[every, output])
        thin[every[nearest[:each]], output] = True
        rest = np.sort(every[nearest[each:]])
        kept = np.linspace(0, len(rest) - 1, min(each, len(rest))).astype(int)
        others[rest[kept], output] = True
    return thin, others
