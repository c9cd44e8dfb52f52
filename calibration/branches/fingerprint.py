"""Whether a board is the one that was calibrated, told by its branches.

Resistors are imprecise, so what each is off its nominal value marks the board: the same board shows
the same deviations again, another one of the same type shows others.
"""

from __future__ import annotations

import numpy as np

from calibration.branches.characterization import BranchCalibration
from calibration.crossbar import Crossbar, measuring_volts

MAX_PROBES = 32
"""Branches of a row that are probed, each in every column."""
MIN_CORRELATION = 0.9
"""Of deviations, where noise and drift are far below the tolerance of the parts: above it for the
same board, about 0 ± 1/√(branches probed) for another.
"""


def is_calibrated_board(board: Crossbar, calibration: BranchCalibration) -> bool:
    """Return whether branches of a board of the same shape deviate from their nominal values as
    those that were calibrated. All switches are open afterwards; the range is put back.

    Both polarities of up to MAX_PROBES branches spread over the rows are read once.
    """
    shape = calibration.branch_siemens.shape
    crosspoints = shape[0] * shape[2]
    spread = np.unique(
        np.linspace(0, crosspoints - 1, min(MAX_PROBES, crosspoints)).astype(np.int_)
    )
    rows, branches = np.unravel_index(spread, (shape[0], shape[2]))
    volts = measuring_volts(board.row_volts_limit)
    range_before = board.range_amperes
    board.configure(range_amperes=calibration.range_amperes)
    read = board.scan(
        np.tile(rows, 2), np.tile(branches, 2), np.repeat([volts, -volts], len(rows))
    ).mean(axis=1)
    board.configure(range_amperes=range_before)
    board.rest()
    has = (read[: len(rows)] - read[len(rows) :]) / (2 * volts) - calibration.open_siemens[rows]
    had = calibration.branch_siemens[rows, :, branches]
    counts = calibration.usable[rows, :, branches] & np.isfinite(has)
    nominal_ohms = board.nominal_ohms[branches][:, None]
    now, then = ((siemens * nominal_ohms - 1)[counts] for siemens in (has, had))
    if len(now) < 2 or not (now.std() and then.std()):
        return False
    return bool(np.corrcoef(now, then)[0, 1] > MIN_CORRELATION)
