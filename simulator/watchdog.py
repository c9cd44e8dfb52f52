"""The watchdog: for how long the session that armed it has been silent.

It fires in `board.py`, which opens everything.
"""

from __future__ import annotations

import time


class Watchdog:
    """A watchdog that only messages of its owner feed: the session that armed it last.

    Silence is counted in wall time.
    """

    def __init__(self) -> None:
        self.disarm()

    def disarm(self) -> None:
        """Disarm the watchdog; it then has no owner."""
        self.arm(0.0, None, heard=False)

    def arm(self, seconds: float, owner: object, *, heard: bool) -> None:
        """Arm the watchdog for `seconds` of silence of `owner`, whose message is being executed.

        0 seconds disarm it. `heard` says whether the owner's session still lives.
        """
        self.seconds = seconds
        self.owner = owner if seconds > 0 else None
        self._lives = self._is_heard = heard
        self._fed_seconds = time.monotonic()

    def belongs_to(self, session: object) -> bool:
        """Return whether this session owns the watchdog."""
        return self.owner is not None and self.owner is session

    @property
    def owner_lives(self) -> bool:
        """Whether the watchdog has an owner whose session has not ended."""
        return self.owner is not None and self._lives

    def message_came(self, session: object) -> None:
        """Note that a message has arrived: a session that waits for the board is not silent."""
        if self.belongs_to(session):
            self._is_heard = self._lives

    def message_done(self, session: object) -> None:
        """Note that a message has been executed: the interval begins anew."""
        if self.belongs_to(session) and self._lives:
            self._is_heard = False
            self._fed_seconds = time.monotonic()

    def session_ended(self, session: object) -> None:
        """Note that a session has ended: its messages feed the watchdog no more."""
        if self.belongs_to(session):
            self._lives = self._is_heard = False

    @property
    def expired(self) -> bool:
        """Whether the owner has been silent for longer than the interval."""
        if not self.seconds or self._is_heard:
            return False
        return time.monotonic() - self._fed_seconds > self.seconds
