"""The calibration of a board: what was measured of it, whether it still holds, how it is kept."""

from instrument.board_calibration.file import digest_of, load_calibration, save_calibration
from instrument.board_calibration.record import (
    BoardIdentity,
    Calibration,
    identity_of,
    require_valid,
    why_expired,
)

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
