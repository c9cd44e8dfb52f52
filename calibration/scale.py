"""Choose the scale: of all that the board can reach, the one whose products should err least.

A larger scale stands out more from the noise of a reading, but its large weights leave the middle
of what a pair reaches, where subset sums are dense. So both are predicted, from the scatter that
was measured and from the subsets that there are, and the best of some scales is taken.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.descent import MOST_SEARCHED, couple
from calibration.estimate import BoardEstimate
from calibration.pairs import left_to_reach, pair_banks
from calibration.selection import select_in_window
from calibration.targets import Targets
from calibration.transfer import weighing_signs

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FACTORS = tuple(k / 10 for k in range(5, 17))
"""Scales that are looked at, over the one to begin with."""
SAMPLE = 256
"""Pairs whose subsets are looked at: so many of the nearest to their reach, and of the others."""
WINDOWS = tuple(2.0**-bits for bits in (19, 17, 15, 13))
"""Half widths over the root mean square of the weights."""
STEERED = 0.25
"""Share c of a total's effect on the others that is left when all pairs are steered together: what
`calibration.descent` reaches on boards of 64 × 16 and 100 × 100 weights, twice as near as each
pair for itself would come.
"""


def best_scale(
    estimate: BoardEstimate, start: Targets, counts: Bools, uncertainty_siemens: float
) -> Targets:
    """Return the targets at that of the scales looked at which has the least predicted error.

    `counts` (rows, outputs) says which pairs are of interest; see `predicted_error` for the rest.
    """
    return min(
        (scaled(start, factor) for factor in FACTORS),
        key=lambda targets: predicted_error(estimate, targets, counts, uncertainty_siemens),
    )


def scaled(targets: Targets, factor: float) -> Targets:
    """Return targets with their scale multiplied, and their totals as they were."""
    return replace(
        targets,
        difference_siemens=targets.difference_siemens * factor,
        scale_siemens=targets.scale_siemens * factor,
    )


def predicted_error(
    estimate: BoardEstimate, targets: Targets, counts: Bools, uncertainty_siemens: float
) -> float:
    """Return the relative error to expect of products of inputs uniform within ± full scale.

    Three independent parts, over the root mean square of the products: what selection leaves
    (`_selection_square`); what an element of the transfer matrix is uncertain by on both columns of
    a pair; and what a single reading scatters by, √(2m) times as much for the m vectors, with their
    negatives, that the matrix was measured with.
    """
    wanted = targets.difference_siemens
    mean_square = float((wanted[counts] ** 2).mean()) if counts.any() else 0.0
    if not mean_square:
        return 0.0
    rows = len(wanted)
    transfer = 2 * uncertainty_siemens**2
    product = transfer * 2 * len(weighing_signs(rows)) / (rows / 3)
    selection = _selection_square(estimate, targets, counts)
    return float(np.sqrt((product + transfer + selection) / mean_square))


def _selection_square(estimate: BoardEstimate, targets: Targets, counts: Bools) -> float:
    """Return the mean square error that selection leaves, siemens².

    A pair that may be off by w in its difference finds a subset whose total is off by τ, less for a
    wider window. What it costs, itself and the other pairs of its row and column,

        residual² + (c κ τ)²,

    is least at some window; κ is the root sum square of what one siemens of total does to the
    others. Each pair is asked at its best window: those that have the least left to their reach,
    where subsets are thin, and a sample of the rest.
    """
    wanted = targets.difference_siemens
    rows, outputs = wanted.shape
    bank = pair_banks(estimate.branches, rows, outputs)
    every = np.flatnonzero(counts)
    nearest = np.argsort(left_to_reach(bank, wanted.ravel())[every])
    thin, others = every[nearest[:SAMPLE]], every[nearest[SAMPLE:]]
    others = np.sort(others)[np.linspace(0, len(others) - 1, min(SAMPLE, len(others))).astype(int)]
    those = np.concatenate([thin, others])
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
    cost = np.min(costs, axis=0)
    rest = float(cost[len(thin) :].mean()) if len(others) else 0.0
    return float(cost[: len(thin)].sum() + rest * (len(every) - len(thin))) / len(every)
