"""The bench's clock: what settling and integration cost, virtual or real."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

Purpose = Literal["settling", "integrating"]


@dataclass
class Clock:
    """Seconds since power-on, advanced by whoever spends time.

    Virtual time costs nothing on the wall; in real time whoever spends it waits as long.
    """

    realtime: bool = False
    seconds: float = 0.0
    spent_seconds: dict[Purpose, float] = field(
        default_factory=lambda: {"settling": 0.0, "integrating": 0.0}
    )
    """What the time went into."""

    def advance(self, seconds: float, purpose: Purpose) -> None:
        """Let `seconds` pass. Raises ValueError for negative time."""
        if seconds < 0:
            raise ValueError(f"time runs forward only, not by {seconds} s")
        self.seconds += seconds
        self.spent_seconds[purpose] += seconds
        if self.realtime:
            time.sleep(seconds)
