"""Whether a calibration still holds: it expires by age, and as the temperature moves."""

from __future__ import annotations

from datetime import timedelta

from instrument.clocks import Reading
from instrument.config import CalibrationLimits
from instrument.errors import UsageError
from instrument.store import Calibration

SECONDS_PER_HOUR = 3600.0
CLOCKS_DIFFER = timedelta(hours=1)
"""What the clocks of two hosts may differ by before a calibration is called one of the future."""


def why_expired(
    calibration: Calibration, now: Reading, board_kelvin: float, limits: CalibrationLimits
) -> str | None:
    """Return why a calibration no longer holds, None while it does.

    `board_kelvin` is what the board's sensor says now. Within the session that measured it, its age
    is told by clocks that nobody sets; else by dates, which may be wrong on either host.
    """
    ended = calibration.ended
    if ended is not None and ended.date == calibration.made_at:
        age = now.since(ended)
    else:
        age = now.date - calibration.made_at
    if age > timedelta(hours=limits.max_age_hours):
        hours = age.total_seconds() / SECONDS_PER_HOUR
        return f"it is {hours:.4g} hours old, of at most {limits.max_age_hours:g}"
    if age < -CLOCKS_DIFFER:
        ahead_hours = -age.total_seconds() / SECONDS_PER_HOUR
        return (
            f"it is dated {calibration.made_at:%Y-%m-%d %H:%M} UTC, {ahead_hours:.3g} hours in the "
            "future: this host's clock was set back since, or the clock of the host that measured "
            "it was ahead"
        )
    moved = board_kelvin - calibration.board_kelvin
    if abs(moved) > limits.max_excursion_kelvin:
        return (
            f"the board is {abs(moved):.2g} K {'warmer' if moved > 0 else 'colder'} than it was, "
            f"of at most {limits.max_excursion_kelvin:g}"
        )
    return None


def require_valid(
    calibration: Calibration, now: Reading, board_kelvin: float, limits: CalibrationLimits
) -> None:
    """Raise UsageError, with the way out, where a calibration has expired."""
    reason = why_expired(calibration, now, board_kelvin, limits)
    if reason is not None:
        raise UsageError(
            f"{calibration.source} has expired: {reason}; calibrate anew, or use it as it is "
            "with --allow-expired (allow_expired=True in Python)"
        )
