"""Program in the loop: converge in the model, measure, learn, converge again.

A first pattern, selected pair by pair, tells the wires and the gains of the range of use. With
them the model of the board (`calibration.estimate`) predicts the transfer matrix of any pattern,
and the patterns converge in it (`calibration.descent`), which costs the board nothing. What is
measured then makes the model better, and the few pairs whose error it brings to light move again. A
board that warms up scales all of its transfer matrix: no switch follows that, the scale does, which
is fixed by the last measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.branches import BranchCalibration
from calibration.crossbar import (
    Crossbar,
    Progress,
    measuring_volts,
    no_progress,
    smallest_range,
)
from calibration.descent import choose, descend, settled
from calibration.estimate import BoardEstimate, absorb, first_estimate
from calibration.pairs import board_pattern, cells_of, differences, pair_banks
from calibration.product_ranges import ProductRange, range_of_use, tie
from calibration.records import Record
from calibration.scale import best_scale
from calibration.targets import Targets
from calibration.transfer import (
    OverloadError,
    TransferMeasurement,
    measure_transfer,
    weighing_signs,
)
from calibration.wire import WireEstimate, identify_wire

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FAR_OFF = 2.0**-11
"""Of the largest wanted difference: the half width of the window of a selection to begin with, and
what a pair must come within to be called within reach.
"""
MOST_ROUNDS = 12
RANGE_HEADROOM = 1.05
"""Over the largest current that is foreseen: gain errors, and totals that move during refinement.
"""
PATIENCE = 2
"""Rounds in a row without a gain after which no more are made: the board drifts as fast."""
LEAST_GAIN = 0.03
"""Relative gain that a round is worth: a twentieth of a bit."""


@dataclass(frozen=True, eq=False, repr=False)
class Programmed(Record):
    """A programmed board, as it was measured."""

    pattern: Bools
    """(rows, columns, branches) of the whole board."""
    targets: Targets
    """With the scale that was measured when programming ended."""
    transfer: TransferMeasurement
    ranges: tuple[ProductRange, ...]
    """Ascending. The first is the range of use, which holds the vectors that the transfer matrix
    was measured with; the last holds any input.
    """
    round_residuals: tuple[float, ...]
    """Root mean square of (measured − wanted) difference after each round, over the largest wanted
    difference; the last is that of the pattern which stays.
    """
    wire: WireEstimate
    estimate: BoardEstimate
    """What is known of the board by now, its branches above all."""
    unreachable: Bools
    """(rows, outputs): pairs whose target lies beyond what their working branches reach, as far as
    these are known by now, or one of whose columns overloads every range.
    """
    lost: Bools
    """(outputs,): pairs one of whose columns overloads every range. They are left open, and the
    transfer matrix is 0 there.
    """

    @property
    def range_amperes(self) -> float:
        """The range of use, in which `transfer` was measured."""
        return self.ranges[0].range_amperes

    @property
    def residual_siemens(self) -> Floats:
        """(rows, outputs): measured minus wanted difference."""
        outputs = self.targets.difference_siemens.shape[1]
        return differences(self.transfer.siemens, outputs) - self.targets.difference_siemens

    @property
    def residual_rms(self) -> float:
        """Root mean square of the residual of all pairs within reach, over the largest wanted
        difference; 0 if there are none.
        """
        return _relative_rms(self.targets, self.residual_siemens[~self.unreachable])


def program(
    board: Crossbar,
    calibration: BranchCalibration,
    targets: Targets,
    *,
    progress: Progress = no_progress,
) -> Programmed:
    """Select and apply patterns for the targets, and refine them on the board until what is left to
    gain cannot be told from the scatter of what is measured.

    The search for the best scale (`calibration.scale`) begins at that of the targets. Pairs beyond
    reach, and pairs with a column that overloads every range, are reported; the rest is programmed.
    The board is left with the pattern applied and in the range of use. `progress` hears of rounds
    done, of MOST_ROUNDS at most. Raises OverloadError where no pair is left.
    """
    outputs = targets.difference_siemens.shape[1]
    rounds = _Rounds(board, calibration.status.shape, progress, [])
    chosen, within_reach = _selected(calibration, targets)
    seen = rounds.measure(
        chosen, _foreseen_range(board, calibration, chosen, targets), targets, within_reach
    )
    lost = _lost(seen.transfer, outputs)
    if lost.all():
        raise OverloadError("every output has a column that overloads the widest range")

    # Before anything is refined, because the board drifts while it takes its time.
    ranges = _product_ranges(board, seen, outputs)
    # The first measurement tells the wires and the gains, and with them which scale is best.
    wire = identify_wire(calibration, seen.pattern, seen.transfer)
    estimate = _learned(first_estimate(calibration, wire.wire), seen)
    noise_siemens = float(np.nanmedian(seen.transfer.uncertainty_siemens[: 2 * outputs]))
    targets = best_scale(estimate, targets, within_reach & ~lost, noise_siemens)
    chosen, within_reach = _selected(estimate.branches, targets)
    chosen.reshape(*within_reach.shape, -1)[:, lost] = False

    seen, estimate, within_reach = _refined(
        rounds, seen.range_amperes, estimate, targets, chosen, within_reach & ~lost
    )
    lost |= _lost(seen.transfer, outputs)
    if seen.range_amperes != ranges[0].range_amperes:
        ranges = _product_ranges(board, seen, outputs)
    progress(len(rounds.residuals), len(rounds.residuals))
    return Programmed(
        pattern=seen.pattern,
        targets=_without(_fitted(seen.transfer, targets, within_reach)[0], lost),
        transfer=_silenced(seen.transfer, lost),
        ranges=ranges,
        round_residuals=tuple(rounds.residuals),
        wire=wire,
        estimate=estimate,
        unreachable=~within_reach | lost,
        lost=lost,
    )


def reprogram(
    board: Crossbar, programmed: Programmed, *, progress: Progress = no_progress
) -> Programmed:
    """Measure a programmed pattern as it is by now, and refine what has moved.

    What the board is believed to be goes on from where it was: a measurement that it does not
    explain makes all branches less certain (`calibration.estimate.absorb`), and only pairs that are
    off by more than others are selected anew. The scale stays, but for what all pairs have in
    common; so do the ties of the wider ranges.
    """
    targets, within_reach = programmed.targets, ~programmed.unreachable
    rounds = _Rounds(board, programmed.pattern.shape, progress, [])
    chosen = cells_of(programmed.pattern, targets.difference_siemens.shape)
    seen = rounds.measure(chosen, programmed.range_amperes, targets, within_reach)
    estimate = _learned(programmed.estimate, seen)
    seen, estimate, within_reach = _refined(
        rounds, seen.range_amperes, estimate, targets, chosen, within_reach
    )
    lost = programmed.lost | _lost(seen.transfer, len(programmed.lost))
    progress(len(rounds.residuals), len(rounds.residuals))
    return replace(
        programmed,
        pattern=seen.pattern,
        targets=_without(_fitted(seen.transfer, targets, within_reach)[0], lost),
        transfer=_silenced(seen.transfer, lost),
        round_residuals=tuple(rounds.residuals),
        estimate=estimate,
        unreachable=~within_reach | lost,
        lost=lost,
    )


@dataclass(frozen=True)
class _Seen:
    """A pattern on the board, and what was measured of it."""

    pattern: Bools
    transfer: TransferMeasurement
    range_amperes: float

    @property
    def holds(self) -> Bools:
        """(columns,): which do not overload."""
        return np.asarray(np.isfinite(self.transfer.siemens).all(axis=0))


@dataclass(frozen=True)
class _Rounds:
    """The measurements of patterns on a board, counted."""

    board: Crossbar
    board_shape: tuple[int, ...]
    progress: Progress
    residuals: list[float]
    """Of each round, over the largest wanted difference."""

    def measure(
        self, chosen: Bools, least_amperes: float, targets: Targets, counts: Bools
    ) -> _Seen:
        """Apply patterns of cells and measure them, in `least_amperes` or the next range above that
        holds the columns of all outputs with a pair that counts (rows, outputs).
        """
        rows, outputs = targets.difference_siemens.shape
        pattern = board_pattern(chosen, (rows, outputs), self.board_shape)
        self.board.apply(pattern)
        in_use = np.zeros(self.board_shape[1], dtype=bool)
        in_use[: 2 * outputs] = np.repeat(counts.any(axis=0), 2)
        seen = _measured(self.board, pattern, rows, in_use, least_amperes)
        self.residuals.append(_relative_rms(*_fitted(seen.transfer, targets, counts)))
        self.progress(len(self.residuals), MOST_ROUNDS)
        return seen


def _refined(
    rounds: _Rounds,
    range_amperes: float,
    estimate: BoardEstimate,
    targets: Targets,
    chosen: Bools,
    within_reach: Bools,
) -> tuple[_Seen, BoardEstimate, Bools]:
    """Converge in the model, measure, learn, again and again.

    Returns the last measurement, what is known by then, and which pairs are within reach.
    """
    wanted = targets.difference_siemens
    far_off = FAR_OFF * float(np.abs(wanted).max())
    now = descend(estimate, wanted, chosen, within_reach)
    best_rms, fewest_far, idle = np.inf, wanted.size, 0
    while True:
        seen = rounds.measure(now.chosen, range_amperes, targets, within_reach)
        range_amperes = seen.range_amperes
        estimate = _learned(estimate, seen)
        now = settled(estimate, wanted, now.chosen)
        better = descend(estimate, wanted, now.chosen, within_reach)
        # Far off by now is who does not do what he was characterized to do: he is tried on, as long
        # as they become fewer, and else has no say in whether another round is worth its time.
        far = within_reach & (np.abs(now.error_siemens) > far_off)
        near = within_reach & ~far
        rms, to_come = now.expected_rms(near), better.expected_rms(near)
        worthwhile = max(LEAST_GAIN * rms, _tellable(seen.transfer, targets, near))
        count_far = int(far.sum())
        fewer_far = count_far < fewest_far
        idle = 0 if fewer_far or best_rms - rms > worthwhile else idle + 1
        best_rms, fewest_far = min(best_rms, rms), min(fewest_far, count_far)
        enough = rms - to_come <= worthwhile and not (fewer_far and count_far)
        if enough or idle == PATIENCE or len(rounds.residuals) == MOST_ROUNDS:
            return seen, estimate, near
        now = better


def _selected(branches: BranchCalibration, targets: Targets) -> tuple[Bools, Bools]:
    """Select every pair by itself: patterns (cells, 2·branches), and whether its target lies within
    reach (rows, outputs).
    """
    wanted = targets.difference_siemens
    window = FAR_OFF * float(np.abs(wanted).max())
    selection = choose(
        pair_banks(branches, *wanted.shape),
        wanted,
        targets.total_siemens,
        window,
    )
    within_reach = np.abs(selection.residual_siemens) <= window
    return selection.pattern, within_reach.reshape(wanted.shape)


def _foreseen_range(
    board: Crossbar, calibration: BranchCalibration, chosen: Bools, targets: Targets
) -> float:
    """Return the smallest range that should hold the vectors of a transfer measurement."""
    rows, outputs = targets.difference_siemens.shape
    pattern = board_pattern(chosen, (rows, outputs), calibration.status.shape)
    crosspoints = calibration.open_siemens + (pattern * calibration.branch_siemens).sum(axis=2)
    volts = measuring_volts(board.row_volts_limit) * weighing_signs(rows)
    most_amperes = float(np.abs(volts @ crosspoints[:rows]).max())
    return smallest_range(board.ranges_amperes, RANGE_HEADROOM * most_amperes)


def _measured(
    board: Crossbar, pattern: Bools, rows: int, in_use: Bools, least_amperes: float
) -> _Seen:
    """Measure the transfer matrix of the pattern that is applied, in the smallest range from
    `least_amperes` on that holds the vectors in the columns in use (columns,); NaN where it does
    not. What overloads the widest range has no say in it.

    A crosspoint that conducted too much to be characterized draws more than was foreseen.
    """
    volts = measuring_volts(board.row_volts_limit)
    seen: list[_Seen] = []
    for range_amperes in board.ranges_amperes[board.ranges_amperes >= least_amperes].tolist():
        board.configure(range_amperes=range_amperes)
        seen.append(_Seen(pattern, measure_transfer(board, rows, 0, volts), range_amperes))
        if seen[-1].holds[in_use].all():
            return seen[-1]
    smallest = next(one for one in seen if one.holds[in_use & seen[-1].holds].all())
    board.configure(range_amperes=smallest.range_amperes)
    return smallest


def _lost(transfer: TransferMeasurement, outputs: int) -> Bools:
    """Return the pairs (outputs,) one of whose columns overloads."""
    return np.asarray(np.isnan(differences(transfer.siemens, outputs)).any(axis=0))


def _without(targets: Targets, lost: Bools) -> Targets:
    """Return targets that want nothing of lost outputs (outputs,)."""
    return replace(targets, difference_siemens=np.where(lost, 0.0, targets.difference_siemens))


def _silenced(transfer: TransferMeasurement, lost: Bools) -> TransferMeasurement:
    """Return a transfer matrix in which lost outputs (outputs,) conduct nothing."""
    silent = np.zeros(transfer.siemens.shape[1], dtype=bool)
    silent[: 2 * len(lost)] = np.repeat(lost, 2)
    return replace(
        transfer,
        siemens=np.where(silent, 0.0, transfer.siemens),
        zero_amperes=np.where(silent, 0.0, transfer.zero_amperes),
        uncertainty_siemens=np.where(silent, 0.0, transfer.uncertainty_siemens),
    )


def _product_ranges(board: Crossbar, seen: _Seen, outputs: int) -> tuple[ProductRange, ...]:
    """Return the range of use and those above it, up to the one that no input can overload, tied to
    it by measuring the pattern that is applied in each.
    """
    rows, columns = seen.transfer.siemens.shape
    volts = measuring_volts(board.row_volts_limit)
    each = np.abs(seen.transfer.siemens[:, : 2 * outputs]).sum(axis=0)
    most_amperes = RANGE_HEADROOM * board.row_volts_limit * float(np.nanmax(each))
    widest = smallest_range(board.ranges_amperes, most_amperes)
    ranges = [range_of_use(seen.range_amperes, columns)]
    every = board.ranges_amperes
    for range_amperes in every[(every > seen.range_amperes) & (every <= widest)].tolist():
        board.configure(range_amperes=range_amperes)
        wide = measure_transfer(board, rows, 0, volts)
        ranges.append(tie(seen.transfer, wide, range_amperes))
    board.configure(range_amperes=seen.range_amperes)
    return tuple(ranges)


def _learned(estimate: BoardEstimate, seen: _Seen) -> BoardEstimate:
    return absorb(estimate, seen.pattern, seen.transfer, seen.range_amperes)


def _fitted(
    transfer: TransferMeasurement, targets: Targets, counts: Bools
) -> tuple[Targets, Floats]:
    """Return the targets with the scale that a measurement shows, by least squares over the pairs
    that count, and what these are off by then.
    """
    wanted = targets.difference_siemens
    has = differences(transfer.siemens, wanted.shape[1])
    counts = counts & np.isfinite(has)
    has, asked = has[counts], wanted[counts]
    gain = float(has @ asked / (asked @ asked)) if asked.any() else 1.0
    fitted = replace(
        targets, difference_siemens=wanted * gain, scale_siemens=targets.scale_siemens * gain
    )
    return fitted, has - asked * gain


def _tellable(transfer: TransferMeasurement, targets: Targets, counts: Bools) -> float:
    """Return the standard uncertainty of a measured root mean square error, siemens: what it is
    itself, over √(2 pairs).
    """
    _, off = _fitted(transfer, targets, counts)
    return float(np.sqrt((off**2).mean() / (2 * len(off)))) if len(off) else 0.0


def _relative_rms(targets: Targets, error: Floats) -> float:
    largest = float(np.abs(targets.difference_siemens).max())
    return float(np.sqrt((error**2).mean())) / largest if error.size else 0.0
