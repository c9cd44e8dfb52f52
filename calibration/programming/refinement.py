"""Program a board in the loop: converge in the model, measure, learn, converge again.

A first pattern, selected pair by pair, shows the wires and the gains of the range of use. With them
the model of the board (`board_model`) predicts the transfer matrix of any pattern, and the patterns
converge in the model (`pattern_search`), which takes no time on the board. Each measurement
(`rounds`) improves the model; the few pairs whose errors it reveals are selected again. The pattern
with the smallest measured error stays, which need not be the last. A board that warms up scales its
whole transfer matrix: no switch corrects that, but the scale does, which the last measurement sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.arrays import Bools
from calibration.branches import BranchCalibration
from calibration.crossbar import Crossbar, Progress, no_progress
from calibration.errors import OverloadError
from calibration.programming.board_model import BoardEstimate, absorb, first_estimate
from calibration.programming.pairs import cells_of, differences, left_to_reach, pair_banks
from calibration.programming.pattern_search import choose, descend, evaluated
from calibration.programming.programmed import Programmed
from calibration.programming.rounds import (
    MAX_ROUNDS,
    MeasuredPattern,
    Rounds,
    fit_scale,
    measure_product_ranges,
    volts_and_range,
)
from calibration.programming.scale import best_scale
from calibration.programming.targets import Targets, relative_rms
from calibration.transfer import TransferMeasurement, identify_wire

FAR_OFF_SHARE = 2.0**-11
"""Share of the largest wanted difference. It is the half width of the window of the first
selection, and the error within which a pair must come to be refined.
"""
MAX_COARSE_WINDOWS = 16.0
"""In units of FAR_OFF_SHARE: the largest error of a pair whose sums are merely too coarse."""
MAX_IDLE_ROUNDS = 2
"""Rounds in a row without a gain after which programming ends: the board drifts as fast."""
MIN_RELATIVE_GAIN = 0.03
"""Relative fall of the error that is worth a round: a twentieth of a bit."""


def program(
    board: Crossbar,
    calibration: BranchCalibration,
    targets: Targets,
    *,
    progress: Progress = no_progress,
) -> Programmed:
    """Select and apply patterns for the targets, and refine them by measurements on the board.

    Refinement ends when the gain still to be expected is below the scatter of the measurement. The
    search for the best scale (`scale`) begins at that of the targets. Pairs beyond reach, and pairs
    with a column that overloads every range, are reported; all others are programmed. The board is
    left with the pattern applied, in the range of use, at rest. `progress` is called with the
    number of rounds done, and of at most MAX_ROUNDS.

    Raises OverloadError where every pair has a column that overloads the widest range.
    """
    outputs = targets.difference_siemens.shape[1]
    first = _select_each(calibration, targets)
    volts, range_amperes = volts_and_range(board, calibration, first.chosen, targets)
    rounds = Rounds(board, calibration.status.shape, volts, progress, [])
    measured = rounds.measure(first.chosen, range_amperes, targets, first.near)
    lost = _lost(measured.transfer, outputs)
    if lost.all():
        raise OverloadError("every output has a column that overloads the widest range")

    # Before any refinement, because the board drifts while that takes its time.
    ranges = measure_product_ranges(board, measured, outputs)
    # The first measurement gives the wires and the gains, and with them the best scale.
    wire = identify_wire(calibration, measured.pattern, measured.transfer)
    estimate = _learn(first_estimate(calibration, wire.wire), measured)
    noise_siemens = float(np.nanmedian(measured.transfer.uncertainty_siemens[: 2 * outputs]))
    targets = best_scale(estimate, targets, first.near & ~lost, noise_siemens)
    second = _select_each(estimate.branches, targets).without(lost)
    # At another scale the columns may draw more than the widest range holds at these voltages.
    lower_volts, _ = volts_and_range(board, estimate.branches, second.chosen, targets)
    rounds = replace(rounds, volts=min(volts, lower_volts))

    measured, estimate, final = _refine(rounds, measured.range_amperes, estimate, targets, second)
    lost |= _lost(measured.transfer, outputs)
    if measured.range_amperes != ranges[0].range_amperes or rounds.volts != volts:
        ranges = measure_product_ranges(board, measured, outputs)
    progress(len(rounds.residuals), len(rounds.residuals))
    final = final.without(lost)
    return Programmed(
        pattern=measured.pattern,
        targets=_without(fit_scale(measured.transfer, targets, final.fitted)[0], lost),
        transfer=_silenced(measured.transfer, lost),
        ranges=ranges,
        round_residuals=tuple(rounds.residuals),
        wire=wire,
        estimate=estimate,
        unreachable=~(final.near | final.coarse),
        coarse=final.coarse,
        lost=lost,
    )


def reprogram(
    board: Crossbar, programmed: Programmed, *, progress: Progress = no_progress
) -> Programmed:
    """Measure a programmed pattern as it is now, and refine the pairs that have moved.

    The model of the board continues from its last state: a measurement that it does not explain
    makes all branches less certain (`board_model.absorb`), and only pairs with larger errors than
    the others are selected anew. The scale stays, apart from the gain that all pairs share; the
    ties of the wider ranges stay.
    """
    targets = programmed.targets
    rounds = Rounds(board, programmed.pattern.shape, programmed.transfer.volts, progress, [])
    standing = _Selected(
        chosen=cells_of(programmed.pattern, targets.difference_siemens.shape),
        near=~(programmed.unreachable | programmed.coarse),
        coarse=programmed.coarse,
    )
    measured = rounds.measure(standing.chosen, programmed.range_amperes, targets, standing.near)
    estimate = _learn(programmed.estimate, measured)
    measured, estimate, final = _refine(rounds, measured.range_amperes, estimate, targets, standing)
    lost = programmed.lost | _lost(measured.transfer, len(programmed.lost))
    final = final.without(lost)
    progress(len(rounds.residuals), len(rounds.residuals))
    return replace(
        programmed,
        pattern=measured.pattern,
        targets=_without(fit_scale(measured.transfer, targets, final.fitted)[0], lost),
        transfer=_silenced(measured.transfer, lost),
        round_residuals=tuple(rounds.residuals),
        estimate=estimate,
        unreachable=~(final.near | final.coarse),
        coarse=final.coarse,
        lost=lost,
    )


@dataclass(frozen=True)
class _Selected:
    """The subsets selected for all pairs."""

    chosen: Bools
    """(cells, 2·branches)"""
    near: Bools
    """(rows, outputs): pairs whose selected sum comes within the window."""
    coarse: Bools
    """(rows, outputs): pairs without such a sum, though the branches span the target."""

    @property
    def fitted(self) -> Bools:
        """Pairs (rows, outputs) that the scale is fitted to: the coarse ones if none is near."""
        return self.near if self.near.any() else self.coarse

    def without(self, lost: Bools) -> _Selected:
        """Return the selection with no branch closed in lost outputs (outputs,)."""
        cells = self.chosen.reshape(*self.near.shape, -1)
        chosen = np.where(lost[:, None], False, cells).reshape(self.chosen.shape)
        return _Selected(chosen, self.near & ~lost, self.coarse & ~lost)


def _refine(
    rounds: Rounds,
    range_amperes: float,
    estimate: BoardEstimate,
    targets: Targets,
    selected: _Selected,
) -> tuple[MeasuredPattern, BoardEstimate, _Selected]:
    """Converge in the model, measure and learn in turn; return to the best measured pattern.

    Returns its measurement, the model of the board by then, and the state of the pairs.
    """
    wanted, within_reach = targets.difference_siemens, selected.near
    far_off_siemens = FAR_OFF_SHARE * float(np.abs(wanted).max())
    now = descend(estimate, wanted, selected.chosen, within_reach)
    best_rms, fewest_far, idle = np.inf, wanted.size, 0
    while True:
        measured = rounds.measure(now.chosen, range_amperes, targets, within_reach)
        range_amperes = measured.range_amperes
        estimate = _learn(estimate, measured)
        now = evaluated(estimate, wanted, now.chosen)
        better = descend(estimate, wanted, now.chosen, within_reach)
        # Pairs still far from target did not behave as characterized. Keep retrying while their
        # number falls; leave them out of the stopping criterion.
        far = within_reach & (np.abs(now.error_siemens) > far_off_siemens)
        near = within_reach & ~far
        rms, next_rms = now.expected_rms(near), better.expected_rms(near)
        min_gain = max(MIN_RELATIVE_GAIN * rms, _rms_uncertainty(measured.transfer, targets, near))
        far_count = int(far.sum())
        fewer_far = far_count < fewest_far
        idle = 0 if fewer_far or best_rms - rms > min_gain else idle + 1
        best_rms, fewest_far = min(best_rms, rms), min(fewest_far, far_count)
        converged = rms - next_rms <= min_gain and not (fewer_far and far_count)
        if converged or idle == MAX_IDLE_ROUNDS or len(rounds.residuals) == MAX_ROUNDS - 1:
            break
        now = better
    best = _best(rounds.measured, targets, near)
    if best is not measured:
        # Measured anew: the board has drifted since, and chance has a part in the best residual.
        chosen = cells_of(best.pattern, wanted.shape)
        measured = rounds.measure(chosen, best.range_amperes, targets, within_reach)
        estimate = _learn(estimate, measured)
        now = evaluated(estimate, wanted, chosen)
        far = within_reach & (np.abs(now.error_siemens) > far_off_siemens)
    # A pair that misses by a few windows, and for which the model itself finds no nearer sum, has
    # too few branches. Any other pair did not behave as characterized.
    bank = pair_banks(estimate.branches, *wanted.shape)
    spanned = left_to_reach(bank, wanted.ravel()).reshape(wanted.shape) >= 0
    errors, model_errors = np.abs(now.error_siemens), np.abs(better.error_siemens)
    few_windows = errors < MAX_COARSE_WINDOWS * far_off_siemens
    coarse = far & spanned & few_windows & (model_errors > far_off_siemens)
    return measured, estimate, _Selected(now.chosen, within_reach & ~far, selected.coarse | coarse)


def _best(
    measurements: Sequence[MeasuredPattern], targets: Targets, counts: Bools
) -> MeasuredPattern:
    """Return the measurement of smallest residual over the pairs that count (rows, outputs).

    Each is taken at the scale that fits it. The last one is returned unless another is better by
    more than the uncertainty of its residual.
    """

    def residual(measured: MeasuredPattern) -> float:
        readable = np.isfinite(differences(measured.transfer.siemens, counts.shape[1]))[counts]
        if not readable.all():
            return np.inf
        return relative_rms(*fit_scale(measured.transfer, targets, counts))

    last = measurements[-1]
    if not counts.any():
        return last
    best = min(measurements, key=residual)
    uncertainty = residual(last) / np.sqrt(2 * counts.sum())
    return best if residual(last) - residual(best) > uncertainty else last


def _select_each(branches: BranchCalibration, targets: Targets) -> _Selected:
    """Select a subset for every pair by itself."""
    wanted = targets.difference_siemens
    window = FAR_OFF_SHARE * float(np.abs(wanted).max())
    bank = pair_banks(branches, *wanted.shape)
    selection = choose(bank, wanted, targets.total_siemens, window)
    near = np.abs(selection.residual_siemens) <= window
    spanned = left_to_reach(bank, wanted.ravel()) >= 0
    return _Selected(
        chosen=selection.pattern,
        near=near.reshape(wanted.shape),
        coarse=(spanned & ~near).reshape(wanted.shape),
    )


def _learn(estimate: BoardEstimate, measured: MeasuredPattern) -> BoardEstimate:
    return absorb(estimate, measured.pattern, measured.transfer, measured.range_amperes)


def _rms_uncertainty(transfer: TransferMeasurement, targets: Targets, counts: Bools) -> float:
    """Return the standard uncertainty of a measured root mean square error, in siemens.

    It is that error over √(2 pairs), for the pairs that count (rows, outputs).
    """
    _, residual = fit_scale(transfer, targets, counts)
    return float(np.sqrt((residual**2).mean() / (2 * len(residual)))) if len(residual) else 0.0


def _lost(transfer: TransferMeasurement, outputs: int) -> Bools:
    """Return the pairs (outputs,) one of whose columns overloads."""
    return np.asarray(np.isnan(differences(transfer.siemens, outputs)).any(axis=0))


def _without(targets: Targets, lost: Bools) -> Targets:
    """Return targets with a wanted difference of 0 in lost outputs (outputs,)."""
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
