"""Precision of selection against the number of branches used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Floats
from calibration.branches import BranchCalibration
from calibration.programming.pairs import pair_banks
from calibration.programming.targets import choose_targets
from calibration.selection import select
from calibration.statistics import as_finite_bits


@dataclass(frozen=True)
class PrecisionByBranches:
    """Precision of selection alone, without wires and noise; arrays (counts,)."""

    branches_per_weight: NDArray[np.int_]
    median_bits: Floats
    """−log2 of the median |error| of a weight, relative to the largest weight."""
    worst_bits: Floats
    """The same for the worst weight."""


def bits_against_branches(
    tiles: Sequence[Floats], calibration: BranchCalibration
) -> PrecisionByBranches:
    """Select matrices from the measured branches with fewer and fewer of them allowed.

    `tiles` are matrices (rows, outputs) of one board, or tiles of one matrix; bits are those of all
    their weights together. Branches are left out evenly over their nominal values and alike on both
    sides of a pair, so that k of B per crosspoint stand for a board built with k.
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
        error = np.concatenate([_relative_error(weights, part) for weights in tiles])
        median[index], worst[index] = as_finite_bits(np.array([np.median(error), error.max()]))
    return PrecisionByBranches(2 * counts, median, worst)


def _relative_error(weights: Floats, calibration: BranchCalibration) -> Floats:
    """Return the |error| (weights,) of selection, over the largest of (rows, outputs)."""
    targets = choose_targets(weights, calibration)
    bank = pair_banks(calibration, *weights.shape)
    residual = select(
        bank.signed_siemens,
        targets.difference_siemens.ravel() - bank.open_difference_siemens,
        usable=bank.usable,
    ).residual_siemens
    return np.asarray(np.abs(residual) / np.abs(targets.difference_siemens).max())
