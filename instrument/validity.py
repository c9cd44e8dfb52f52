"""Whether a calibration still holds: it expires by age, and as the temperature moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from instrument.config import CalibrationLimits
from instrument.errors import UsageError
from instrument.store import Calibration

SECONDS_PER_HOUR = 3600.0
CLOCKS_DIFFER = timedelta(hours=1)
"""What the clocks of two hosts may differ by before a calibration is called one of the future."""


def why_expired(
    calibration: Calibration, now: datetime, board_kelvin: float, limits: CalibrationLimits
) -> str | None:
    """Return why a calibration no longer holds, None while it does.

    `board_kelvin` is what the board's sensor says now.
    """
    age = now - calibration.made_at
    if age > timedelta(hours=limits.max_age_hours):
        hours = age.total_seconds() / SECONDS_PER_HOUR
        return f"it is {hours:.4g} hours old, of at most {limits.max_age_hours:g}"
    if age < -CLOCKS_DIFFER:
        return f"it is dated {calibration.made_at:%Y-%m-%d %H:%M} UTC, in the future"
    moved = board_kelvin - calibration.board_kelvin
    if abs(moved) > limits.max_excursion_kelvin:
        return (
            f"the board is {abs(moved):.2g} K {'warmer' if moved > 0 else 'colder'} than it was, "
            f"of at most {limits.max_excursion_kelvin:g}"
        )
    return None


def require_valid(calibration: Calibration, board_kelvin: float, limits: CalibrationLimits) -> None:
    """Raise UsageError, with the way out, where a calibration has expired."""
    reason = why_expired(calibration, datetime.now(UTC), board_kelvin, limits)
    if reason is not None:
        raise UsageError(
            f"{calibration.source} has expired: {reason}; calibrate anew, or use it as it is "
            "with --allow-expired"
        )
