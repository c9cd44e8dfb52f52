"""The bench's clock: the time that settling and integration take, virtual or real."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from simulator.steps import Steps

Purpose = Literal["settling", "integrating"]
MAX_WAIT_SECONDS = 0.1
"""Longer waits, s, are made in pieces, so that a waiting task can be cancelled."""


@dataclass
class Clock:
    """Seconds since power-on, advanced by every wait and every aperture.

    Virtual time costs no wall time. In real time every advance adds to the wall time owed, which
    `catch_up` waits for.
    """

    realtime: bool = False
    seconds: float = 0.0
    spent_seconds: dict[Purpose, float] = field(
        default_factory=lambda: {"settling": 0.0, "integrating": 0.0}
    )
    """Time, s, by purpose."""
    _owed_seconds: float = 0.0

    def advance(self, seconds: float, purpose: Purpose) -> None:
        """Let `seconds` pass. Raises ValueError for negative time."""
        if seconds < 0:
            raise ValueError(f"time runs forward only, not by {seconds} s")
        self.seconds += seconds
        self.spent_seconds[purpose] += seconds
        if self.realtime:
            self._owed_seconds += seconds

    def catch_up(self) -> Steps[None]:
        """Yield the wall time to wait, s, once and again until none is owed."""
        while True:
            wait_seconds = min(self._owed_seconds, MAX_WAIT_SECONDS)
            self._owed_seconds -= wait_seconds
            yield wait_seconds
            if self._owed_seconds <= 0:
                return
