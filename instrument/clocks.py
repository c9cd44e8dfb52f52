"""Ages by clocks that nobody sets: a step of the time of day makes nothing older."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class ClockReading:
    """What all clocks showed at one moment of a session."""

    date: datetime
    """By the host's time of day; with its time zone."""
    host_seconds: float
    """Since the host was booted, its sleep included where the system tells."""
    board_seconds: float
    """On the board's clock."""

    @classmethod
    def now(cls, board_seconds: float) -> ClockReading:
        """Read the host's clocks, beside the board's."""
        return cls(datetime.now(UTC), _steady_seconds(), board_seconds)

    def since(self, earlier: ClockReading) -> timedelta:
        """Return the time from an earlier moment of the same session: the longer one, because the
        host's clock may stand still while it sleeps, and the board's begins anew with its power.
        """
        host_seconds = self.host_seconds - earlier.host_seconds
        board_seconds = self.board_seconds - earlier.board_seconds
        return timedelta(seconds=max(host_seconds, board_seconds, 0.0))


def _steady_seconds() -> float:
    # time.monotonic() stands still on Linux while the host sleeps.
    boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_clock is None else time.clock_gettime(boot_clock)
