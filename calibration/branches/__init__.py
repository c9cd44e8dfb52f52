"""Steps 1 and 3: how currents settle; the conductance of every branch, with its covariance.

Read `settle_time.py` for step 1. For step 3 read `characterization.py` first: `characterize` runs
the step and holds its result. In its order follow `preliminaries.py` (`probe_settling.py`, the
reference), `plan.py` over `designs.py` (what to read), `passes.py` (the readings), `polarity.py`
(outliers and noise), `reference_drift.py` and `least_squares.py`. `fingerprint.py` recognizes a
board by its branches.
"""

from calibration.branches.characterization import BranchCalibration, BranchStatus, characterize
from calibration.branches.fingerprint import is_calibrated_board
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
    "SettleTime",
    "characterize",
    "choose_settle_time",
    "is_calibrated_board",
]
