"""The board's time as the driver reports it: it goes on where the board's power has failed."""

import time
from collections.abc import Callable
from typing import NamedTuple

_TOLERANCE = 1e-6
"""Relative rounding of a printed time."""
_MIN_COUNTED_SHARE = 0.9
"""Share of the readings' time that the board's clock must have counted, lest it began anew."""


class SpentSeconds(NamedTuple):
    """The time a board has spent since power-on, s, by purpose."""

    settling: float
    """Waiting for currents to settle after a switch or a row voltage changed, s."""
    integrating: float
    """Apertures, s."""
    talking: float
    """Messages, at the nominal rate of the interface, s; not part of the board's clock."""

    def since(self, earlier: "SpentSeconds") -> "SpentSeconds":
        """Return the time spent since `earlier`."""
        return SpentSeconds(*(now - then for now, then in zip(self, earlier, strict=True)))

    def plus(self, other: "SpentSeconds") -> "SpentSeconds":
        """Return the sum of two times, purpose by purpose."""
        return SpentSeconds(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


_NOTHING = SpentSeconds(0.0, 0.0, 0.0)


def boot_seconds() -> float:
    """Return the host's time, s, which also runs while the host is suspended where it can tell."""
    # time.monotonic() stands still on Linux while the host sleeps.
    boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_clock is None else time.clock_gettime(boot_clock)


class BoardTime:
    """The board's clock and the time it has spent, over failures of its power.

    What the board tells counts from its power-on. `reported` and `spent` return it with the time
    before the last power-on added: the time that was last reported, and since then the longer of
    what the readings took and what passed on the host's clock.
    """

    def __init__(self, host_seconds: Callable[[], float] = boot_seconds) -> None:
        self._host_seconds = host_seconds
        self._told = 0.0
        """Time that the board told last, s since power-on."""
        self._told_at = host_seconds()
        self._before = 0.0
        """Time before the last power-on, s."""
        self._read_since = _NOTHING
        """Readings since then."""
        self._spent = _NOTHING
        """Time spent that was last reported."""
        self._spent_before = _NOTHING
        self._spent_since = _NOTHING
        """Readings since the spent time was reported."""

    def note_readings(self, settling_seconds: float, integrating_seconds: float) -> None:
        """Note readings that the board has taken."""
        taken = SpentSeconds(settling_seconds, integrating_seconds, 0.0)
        self._read_since = self._read_since.plus(taken)
        self._spent_since = self._spent_since.plus(taken)

    def ran_backwards(self, seconds: float) -> bool:
        """Return whether a time that the board tells lies before one that it told."""
        return seconds < self._told * (1 - _TOLERANCE)

    def lags(self, seconds: float) -> bool:
        """Return whether a time that the board tells is too short for the readings it has taken."""
        counted = _MIN_COUNTED_SHARE * sum(self._read_since)
        return seconds < (self._told + counted) * (1 - _TOLERANCE)

    def reported(self, seconds: float) -> float:
        """Return the time, s, of which the board tells `seconds` since its power-on."""
        self._told, self._told_at = seconds, self._host_seconds()
        self._read_since = _NOTHING
        return self._before + seconds

    def spent(self, told: SpentSeconds) -> SpentSeconds:
        """Return the time spent, of which the board tells what it spent since its power-on."""
        self._spent = self._spent_before.plus(told)
        self._spent_since = _NOTHING
        return self._spent

    def spent_ran_backwards(self, told: SpentSeconds) -> bool:
        """Return whether the board tells less time spent than before."""
        latest = self._spent.since(self._spent_before)
        return told.settling + told.integrating < (latest.settling + latest.integrating) * (
            1 - _TOLERANCE
        )

    def go_on(self, seconds: float) -> None:
        """Go on behind a failure of the board's power, after which it tells `seconds`."""
        passed = max(sum(self._read_since), self._host_seconds() - self._told_at, 0.0)
        self._before = max(0.0, self._before + self._told + passed - seconds)
        self.reported(seconds)
        self._spent_before = self._spent = self._spent.plus(self._spent_since)
        self._spent_since = _NOTHING
