"""Times of faults: spans of the clock or of program messages, intermittent contacts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.faults.plan import Lasting

MAX_LISTED_STRIKES = 1000
NEVER = float("inf")


@dataclass
class Strikes:
    """The times at which a fault struck; at most MAX_LISTED_STRIKES are listed, all are counted."""

    count: int = 0
    listed: list[tuple[float, int]] = field(default_factory=list)
    """Seconds on the bench's clock and number of the program message."""

    last_operation: int = 0

    def note(self, seconds: float, operation: int) -> None:
        """Record one more strike."""
        self.count += 1
        self.last_operation = operation
        if len(self.listed) < MAX_LISTED_STRIKES:
            self.listed.append((seconds, operation))


def lasts(fault: Lasting, seconds: float, operation: int) -> bool:
    """Return whether a fault is present at this time and during this program message."""
    began = seconds >= (fault.at_seconds or 0.0) and operation >= (fault.at_operation or 0)
    over = (fault.until_seconds is not None and seconds >= fault.until_seconds) or (
        fault.until_operation is not None and operation >= fault.until_operation
    )
    return began and not over


def next_edge(fault: Lasting, seconds: float) -> float:
    """Return the time, s, at which the clock next begins or ends a fault; NEVER if it does not."""
    edges = (fault.at_seconds, fault.until_seconds)
    return min((edge for edge in edges if edge is not None and edge > seconds), default=NEVER)


class Telegraph:
    """Independent contacts that fail and return at random: random telegraph signals.

    Good and bad intervals last exponentially distributed times of the given means (a Markov process
    of two states). All contacts are good at first. Each contact draws from its own stream, so that
    the intervals are a function of time, however often they are evaluated.
    """

    def __init__(
        self,
        contacts: int,
        mean_good_seconds: float,
        mean_bad_seconds: float,
        random: np.random.Generator,
    ) -> None:
        self._random = random.spawn(contacts)
        self._mean_seconds = (mean_good_seconds, mean_bad_seconds)
        self.bad: NDArray[np.bool_] = np.zeros(contacts, dtype=bool)
        self._change_seconds = np.array(
            [draws.exponential(mean_good_seconds) for draws in self._random]
        )

    def advance(self, seconds: float) -> bool:
        """Advance to a time, s since the process began; return whether any contact has changed."""
        before = self.bad.copy()
        for index in np.flatnonzero(self._change_seconds <= seconds):
            while self._change_seconds[index] <= seconds:
                self.bad[index] = not self.bad[index]
                mean = self._mean_seconds[int(self.bad[index])]
                self._change_seconds[index] += self._random[index].exponential(mean)
        return bool((before != self.bad).any())

    @property
    def next_change_seconds(self) -> float:
        """Time of the next change of any contact, s since the process began."""
        return float(self._change_seconds.min())
