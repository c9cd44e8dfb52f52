"""Program in the loop: select, measure the board, move the targets by what is missing, select
again.

The wires couple all crosspoints: when a pair's total G₊ + G₋ changes, the currents along its row
and its columns change, and with them what every neighbour contributes. So the loop makes small
moves. It holds every pair's total near one common value, takes, among the subsets within a window
of the target, the one whose total is nearest to the last, narrows the window from round to round,
and touches only the cells that are still off, the worse half of them at a time. The best pattern
measured is the one that stays.
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
from calibration.pairs import PairBanks, board_pattern, differences, pair_banks
from calibration.selection import Selection, select_in_window
from calibration.targets import Targets
from calibration.transfer import OverloadError, TransferMeasurement, measure_transfer
from calibration.wire import WireEstimate, identify_wire, without_wire_drop

FIRST_WINDOW, LEAST_WINDOW = 2.0**-11, 2.0**-16
"""Half widths of the first and of the narrowest window, over the largest wanted difference."""
WINDOW_SHARE = 0.25
"""Half width of a later window, over what its cell is off by: wide enough to hold a subset of
nearly the same total.
"""
MOST_ROUNDS = 40
PATIENCE = 3
"""Rounds without a better board after which the loop stops."""
RANGE_HEADROOM = 1.1
"""Over the largest current that any input can cause: gain errors, and totals that move during
refinement.
"""


@dataclass(frozen=True)
class Programmed:
    """A programmed board, as it was measured."""

    pattern: NDArray[np.bool_]
    """(rows, columns, branches) of the whole board."""
    targets: Targets
    transfer: TransferMeasurement
    range_amperes: float
    round_residuals: tuple[float, ...]
    """Root mean square of (measured − wanted) difference after each round, over the largest wanted
    difference.
    """
    wire: WireEstimate
    unreachable: NDArray[np.bool_]
    """(rows, outputs): cells whose target lies beyond what their working branches reach."""

    @property
    def residual_siemens(self) -> NDArray[np.float64]:
        """(rows, outputs): measured minus wanted difference."""
        outputs = self.targets.difference_siemens.shape[1]
        return differences(self.transfer.siemens, outputs) - self.targets.difference_siemens

    @property
    def residual_rms(self) -> float:
        """Root mean square of the residual, over the largest wanted difference."""
        return _relative_rms(self.residual_siemens, self.targets)


def program(
    board: Crossbar,
    calibration: BranchCalibration,
    targets: Targets,
    *,
    progress: Progress = no_progress,
) -> Programmed:
    """Select and apply patterns for the targets, refine them on the board until that stops helping,
    keep the best.

    The board is left with the best pattern applied and in the range of use. `progress` hears of
    rounds done, of MOST_ROUNDS at most. Raises OverloadError (see measure_transfer) where even the
    widest range does not hold the currents.
    """
    rows, outputs = targets.difference_siemens.shape
    bank = pair_banks(calibration, rows, outputs)
    wanted = targets.difference_siemens.ravel()
    full_scale = float(np.abs(wanted).max())
    volts = measuring_volts(board.row_volts_limit)

    board_shape = calibration.status.shape
    every = np.arange(wanted.size)
    first = _choose(
        bank,
        every,
        wanted,
        np.full(wanted.size, targets.total_siemens),
        full_scale * FIRST_WINDOW,
    )
    chosen = first.pattern.copy()
    unreachable = np.abs(first.residual_siemens) > full_scale * FIRST_WINDOW
    range_amperes = _range_of_use(board, calibration, chosen, (rows, outputs), volts)

    wire: WireEstimate | None = None
    best: Programmed | None = None
    residuals: list[float] = []
    least_off = np.inf
    rounds_since_best = 0
    for round_number in range(MOST_ROUNDS):
        pattern = board_pattern(chosen, (rows, outputs), board_shape)
        board.apply(pattern)
        measured, range_amperes = _measure_in_range(board, (rows, outputs), volts, range_amperes)
        if wire is None:
            # The first measurement tells the wires, and with them what the probes had hidden.
            wire = identify_wire(calibration, pattern, measured)
            bank = pair_banks(without_wire_drop(calibration, wire.wire), rows, outputs)
        missing = wanted - differences(measured.siemens, outputs).ravel()
        residuals.append(_relative_rms(missing, targets))
        progress(round_number + 1, MOST_ROUNDS)
        # Cells that cannot be reached would hide what happens to the others.
        off_by = _relative_rms(missing[~unreachable], targets)
        if best is None or off_by < least_off:
            least_off = off_by
            best = Programmed(
                pattern=pattern,
                targets=targets,
                transfer=measured,
                range_amperes=range_amperes,
                round_residuals=(),
                wire=wire,
                unreachable=unreachable.reshape(rows, outputs),
            )
            rounds_since_best = 0
        else:
            rounds_since_best += 1
        off = _worth_moving(missing, measured, outputs, reachable=~unreachable)
        if rounds_since_best == PATIENCE or not len(off):
            break
        has = chosen[off] * bank.signed_siemens[off]
        chosen[off] = _choose(
            bank,
            off,
            bank.open_difference_siemens[off] + has.sum(axis=1) + missing[off],
            np.abs(has).sum(axis=1),
            np.maximum(WINDOW_SHARE * np.abs(missing[off]), full_scale * LEAST_WINDOW),
        ).pattern
    progress(len(residuals), len(residuals))
    assert best is not None
    board.apply(best.pattern)
    board.configure(range_amperes=best.range_amperes)
    return replace(best, round_residuals=tuple(residuals))


def _choose(
    bank: PairBanks,
    cells: NDArray[np.int_],
    aim_siemens: NDArray[np.float64],
    total_siemens: NDArray[np.float64],
    window_siemens: float | NDArray[np.float64],
) -> Selection:
    """Select patterns of some cells for wanted differences and totals (cells,)."""
    return select_in_window(
        bank.signed_siemens[cells],
        aim_siemens - bank.open_difference_siemens[cells],
        np.abs(bank.signed_siemens[cells]),
        total_siemens,
        window_siemens,
        usable=bank.usable[cells],
    )


def _range_of_use(
    board: Crossbar,
    calibration: BranchCalibration,
    chosen: NDArray[np.bool_],
    shape: tuple[int, int],
    volts: float,
) -> float:
    """Return the smallest range that no input within ±volts can overload."""
    pattern = board_pattern(chosen, shape, calibration.status.shape)
    crosspoints = (pattern * calibration.branch_siemens).sum(axis=2) + calibration.open_siemens
    most_amperes = volts * float(crosspoints[: shape[0]].sum(axis=0).max())
    return smallest_range(board.ranges_amperes, RANGE_HEADROOM * most_amperes)


def _measure_in_range(
    board: Crossbar, used: tuple[int, int], volts: float, least_amperes: float
) -> tuple[TransferMeasurement, float]:
    """Measure the transfer matrix in the smallest range from `least_amperes` on that holds it, and
    say which that is. `used` is (rows, outputs).

    A crosspoint that conducted too much to be characterized draws more than was foreseen.
    """
    rows, outputs = used
    for range_amperes in board.ranges_amperes[board.ranges_amperes >= least_amperes][:-1]:
        board.configure(range_amperes=float(range_amperes))
        try:
            return measure_transfer(board, rows, 2 * outputs, volts), float(range_amperes)
        except OverloadError:
            continue
    widest = float(board.ranges_amperes[-1])
    board.configure(range_amperes=widest)
    return measure_transfer(board, rows, 2 * outputs, volts), widest


def _worth_moving(
    missing: NDArray[np.float64],
    measured: TransferMeasurement,
    outputs: int,
    reachable: NDArray[np.bool_],
) -> NDArray[np.int_]:
    """Return the worse half of the cells that are off by more than twice their measurement's
    uncertainty.
    """
    plus, minus = measured.uncertainty_siemens[: 2 * outputs].reshape(outputs, 2).T
    noise = np.tile(np.hypot(plus, minus), len(missing) // outputs)
    off = np.flatnonzero((np.abs(missing) > 2 * noise) & reachable)
    worst_first = off[np.argsort(-np.abs(missing[off]), kind="stable")]
    return worst_first[: (len(off) + 1) // 2]


def _relative_rms(error: NDArray[np.float64], targets: Targets) -> float:
    return float(
        np.sqrt((error**2).sum() / max(1, error.size)) / np.abs(targets.difference_siemens).max()
    )
