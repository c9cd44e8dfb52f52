"""The record of a programmed board: its pattern, its measured transfer matrix, its lost pairs."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.arrays import Bools, Floats
from calibration.programming.board_model import BoardEstimate
from calibration.programming.pairs import differences
from calibration.programming.targets import Targets, relative_rms
from calibration.records import Record
from calibration.transfer import ProductRange, TransferMeasurement, WireEstimate


@dataclass(frozen=True, eq=False, repr=False)
class Programmed(Record):
    """A programmed board, as measured."""

    pattern: Bools
    """(rows, columns, branches) of the whole board."""
    targets: Targets
    """With the scale that was measured when programming ended."""
    transfer: TransferMeasurement
    ranges: tuple[ProductRange, ...]
    """Ascending. The first is the range of use, which holds the vectors of the transfer
    measurement; the last holds any input.
    """
    round_residuals: tuple[float, ...]
    """Root mean square of (measured − wanted) difference after each round, over the largest wanted
    difference. The last value belongs to the pattern that stays. NaN where no pair is near enough.
    """
    wire: WireEstimate
    estimate: BoardEstimate
    """The model of the board after the last round, its branches above all."""
    unreachable: Bools
    """(rows, outputs): pairs of three kinds. The target lies beyond what the working branches span;
    or the pair measured far off the sum that was selected; or one of its columns overloads every
    range.
    """
    coarse: Bools
    """(rows, outputs): pairs whose target lies within what their working branches span, but whose
    sums are too coarse: none comes within FAR_OFF_SHARE of the largest wanted difference. The
    nearest sum is set.
    """
    lost: Bools
    """(outputs,): pairs one of whose columns overloads every range. They are left open, and their
    elements of the transfer matrix are 0.
    """

    @property
    def range_amperes(self) -> float:
        """The range of use, in which `transfer` was measured, in amperes."""
        return self.ranges[0].range_amperes

    @property
    def residual_siemens(self) -> Floats:
        """Measured minus wanted difference (rows, outputs), in siemens."""
        outputs = self.targets.difference_siemens.shape[1]
        return differences(self.transfer.siemens, outputs) - self.targets.difference_siemens

    @property
    def residual_rms(self) -> float:
        """Root mean square residual of the reachable, not coarse pairs; NaN if there are none.

        It is relative to the largest wanted difference.
        """
        return relative_rms(self.targets, self.residual_siemens[~(self.unreachable | self.coarse)])

    @property
    def coarse_rms(self) -> float:
        """Root mean square residual of the coarse pairs, over the largest wanted difference."""
        return relative_rms(self.targets, self.residual_siemens[self.coarse])
