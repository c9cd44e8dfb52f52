"""Program in the loop: converge in the model, measure, learn, converge again.

A first pattern, selected pair by pair, tells the wires and the gains of the range of use. With
them the model of the board (`board_model`) predicts the transfer matrix of any pattern,
and the patterns converge in it (`pattern_search`), which costs the board nothing. What is
measured then makes the model better, and the few pairs whose error it brings to light move again.
The pattern that measured best stays, which need not be the last. A board that warms up scales all
of its transfer matrix: no switch follows that, the scale does, which is fixed by the last
measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.branches import BranchCalibration
from calibration.crossbar import (
    Crossbar,
    Progress,
    held_volts,
    measuring_volts,
    no_progress,
    smallest_range,
)
from calibration.errors import OverloadError
from calibration.programming.board_model import BoardEstimate, absorb, first_estimate
from calibration.programming.pairs import (
    board_pattern,
    cells_of,
    differences,
    left_to_reach,
    pair_banks,
)
from calibration.programming.pattern_search import choose, descend, evaluated
from calibration.programming.scale import best_scale
from calibration.programming.targets import Targets
from calibration.records import Record
from calibration.transfer import (
    ProductRange,
    TransferMeasurement,
    WireEstimate,
    identify_wire,
    measure_transfer,
    range_of_use,
    tie,
    weighing_signs,
)

FAR_OFF = 2.0**-11
"""Of the largest wanted difference: the half width of the window of a selection to begin with, and
what a pair must come within to be refined.
"""
COARSE_WINDOWS = 16.0
"""Of FAR_OFF: by how much sums that are merely too coarse miss at most."""
MOST_ROUNDS = 12
"""The last of them is kept for going back to an earlier pattern."""
RANGE_HEADROOM = 1.05
"""Over the largest current that is foreseen: gain errors, and totals that move during refinement.
"""
WIDEST_HEADROOM = 1.25
"""The same in the widest range, which no wider one relieves: there the voltage is halved."""
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
    difference; the last is that of the pattern which stays. NaN where no pair is near enough.
    """
    wire: WireEstimate
    estimate: BoardEstimate
    """What is known of the board by now, its branches above all."""
    unreachable: Bools
    """(rows, outputs): pairs whose target lies beyond what their working branches span, which were
    measured far off the sum that was selected, or one of whose columns overloads every range.
    """
    coarse: Bools
    """(rows, outputs): pairs whose target lies within what their working branches span, but whose
    sums are too coarse: none comes within FAR_OFF of the largest wanted difference. The nearest
    stands.
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
        """Root mean square of the residual of all pairs that are neither beyond reach nor coarse,
        over the largest wanted difference; NaN if there are none.
        """
        return _relative_rms(self.targets, self.residual_siemens[~(self.unreachable | self.coarse)])

    @property
    def coarse_rms(self) -> float:
        """The same of the coarse ones."""
        return _relative_rms(self.targets, self.residual_siemens[self.coarse])


def program(
    board: Crossbar,
    calibration: BranchCalibration,
    targets: Targets,
    *,
    progress: Progress = no_progress,
) -> Programmed:
    """Select and apply patterns for the targets, and refine them on the board until what is left to
    gain cannot be told from the scatter of what is measured.

    The search for the best scale (`scale`) begins at that of the targets. Pairs beyond
    reach, and pairs with a column that overloads every range, are reported; the rest is programmed.
    The board is left with the pattern applied, in the range of use, at rest. `progress` hears of
    rounds done, of MOST_ROUNDS at most. Raises OverloadError where no pair is left.
    """
    outputs = targets.difference_siemens.shape[1]
    first = _selected(calibration, targets)
    volts, range_amperes = _foreseen(board, calibration, first.chosen, targets)
    rounds = _Rounds(board, calibration.status.shape, volts, progress, [])
    seen = rounds.measure(first.chosen, range_amperes, targets, first.near)
    lost = _lost(seen.transfer, outputs)
    if lost.all():
        raise OverloadError("every output has a column that overloads the widest range")

    # Before anything is refined, because the board drifts while it takes its time.
    ranges = _product_ranges(board, seen, outputs)
    # The first measurement tells the wires and the gains, and with them which scale is best.
    wire = identify_wire(calibration, seen.pattern, seen.transfer)
    estimate = _learned(first_estimate(calibration, wire.wire), seen)
    noise_siemens = float(np.nanmedian(seen.transfer.uncertainty_siemens[: 2 * outputs]))
    targets = best_scale(estimate, targets, first.near & ~lost, noise_siemens)
    second = _selected(estimate.branches, targets).without(lost)
    # At another scale the columns may draw more than the widest range holds at these voltages.
    lower, _ = _foreseen(board, estimate.branches, second.chosen, targets)
    rounds = replace(rounds, volts=min(volts, lower))

    seen, estimate, left = _refined(rounds, seen.range_amperes, estimate, targets, second)
    lost |= _lost(seen.transfer, outputs)
    if seen.range_amperes != ranges[0].range_amperes or rounds.volts != volts:
        ranges = _product_ranges(board, seen, outputs)
    progress(len(rounds.residuals), len(rounds.residuals))
    left = left.without(lost)
    return Programmed(
        pattern=seen.pattern,
        targets=_without(_fitted(seen.transfer, targets, _of_scale(left))[0], lost),
        transfer=_silenced(seen.transfer, lost),
        ranges=ranges,
        round_residuals=tuple(rounds.residuals),
        wire=wire,
        estimate=estimate,
        unreachable=~(left.near | left.coarse),
        coarse=left.coarse,
        lost=lost,
    )


def reprogram(
    board: Crossbar, programmed: Programmed, *, progress: Progress = no_progress
) -> Programmed:
    """Measure a programmed pattern as it is by now, and refine what has moved.

    What the board is believed to be goes on from where it was: a measurement that it does not
    explain makes all branches less certain (`board_model.absorb`), and only pairs that are
    off by more than others are selected anew. The scale stays, but for what all pairs have in
    common; so do the ties of the wider ranges.
    """
    targets = programmed.targets
    rounds = _Rounds(board, programmed.pattern.shape, programmed.transfer.volts, progress, [])
    standing = _Selected(
        chosen=cells_of(programmed.pattern, targets.difference_siemens.shape),
        near=~(programmed.unreachable | programmed.coarse),
        coarse=programmed.coarse,
    )
    seen = rounds.measure(standing.chosen, programmed.range_amperes, targets, standing.near)
    estimate = _learned(programmed.estimate, seen)
    seen, estimate, left = _refined(rounds, seen.range_amperes, estimate, targets, standing)
    lost = programmed.lost | _lost(seen.transfer, len(programmed.lost))
    left = left.without(lost)
    progress(len(rounds.residuals), len(rounds.residuals))
    return replace(
        programmed,
        pattern=seen.pattern,
        targets=_without(_fitted(seen.transfer, targets, _of_scale(left))[0], lost),
        transfer=_silenced(seen.transfer, lost),
        round_residuals=tuple(rounds.residuals),
        estimate=estimate,
        unreachable=~(left.near | left.coarse),
        coarse=left.coarse,
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
class _Selected:
    """What is selected of all pairs."""

    chosen: Bools
    """(cells, 2·branches)"""
    near: Bools
    """(rows, outputs): what is selected comes within the window."""
    coarse: Bools
    """(rows, outputs): no sum does, though the target lies within what the branches span."""

    def without(self, lost: Bools) -> _Selected:
        """Return the same with nothing selected in lost outputs (outputs,)."""
        cells = self.chosen.reshape(*self.near.shape, -1)
        chosen = np.where(lost[:, None], False, cells).reshape(self.chosen.shape)
        return _Selected(chosen, self.near & ~lost, self.coarse & ~lost)


@dataclass(frozen=True)
class _Rounds:
    """The measurements of patterns on a board, counted."""

    board: Crossbar
    board_shape: tuple[int, ...]
    volts: float
    """Of the rows, either sign."""
    progress: Progress
    residuals: list[float]
    """Of each round, over the largest wanted difference; NaN where no pair counts."""
    seen: list[_Seen] = field(default_factory=list)

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
        seen = _measured(self.board, pattern, rows, in_use, self.volts, least_amperes)
        self.board.rest()
        self.seen.append(seen)
        self.residuals.append(_relative_rms(*_fitted(seen.transfer, targets, counts)))
        self.progress(len(self.residuals), MOST_ROUNDS)
        return seen


def _refined(
    rounds: _Rounds,
    range_amperes: float,
    estimate: BoardEstimate,
    targets: Targets,
    selected: _Selected,
) -> tuple[_Seen, BoardEstimate, _Selected]:
    """Converge in the model, measure, learn, again and again, and go back to the pattern that
    measured best.

    Returns that one's measurement, what is known by then, and what has become of the pairs.
    """
    wanted, within_reach = targets.difference_siemens, selected.near
    far_off = FAR_OFF * float(np.abs(wanted).max())
    now = descend(estimate, wanted, selected.chosen, within_reach)
    best_rms, fewest_far, idle = np.inf, wanted.size, 0
    while True:
        seen = rounds.measure(now.chosen, range_amperes, targets, within_reach)
        range_amperes = seen.range_amperes
        estimate = _learned(estimate, seen)
        now = evaluated(estimate, wanted, now.chosen)
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
        if enough or idle == PATIENCE or len(rounds.residuals) == MOST_ROUNDS - 1:
            break
        now = better
    best = _best(rounds.seen, targets, near)
    if best is not seen:
        # Measured anew: the board has drifted since, and chance has a part in what measures best.
        chosen = cells_of(best.pattern, wanted.shape)
        seen = rounds.measure(chosen, best.range_amperes, targets, within_reach)
        estimate = _learned(estimate, seen)
        now = evaluated(estimate, wanted, chosen)
        far = within_reach & (np.abs(now.error_siemens) > far_off)
    # A pair that misses by a few windows, and of which the model itself sees no nearer sum, has too
    # few branches; any other does not do what it was characterized to do.
    bank = pair_banks(estimate.branches, *wanted.shape)
    spanned = left_to_reach(bank, wanted.ravel()).reshape(wanted.shape) >= 0
    misses, model_misses = np.abs(now.error_siemens), np.abs(better.error_siemens)
    coarse = far & spanned & (misses < COARSE_WINDOWS * far_off) & (model_misses > far_off)
    return seen, estimate, _Selected(now.chosen, within_reach & ~far, selected.coarse | coarse)


def _best(seen: Sequence[_Seen], targets: Targets, counts: Bools) -> _Seen:
    """Return the one whose measured residual of the pairs that count (rows, outputs) is least, each
    at the scale that it shows; the last if it is no worse than can be told.
    """

    def relative_rms(one: _Seen) -> float:
        readable = np.isfinite(differences(one.transfer.siemens, counts.shape[1]))[counts].all()
        return _relative_rms(*_fitted(one.transfer, targets, counts)) if readable else np.inf

    if not counts.any():
        return seen[-1]
    best = min(seen, key=relative_rms)
    tellable = relative_rms(seen[-1]) / np.sqrt(2 * counts.sum())
    return best if relative_rms(seen[-1]) - relative_rms(best) > tellable else seen[-1]


def _selected(branches: BranchCalibration, targets: Targets) -> _Selected:
    """Select every pair by itself."""
    wanted = targets.difference_siemens
    window = FAR_OFF * float(np.abs(wanted).max())
    bank = pair_banks(branches, *wanted.shape)
    selection = choose(bank, wanted, targets.total_siemens, window)
    near = np.abs(selection.residual_siemens) <= window
    spanned = left_to_reach(bank, wanted.ravel()) >= 0
    return _Selected(
        chosen=selection.pattern,
        near=near.reshape(wanted.shape),
        coarse=(spanned & ~near).reshape(wanted.shape),
    )


def _foreseen(
    board: Crossbar, calibration: BranchCalibration, chosen: Bools, targets: Targets
) -> tuple[float, float]:
    """Return the voltage of the rows, and the smallest range that should then hold the vectors of a
    transfer measurement.
    """
    rows, outputs = targets.difference_siemens.shape
    pattern = board_pattern(chosen, (rows, outputs), calibration.status.shape)
    crosspoints = calibration.open_siemens + (pattern * calibration.branch_siemens).sum(axis=2)
    siemens = RANGE_HEADROOM * np.abs(weighing_signs(rows) @ crosspoints[:rows]).max(axis=0)
    held = siemens * (WIDEST_HEADROOM / RANGE_HEADROOM)
    volts = held_volts(board.ranges_amperes, measuring_volts(board.row_volts_limit), held)
    return volts, smallest_range(board.ranges_amperes, volts * float(siemens.max()))


def _measured(
    board: Crossbar, pattern: Bools, rows: int, in_use: Bools, volts: float, least_amperes: float
) -> _Seen:
    """Measure the transfer matrix of the pattern that is applied, with rows at ±`volts`, in the
    smallest range from `least_amperes` on that holds the vectors in the columns in use (columns,);
    NaN where it does not. What overloads the widest range has no say in it.

    A crosspoint that conducted too much to be characterized draws more than was foreseen.
    """
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
    each = np.abs(seen.transfer.siemens[:, : 2 * outputs]).sum(axis=0)
    most_amperes = RANGE_HEADROOM * board.row_volts_limit * float(np.nanmax(each))
    widest = smallest_range(board.ranges_amperes, most_amperes)
    ranges = [range_of_use(seen.range_amperes, columns)]
    every = board.ranges_amperes
    for range_amperes in every[(every > seen.range_amperes) & (every <= widest)].tolist():
        board.configure(range_amperes=range_amperes)
        wide = measure_transfer(board, rows, 0, seen.transfer.volts)
        ranges.append(tie(seen.transfer, wide, range_amperes))
    board.configure(range_amperes=seen.range_amperes)
    board.rest()
    return tuple(ranges)


def _learned(estimate: BoardEstimate, seen: _Seen) -> BoardEstimate:
    return absorb(estimate, seen.pattern, seen.transfer, seen.range_amperes)


def _fitted(
    transfer: TransferMeasurement, targets: Targets, counts: Bools
) -> tuple[Targets, Floats]:
    """Return the targets with the scales that a measurement shows, and what the pairs that count
    are off by then. One gain, by least squares over these pairs, is common to all scales.
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


def _of_scale(left: _Selected) -> Bools:
    """Return the pairs (rows, outputs) that the scale is fitted to: coarse ones only where no other
    is left.
    """
    return left.near if left.near.any() else left.coarse


def _relative_rms(targets: Targets, error: Floats) -> float:
    largest = float(np.abs(targets.difference_siemens).max())
    return float(np.sqrt((error**2).mean())) / largest if error.size else float("nan")
