"""Ages by clocks that nobody sets, so that a change of the time of day ages nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class ClockReading:
    """What all clocks showed at one moment of a session."""

    date: datetime
    """Date and time of day of the host; with its time zone."""
    host_seconds: float
    """Seconds since the host was booted, including its sleep where the system counts it."""
    board_seconds: float
    """Seconds on the board's clock."""

    @classmethod
    def now(cls, board_seconds: float) -> ClockReading:
        """Read the host's clocks and combine them with the board's."""
        return cls(datetime.now(UTC), _steady_seconds(), board_seconds)

    def since(self, earlier: ClockReading) -> timedelta:
        """Return the time since an earlier moment of the same session.

        It is the longer of the host's and the board's time: the host's clock may stop while it
        sleeps, and the board's restarts with its power.
        """
        host_seconds = self.host_seconds - earlier.host_seconds
        board_seconds = self.board_seconds - earlier.board_seconds
        return timedelta(seconds=max(host_seconds, board_seconds, 0.0))


def _steady_seconds() -> float:
    # time.monotonic() stands still on Linux while the host sleeps.
    boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_clock is None else time.clock_gettime(boot_clock)
