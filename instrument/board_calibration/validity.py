"""Validity: whether a calibration still holds, by its age and by the board's temperature."""

from __future__ import annotations

from datetime import timedelta

from instrument.bench_file import CalibrationLimits
from instrument.board_calibration.record import Calibration
from instrument.clocks import ClockReading
from instrument.errors import UsageError

SECONDS_PER_HOUR = 3600.0

MAX_CLOCK_DIFFERENCE = timedelta(hours=1)
"""Largest difference between the clocks of two hosts before a calibration is said to be dated in
the future.
"""


def why_expired(
    calibration: Calibration, now: ClockReading, board_kelvin: float, limits: CalibrationLimits
) -> str | None:
    """Return the reason why a calibration no longer holds; None while it holds.

    `board_kelvin` is what the board's sensor shows now. In the session that measured the
    calibration, its age follows from clocks that nobody sets; otherwise from dates, which may be
    wrong on either host.
    """
    ended = calibration.ended
    if ended is not None and ended.date == calibration.made_at:
        age = now.since(ended)
    else:
        age = now.date - calibration.made_at
    if age > timedelta(hours=limits.max_age_hours):
        hours = age.total_seconds() / SECONDS_PER_HOUR
        return f"it is {hours:.4g} hours old, of at most {limits.max_age_hours:g}"
    if age < -MAX_CLOCK_DIFFERENCE:
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
    calibration: Calibration, now: ClockReading, board_kelvin: float, limits: CalibrationLimits
) -> None:
    """Raise UsageError, with advice, where a calibration has expired."""
    reason = why_expired(calibration, now, board_kelvin, limits)
    if reason is not None:
        raise UsageError(
            f"{calibration.source} has expired: {reason}; calibrate anew, or use it as it is "
            "with --allow-expired (allow_expired=True in Python)"
        )
