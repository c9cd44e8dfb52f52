"""The bench's clock: virtual seconds that settling and integration cost."""

from __future__ import annotations


class Clock:
    """Seconds since power-on, advanced by whoever spends time; nothing on the wall waits for it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass. Raises ValueError for negative time."""
        if seconds < 0:
            raise ValueError(f"time runs forward only, not by {seconds} s")
        self.seconds += seconds
