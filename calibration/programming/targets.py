"""Targets: a signed matrix becomes conductance differences of column pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arguments import MIN_SCALABLE, real_array
from calibration.arrays import Floats
from calibration.branches import BranchCalibration
from calibration.errors import MatrixError
from calibration.records import Record

REACH_FRACTION = 0.5
"""Largest weight, as a fraction of the reach of a pair: subset sums are dense in the middle half of
their range.
"""


@dataclass(frozen=True, eq=False, repr=False)
class Targets(Record):
    """Wanted conductances of the pairs of a board."""

    difference_siemens: Floats
    """(rows, outputs) of the matrix: wanted G₊ − G₋."""
    scale_siemens: Floats
    """(outputs,): siemens for a weight of one. Each output is divided by its own scale, digitally,
    so that an output of small weights uses its conductances as fully as one of large weights.
    """
    total_siemens: float
    """The total G₊ + G₋ that every pair is held to, so that wire drop hardly depends on the
    weights.
    """


def check_matrix(weights: object) -> Floats:
    """Return a weight matrix (rows, outputs) as float64.

    Raises MatrixError that names the fault: a wrong number of dimensions, an empty matrix, anything
    but finite real numbers, all weights zero, or weights too far from 1 to be scaled.
    """
    matrix = real_array(weights, "a matrix")
    if matrix.ndim != 2:
        raise MatrixError(f"a matrix has 2 dimensions (rows, outputs), not {matrix.ndim}")
    if 0 in matrix.shape:
        raise MatrixError(f"a matrix of {matrix.shape[0]} × {matrix.shape[1]} is empty")
    largest = largest_magnitude(matrix)
    if not np.isfinite(largest):
        row, output = np.argwhere(~np.isfinite(matrix))[0]
        raise MatrixError(f"row {row + 1}, output {output + 1} is {matrix[row, output]}")
    if not largest:
        raise MatrixError("all weights are zero: nothing to scale by")
    if not MIN_SCALABLE <= largest <= 1 / MIN_SCALABLE:
        raise MatrixError(f"the largest weight is {largest:g}: too far from 1 to scale by")
    return matrix


def largest_magnitude(matrix: Floats) -> float:
    """Return the largest |element|, NaN if one is NaN; without a temporary matrix."""
    return float(np.maximum(matrix.max(), -matrix.min()))


def relative_rms(targets: Targets, error_siemens: Floats) -> float:
    """Return the root mean square of errors (pairs,), over the largest wanted difference.

    NaN where there are no errors.
    """
    largest = float(np.abs(targets.difference_siemens).max())
    error = error_siemens
    return float(np.sqrt((error**2).mean())) / largest if error.size else float("nan")


def choose_targets(weights: Floats, calibration: BranchCalibration) -> Targets:
    """Choose the scale of each output, and so the conductance difference of each pair.

    `weights` are (rows, outputs). The scale of an output is the largest that keeps each of its
    weights within REACH_FRACTION of the reach of its own pair. Pairs that have lost half of the
    usual reach or more do not limit the scale as long as the output has others, lest one bad
    crosspoint cost these their precision; they are programmed as near as they come. An output that
    asks for nothing, or none of whose pairs reaches anything, takes the median of the other
    outputs' scales.

    Raises MatrixError where no needed pair reaches anything.
    """
    rows, outputs = weights.shape
    usable = np.where(calibration.usable, calibration.branch_siemens, 0.0)[:rows, : 2 * outputs]
    sums = usable.sum(axis=2)
    baseline = calibration.open_siemens[:rows, : 2 * outputs]
    plus, minus = sums[:, 0::2], sums[:, 1::2]
    shift = baseline[:, 0::2] - baseline[:, 1::2]
    reach = np.where(weights > 0, plus + shift, minus - shift)
    works = np.where(weights > 0, plus, minus) > 0
    reaching = (weights != 0) & works & (reach > 0)
    healthy = reaching & (reach > np.median(reach) / 2)
    if not reaching.any():
        raise MatrixError("no crosspoint under a weight has a working branch")
    counts = np.where(healthy.any(axis=0), healthy, reaching)
    per_siemens = np.abs(weights) / np.where(counts, reach, np.inf)
    largest = per_siemens.max(axis=0)
    scaled = (largest > 0) & (np.abs(weights).max(axis=0) >= MIN_SCALABLE)
    if not scaled.any():
        raise MatrixError("the weights whose crosspoints work are too small to scale by")
    scale = REACH_FRACTION / np.where(scaled, largest, np.median(largest[scaled]))
    return Targets(
        difference_siemens=weights * scale,
        scale_siemens=scale,
        total_siemens=float(np.median(plus + minus)) / 2,
    )
