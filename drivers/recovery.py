"""Recovery of exchanges: which faults end nothing, what is done before an exchange is repeated.

The one place that decides it (docs/decisions/0027-faults-of-the-wire-end-no-run.md).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal, TypeVar

from drivers.errors import (
    BoardTakenOver,
    CommandRefused,
    InstrumentError,
    LinkGarbled,
    LinkLost,
    LinkTimeout,
    PowerCycled,
    SettingDiffers,
    WatchdogExpired,
)
from drivers.link import Link

Kind = Literal["timeout", "lost", "garbled", "power_on", "watchdog"]
Answer = TypeVar("Answer")

_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.02, 2.0
_LOOK_SECONDS = 0.1
"""Time between two looks, during a pause, at whether everything shall end."""
_COMMAND_ERRORS = range(-199, -99)
_PATTERN_CRC_MISMATCH = 103
_KINDS: tuple[tuple[type[InstrumentError], Kind], ...] = (
    (LinkTimeout, "timeout"),
    (LinkLost, "lost"),
    (LinkGarbled, "garbled"),
    (SettingDiffers, "garbled"),
    (PowerCycled, "power_on"),
    (WatchdogExpired, "watchdog"),
)
_DONE = {
    "power_on": "its settings and its pattern are set again, and it is asked again",
    "watchdog": "its pattern is set again, and it is asked again",
}
_log = logging.getLogger(__name__)


def kind_of(error: InstrumentError) -> Kind | None:
    """Return the kind of a fault after which an exchange may be repeated; None for other errors.

    A message that the driver wrote and the board does not understand, a pattern with another CRC
    and a setting with another value were damaged on the wire.
    """
    if isinstance(error, CommandRefused):
        damaged = error.number in _COMMAND_ERRORS or error.number == _PATTERN_CRC_MISMATCH
        return "garbled" if damaged else None
    return next((kind for family, kind in _KINDS if isinstance(error, family)), None)


class Recovery:
    """Carries out exchanges; after a fault it regains the board and repeats the exchange.

    `counts` has the number of recoveries of each kind. `regain` brings the board back to where the
    exchange found it, as far as it can tell what that is; it returns the kind of what it found to
    have happened, None where it found nothing, and raises what stands in its way.
    """

    def __init__(
        self,
        link: Link,
        regain: Callable[[], Kind | None],
        *,
        retries: int,
        reconnect_seconds: float,
        held_seconds: float = 0.0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """Repeat an exchange up to `retries` times.

        The board is sought for `reconnect_seconds` after each fault. A session of this host that
        has ended may hold the board for `held_seconds` in the board's eyes; only then is it another
        host's. `seconds` is the clock of these limits.
        """
        self.retries = retries
        self.counts: Counter[Kind] = Counter()
        self._link = link
        self._regain = regain
        self._reconnect_seconds = reconnect_seconds
        self._held_seconds = held_seconds
        self._seconds = seconds
        self._stopped = threading.Event()

    def run(self, command: str, exchange: Callable[[Kind | None], Answer]) -> Answer:
        """Return the answer of `exchange`, which is one exchange, repeated where it may be.

        It is called with None first, and then with the kind of the fault that came before. Other
        threads wait for the link until it is done. Raises what ended the last try.
        """
        with self._link.lock:
            before: InstrumentError | None = None
            kind: Kind | None = None
            for left in range(self.retries, -1, -1):
                try:
                    return exchange(kind)
                except InstrumentError as error:
                    if not left or not self._may_repeat(error, before):
                        raise
                    before = error
                kind = self._recovered(command, before)
            raise AssertionError("the last try returns or raises")

    def stop(self) -> None:
        """Let no recovery go on, whichever thread it is in: the board is left."""
        self._stopped.set()

    def _may_repeat(self, error: InstrumentError, before: InstrumentError | None) -> bool:
        if kind_of(error) is None or self._link.closed or self._stopped.is_set():
            return False
        # What the board says twice in the same words was not damaged on the wire.
        meant = isinstance(error, CommandRefused | SettingDiffers)
        return not (meant and before is not None and error.text == before.text)

    def _recovered(self, command: str, fault: InstrumentError) -> Kind:
        """Regain the board; return the kind of the fault, and count and log it."""
        began, pause = self._seconds(), _FIRST_PAUSE_SECONDS
        while True:
            self._link.check()
            try:
                found = self._regain()
                break
            except InstrumentError as error:
                if not self._may_try_again(error, self._seconds() + pause - began):
                    raise
            self._pause(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)
        kind = found or kind_of(fault)
        assert kind is not None
        self.counts[kind] += 1
        _log.warning(
            "%s; %s at %s: after %.2f s %s",
            fault,
            kind,
            command,
            self._seconds() - began,
            _DONE.get(kind, "it is asked again"),
        )
        return kind

    def _may_try_again(self, error: InstrumentError, passed_seconds: float) -> bool:
        if self._link.closed or self._stopped.is_set():
            return False
        if isinstance(error, BoardTakenOver):
            return passed_seconds <= self._held_seconds
        return kind_of(error) is not None and passed_seconds <= self._reconnect_seconds

    def _pause(self, seconds: float) -> None:
        deadline = self._seconds() + seconds
        while (left := deadline - self._seconds()) > 0:
            self._link.check()
            if self._stopped.wait(min(left, _LOOK_SECONDS)):
                return
