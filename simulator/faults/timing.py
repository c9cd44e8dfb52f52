"""When faults strike: spans of the bench's clock or of the program messages, contacts that come and
go.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.faults.plan import Lasting

MAX_LISTED_STRIKES = 1000
NEVER = float("inf")


@dataclass
class Strikes:
    """When a fault struck. The first thousand times are listed; counting goes on."""

    count: int = 0
    listed: list[tuple[float, int]] = field(default_factory=list)
    """Seconds on the bench's clock and number of the program message."""

    last_operation: int = 0

    def note(self, seconds: float, operation: int) -> None:
        """Take down one more."""
        self.count += 1
        self.last_operation = operation
        if len(self.listed) < MAX_LISTED_STRIKES:
            self.listed.append((seconds, operation))


def lasts(fault: Lasting, seconds: float, operation: int) -> bool:
    """Return whether a fault is there at this time and during this program message."""
    began = seconds >= (fault.at_seconds or 0.0) and operation >= (fault.at_operation or 0)
    over = (fault.until_seconds is not None and seconds >= fault.until_seconds) or (
        fault.until_operation is not None and operation >= fault.until_operation
    )
    return began and not over


def next_edge(fault: Lasting, seconds: float) -> float:
    """Return when the clock alone next begins or ends a fault, in seconds; NEVER if it does not."""
    edges = (fault.at_seconds, fault.until_seconds)
    return min((edge for edge in edges if edge is not None and edge > seconds), default=NEVER)


class Telegraph:
    """Contacts that come and go by themselves, independently: random telegraph signals.

    Good and bad spells last exponentially distributed times of the given means (a Markov process
    of two states). All contacts are good at first. Each draws from a stream of its own, so that
    the spells are a function of time, however often one looks.
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
        """Bring the contacts to this time, in seconds since the process began; return whether any
        of them is not as it was.
        """
        before = self.bad.copy()
        for index in np.flatnonzero(self._change_seconds <= seconds):
            while self._change_seconds[index] <= seconds:
                self.bad[index] = not self.bad[index]
                mean = self._mean_seconds[int(self.bad[index])]
                self._change_seconds[index] += self._random[index].exponential(mean)
        return bool((before != self.bad).any())

    @property
    def next_change_seconds(self) -> float:
        """When the next contact changes, in seconds since the process began."""
        return float(self._change_seconds.min())
