"""Choose the scale of every output: the one at which its products should have the smallest error.

A larger scale stands out more from the noise of a reading, but its large weights leave the middle
of a pair's reach, where subset sums are dense. Both errors are predicted, from the measured scatter
and from the subsets that exist, and the best of some scales is taken, output by output: an output
with one pair that is nearly out of reach does not hold back the others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.programming.board_model import BoardEstimate
from calibration.programming.pairs import left_to_reach, pair_banks
from calibration.programming.pattern_search import MAX_SEARCHED, couple
from calibration.programming.targets import Targets
from calibration.selection import select_in_window
from calibration.transfer import weighing_signs

FACTORS = tuple(k / 10 for k in range(5, 17))
"""Scales that are tried, over the one to begin with."""
MIN_GAIN_BITS = 0.15
"""Predicted gain above which an output takes a factor of its own; the sampled pairs of one output
resolve no smaller one.
"""
SAMPLED_PAIRS, MIN_SAMPLED_PAIRS = 256, 8
"""Pairs whose subsets are examined: of all outputs together, and at least of each. Each output
gives two samples of this size: the pairs nearest to the edge of their reach, and others. An output
with fewer pairs takes the common factor: what its few pairs find at one scale, they no longer find
once the gain has moved.
"""
WINDOWS = tuple(2.0**-bits for bits in (19, 17, 15, 13))
"""Half widths of windows, over the root mean square of the weights."""
STEERED_SHARE = 0.25
"""Share c of a total's effect on the other pairs that is left when all pairs are steered together.
`pattern_search` reaches it on boards of 64 × 16 and 100 × 100 weights, twice as near as each pair
for itself would come.
"""


def best_scale(
    estimate: BoardEstimate, start: Targets, counts: Bools, uncertainty_siemens: float
) -> Targets:
    """Return the targets at the tried scales of smallest predicted error.

    One factor serves most outputs, the best of all by the mean of their bits. An output takes a
    factor of its own where that promises at least MIN_GAIN_BITS. An output whose error does not
    depend on the factor stays at its first scale: it is to be zero, or no pair of it counts.

    `counts` (rows, outputs) are the pairs of interest; see `predicted_error` for the rest.
    """
    errors = np.array(
        [
            predicted_error(estimate, scaled(start, factor), counts, uncertainty_siemens)
            for factor in FACTORS
        ]
    )
    depends = np.ptp(errors, axis=0) > 0
    if not depends.any():
        return start
    # In bits, so that an output which cannot be precise at any scale weighs as much as the others.
    bits = -np.log2(np.where(depends, errors, 1.0))
    common = int(np.argmax(bits[:, depends].mean(axis=1)))
    own = np.argmax(bits, axis=0)
    better = bits.max(axis=0) > bits[common] + MIN_GAIN_BITS
    better &= counts.sum(axis=0) >= 2 * MIN_SAMPLED_PAIRS
    return scaled(start, np.where(depends, np.array(FACTORS)[np.where(better, own, common)], 1.0))


def scaled(targets: Targets, factor: float | Floats) -> Targets:
    """Return targets with their scales multiplied by a factor; their totals stay.

    `factor` is one number, or one for each output (outputs,).
    """
    return replace(
        targets,
        difference_siemens=targets.difference_siemens * factor,
        scale_siemens=targets.scale_siemens * factor,
    )


def predicted_error(
    estimate: BoardEstimate, targets: Targets, counts: Bools, uncertainty_siemens: float
) -> Floats:
    """Predict the relative error (outputs,) of products of inputs uniform within ± full scale.

    It is 0 for outputs that are to be zero. Three independent parts count, over the root mean
    square of the products: what selection leaves (`_selection_square`); the uncertainty of an
    element of the transfer matrix, on both columns of a pair; and the scatter of a single reading,
    √(2m) times as much for the m vectors, with their negatives, of the transfer measurement.
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
    """Return the mean (outputs,) of the values (rows, outputs) that count; 0 where none does."""
    return np.asarray(np.where(counts, values, 0.0).sum(axis=0) / np.maximum(counts.sum(axis=0), 1))


def _selection_square(estimate: BoardEstimate, targets: Targets, counts: Bools) -> Floats:
    """Return the mean square error (outputs,) that selection leaves, siemens².

    A pair that may be off by w in its difference finds a subset whose total is off by τ, less for a
    wider window. Its cost, for itself and for the other pairs of its row and column,

        residual² + (c κ τ)²,

    is smallest at some window; κ is the root sum square effect of one siemens of total on the
    others. Each sampled pair is taken at its best window. Sampled are, of each output, the pairs
    with the smallest distance to the edge of their reach, where subsets are sparse, and some of the
    rest.
    """
    wanted = targets.difference_siemens
    rows, outputs = wanted.shape
    bank = pair_banks(estimate.branches, rows, outputs)
    thin, others = _sampled(left_to_reach(bank, wanted.ravel()).reshape(wanted.shape), counts)
    examined = np.flatnonzero(thin | others)
    magnitude = np.abs(bank.signed_siemens[examined])
    coupling = couple(estimate.wire, len(estimate.row_gain), (rows, outputs))
    squares = np.where(counts, wanted**2, 0.0)
    felt = squares @ coupling.row_ohms**2 + coupling.column_ohms**2 @ squares
    costs = []
    for window in WINDOWS:
        selection = select_in_window(
            bank.signed_siemens[examined],
            wanted.ravel()[examined] - bank.open_difference_siemens[examined],
            magnitude,
            np.full(len(examined), targets.total_siemens),
            window * float(np.sqrt((wanted[counts] ** 2).mean())),
            usable=bank.usable[examined],
            most_searched=MAX_SEARCHED,
        )
        total_error = (selection.pattern * magnitude).sum(axis=1) - targets.total_siemens
        costs.append(
            selection.residual_siemens**2
            + felt.ravel()[examined] * (STEERED_SHARE * total_error) ** 2
        )
    cost = np.zeros(wanted.shape)
    cost.ravel()[examined] = np.min(costs, axis=0)
    share = thin.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    return np.asarray(share * _mean(cost, thin) + (1 - share) * _mean(cost, others))


def _sampled(left_siemens: Floats, counts: Bools) -> tuple[Bools, Bools]:
    """Return two samples of the pairs (rows, outputs) that count, output by output.

    The first has the pairs with the smallest distance to the edge of their reach, `left_siemens`
    (rows, outputs); the second some of the others, evenly spread over the rows.
    """
    size = max(MIN_SAMPLED_PAIRS, SAMPLED_PAIRS // counts.shape[1])
    thin, others = np.zeros_like(counts), np.zeros_like(counts)
    for output in range(counts.shape[1]):
        rows = np.flatnonzero(counts[:, output])
        nearest = np.argsort(left_siemens[rows, output])
        thin[rows[nearest[:size]], output] = True
        rest = np.sort(rows[nearest[size:]])
        kept = np.linspace(0, len(rest) - 1, min(size, len(rest))).astype(int)
        others[rest[kept], output] = True
    return thin, others
