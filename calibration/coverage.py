"""How much each further branch brings: precision of selection against branches used."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.branches import BranchCalibration
from calibration.pairs import pair_banks
from calibration.selection import select
from calibration.targets import choose_targets


@dataclass(frozen=True)
class Coverage:
    """Precision of selection alone, wires and noise apart; arrays (counts,)."""

    branches_per_weight: NDArray[np.int_]
    median_bits: NDArray[np.float64]
    """−log2 of the median |error| of a weight, relative to the largest weight."""
    worst_bits: NDArray[np.float64]
    """The same for the worst weight of the matrix."""


def bits_against_branches(weights: NDArray[np.float64], calibration: BranchCalibration) -> Coverage:
    """Select a matrix (rows, outputs) again and again from the measured branches, with fewer of
    them allowed.

    Branches are left out evenly over their nominal values and alike on both sides of a pair, so
    that k of B per crosspoint stand for a board built with k.
    """
    branches = calibration.branch_siemens.shape[2]
    counts = np.arange(1, branches + 1)
    median, worst = np.empty(branches), np.empty(branches)
    for index, count in enumerate(counts):
        kept = np.unique(np.linspace(0, branches - 1, count).round().astype(int))
        part = replace(
            calibration,
            branch_siemens=calibration.branch_siemens[:, :, kept],
            uncertainty_siemens=calibration.uncertainty_siemens[:, :, kept],
            status=calibration.status[:, :, kept],
        )
        targets = choose_targets(weights, part)
        bank = pair_banks(part, *weights.shape)
        residual = select(
            bank.signed_siemens,
            targets.difference_siemens.ravel() - bank.open_difference_siemens,
            usable=bank.usable,
        ).residual_siemens
        error = np.abs(residual) / np.abs(targets.difference_siemens).max()
        median[index], worst[index] = -np.log2(
            np.maximum([np.median(error), error.max()], 2.0**-60)
        )
    return Coverage(2 * counts, median, worst)
