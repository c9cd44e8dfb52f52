"""Recognize a calibrated board by its branches.

Resistors are imprecise, so their deviations from the nominal values mark the board: the same board
shows the same deviations again, another board of the type shows others.
"""

from __future__ import annotations

import numpy as np

from calibration.branches.characterization import BranchCalibration
from calibration.crossbar import Crossbar, measuring_volts

MAX_PROBES = 32
"""Branches that are probed, each in every column."""
MIN_CORRELATION = 0.9
"""Correlation of deviations from which on the board is the same. Noise and drift are far below the
tolerance of the parts; another board has about 0 ± 1/√(branches probed).
"""


def is_calibrated_board(board: Crossbar, calibration: BranchCalibration) -> bool:
    """Return whether a board's branches deviate from nominal as the calibrated ones do.

    The board must have the shape of the calibrated board. Both polarities of up to MAX_PROBES
    branches, spread over the rows, are read once. Afterwards all switches are open; the range is
    restored.
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
    siemens_now = (read[: len(rows)] - read[len(rows) :]) / (2 * volts) - calibration.open_siemens[
        rows
    ]
    siemens_then = calibration.branch_siemens[rows, :, branches]
    counts = calibration.usable[rows, :, branches] & np.isfinite(siemens_now)
    nominal_ohms = board.nominal_ohms[branches][:, None]
    now, then = ((siemens * nominal_ohms - 1)[counts] for siemens in (siemens_now, siemens_then))
    if len(now) < 2 or not (now.std() and then.std()):
        return False
    return bool(np.corrcoef(now, then)[0, 1] > MIN_CORRELATION)
