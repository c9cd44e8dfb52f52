"""Calibration of a board: what was measured, whether it still holds, and its file.

`Calibration` is the record that `Bench.calibrate` returns and that programming needs. It expires by
age and by temperature. Its .npz file carries a digest, and every array is checked when it is read.
Read first: record.py, then validity.py (until when it holds), file.py (how it is stored) and
file_checks.py (what a file may hold).
"""

from instrument.board_calibration.file import digest_of, load_calibration, save_calibration
from instrument.board_calibration.record import BoardIdentity, Calibration, identity_of
from instrument.board_calibration.validity import require_valid, why_expired

__all__ = [
    "BoardIdentity",
    "Calibration",
    "digest_of",
    "identity_of",
    "load_calibration",
    "require_valid",
    "save_calibration",
    "why_expired",
]
