"""The rounds of programming: apply a pattern, measure its transfer matrix, keep its residual.

A round is measured at a row voltage and in a range that are predicted from the branches; a range
that overloads is left for the next wider one. The ranges of products are measured in the same way,
with the pattern that stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.branches import BranchCalibration
from calibration.crossbar import (
    Crossbar,
    Progress,
    held_volts,
    measuring_volts,
    smallest_range,
)
from calibration.programming.pairs import board_pattern, differences
from calibration.programming.targets import Targets, relative_rms
from calibration.transfer import (
    ProductRange,
    TransferMeasurement,
    measure_transfer,
    range_of_use,
    tie,
    weighing_signs,
)

MAX_ROUNDS = 12
"""The last one is reserved for a return to an earlier pattern."""
RANGE_HEADROOM = 1.05
"""Over the largest predicted current: gain errors, and totals that move during refinement."""
WIDEST_RANGE_HEADROOM = 1.25
"""The same in the widest range. No wider range takes over there, so the row voltage is halved."""


@dataclass(frozen=True)
class MeasuredPattern:
    """A pattern on the board, and its measured transfer matrix."""

    pattern: Bools
    """(rows, columns, branches)"""
    transfer: TransferMeasurement
    range_amperes: float

    @property
    def in_range(self) -> Bools:
        """Columns (columns,) that do not overload the range."""
        return np.asarray(np.isfinite(self.transfer.siemens).all(axis=0))


@dataclass(frozen=True)
class Rounds:
    """The measurements of patterns on a board, in the order in which they were made."""

    board: Crossbar
    board_shape: tuple[int, ...]
    volts: float
    """Row voltage of the measurements, of either sign."""
    progress: Progress
    residuals: list[float]
    """Root mean square residual of each round, over the largest wanted difference; NaN where no
    pair counts.
    """
    measured: list[MeasuredPattern] = field(default_factory=list)

    def measure(
        self, chosen: Bools, min_range_amperes: float, targets: Targets, counts: Bools
    ) -> MeasuredPattern:
        """Apply patterns of cells (cells, 2·branches) and measure their transfer matrix.

        It is measured in the first range from `min_range_amperes` up that holds the columns of all
        outputs with a pair that counts (rows, outputs).
        """
        rows, outputs = targets.difference_siemens.shape
        pattern = board_pattern(chosen, (rows, outputs), self.board_shape)
        self.board.apply(pattern)
        in_use = np.zeros(self.board_shape[1], dtype=bool)
        in_use[: 2 * outputs] = np.repeat(counts.any(axis=0), 2)
        measured = _measure_in_range(
            self.board, pattern, rows, in_use, self.volts, min_range_amperes
        )
        self.board.rest()
        self.measured.append(measured)
        self.residuals.append(relative_rms(*fit_scale(measured.transfer, targets, counts)))
        self.progress(len(self.residuals), MAX_ROUNDS)
        return measured


def volts_and_range(
    board: Crossbar, calibration: BranchCalibration, chosen: Bools, targets: Targets
) -> tuple[float, float]:
    """Predict the row voltage, and the smallest range that then holds a transfer measurement.

    Both follow from the currents that patterns of cells (cells, 2·branches) should draw.
    """
    rows, outputs = targets.difference_siemens.shape
    pattern = board_pattern(chosen, (rows, outputs), calibration.status.shape)
    crosspoints = calibration.open_siemens + (pattern * calibration.branch_siemens).sum(axis=2)
    siemens = RANGE_HEADROOM * np.abs(weighing_signs(rows) @ crosspoints[:rows]).max(axis=0)
    held = siemens * (WIDEST_RANGE_HEADROOM / RANGE_HEADROOM)
    volts = held_volts(board.ranges_amperes, measuring_volts(board.row_volts_limit), held)
    return volts, smallest_range(board.ranges_amperes, volts * float(siemens.max()))


def _measure_in_range(
    board: Crossbar,
    pattern: Bools,
    rows: int,
    in_use: Bools,
    volts: float,
    min_range_amperes: float,
) -> MeasuredPattern:
    """Measure the applied pattern in the smallest range that holds the columns in use (columns,).

    Rows are at ±`volts`, ranges are tried from `min_range_amperes` up. A crosspoint that conducted
    too much to be characterized draws more than predicted. Elements of a column that overloads are
    NaN; a column that overloads the widest range does not count in the choice.
    """
    attempts: list[MeasuredPattern] = []
    for range_amperes in board.ranges_amperes[board.ranges_amperes >= min_range_amperes].tolist():
        board.configure(range_amperes=range_amperes)
        transfer = measure_transfer(board, rows, 0, volts)
        attempts.append(MeasuredPattern(pattern, transfer, range_amperes))
        if attempts[-1].in_range[in_use].all():
            return attempts[-1]
    measurable = in_use & attempts[-1].in_range
    smallest = next(attempt for attempt in attempts if attempt.in_range[measurable].all())
    board.configure(range_amperes=smallest.range_amperes)
    return smallest


def measure_product_ranges(
    board: Crossbar, measured: MeasuredPattern, outputs: int
) -> tuple[ProductRange, ...]:
    """Measure the ranges of products, from the range of use up to one that no input overloads.

    Each wider range is tied to the range of use by the transfer matrix of the applied pattern,
    measured in both.
    """
    rows, columns = measured.transfer.siemens.shape
    column_siemens = np.abs(measured.transfer.siemens[:, : 2 * outputs]).sum(axis=0)
    max_amperes = RANGE_HEADROOM * board.row_volts_limit * float(np.nanmax(column_siemens))
    widest = smallest_range(board.ranges_amperes, max_amperes)
    ranges = [range_of_use(measured.range_amperes, columns)]
    all_ranges = board.ranges_amperes
    wider = (all_ranges > measured.range_amperes) & (all_ranges <= widest)
    for range_amperes in all_ranges[wider].tolist():
        board.configure(range_amperes=range_amperes)
        transfer = measure_transfer(board, rows, 0, measured.transfer.volts)
        ranges.append(tie(measured.transfer, transfer, range_amperes))
    board.configure(range_amperes=measured.range_amperes)
    board.rest()
    return tuple(ranges)


def fit_scale(
    transfer: TransferMeasurement, targets: Targets, counts: Bools
) -> tuple[Targets, Floats]:
    """Fit the common gain of all scales to a measurement; return the targets at it, and residuals.

    The gain is that of least squares over the pairs that count (rows, outputs). Residuals (pairs
    that count,) are measured minus wanted differences at that gain, in siemens.
    """
    wanted = targets.difference_siemens
    measured = differences(transfer.siemens, wanted.shape[1])
    counts = counts & np.isfinite(measured)
    measured, asked = measured[counts], wanted[counts]
    gain = float(measured @ asked / (asked @ asked)) if asked.any() else 1.0
    fitted = replace(
        targets, difference_siemens=wanted * gain, scale_siemens=targets.scale_siemens * gain
    )
    return fitted, measured - asked * gain
