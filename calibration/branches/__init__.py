"""Steps 1 and 3: how currents settle; the conductance of every branch, with its covariance."""

from calibration.branches.characterization import BranchCalibration, BranchStatus, characterize
from calibration.branches.fingerprint import is_calibrated_board
from calibration.branches.rows_read import RowsRead
from calibration.branches.settle_time import (
    USUAL_BITS,
    USUAL_SECONDS,
    SettleTime,
    choose_settle_time,
)

__all__ = [
    "USUAL_BITS",
    "USUAL_SECONDS",
    "BranchCalibration",
    "BranchStatus",
    "RowsRead",
    "SettleTime",
    "characterize",
    "choose_settle_time",
    "is_calibrated_board",
]
