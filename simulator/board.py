"""The simulated test board as its sessions share it, written from docs/board-protocol.md."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from simulator.clock import Purpose
from simulator.command_set import SCAN_POINT, WATCHDOG_BIT, BoardSession
from simulator.electronics import SimulatedCrossbar
from simulator.scpi import ScpiError
from simulator.watchdog import Watchdog

INTERLOCK_BIT, MEASURING_BIT = 9, 4


class SimulatedBoard:
    """The state that all sessions of a board share, beside the electronics, and its watchdog."""

    def __init__(self, crossbar: SimulatedCrossbar, serial: str) -> None:
        self.crossbar = crossbar
        self.serial = serial
        self.turn = asyncio.Lock()
        """Held by the session whose message is executed: one message at a time, in turns."""
        self.when_powered_on: list[Callable[[], None]] = []
        """Called after every power cycle."""
        self.power_ons = 0
        self.watchdog = Watchdog()
        self.opened_by = 0
        """Error number of the last event that opened everything: 101 or 102."""
        self._measuring: BoardSession | None = None
        self._sessions: list[BoardSession] = []
        self.power_on()

    def open_session(self) -> BoardSession:
        """Begin a session; the caller closes it."""
        session = BoardSession(self)
        session.status.questionable.condition = self._questionable
        self._sessions.append(session)
        return session

    def forget(self, session: BoardSession) -> None:
        """Drop a session that has ended and whose messages have all been executed."""
        self._sessions.remove(session)

    def power_on(self) -> None:
        """Begin as after power-on: all settings are reset, the physical state stays."""
        self.power_ons += 1
        self.reset()
        self._questionable = 0
        for session in self._sessions:
            session.status.power_on()
        self.set_questionable(INTERLOCK_BIT, not self.crossbar.interlock_closed)
        clock = self.crossbar.clock
        self._on_since_seconds, self._spent_before = clock.seconds, dict(clock.spent_seconds)
        self.talked_seconds = 0.0
        for notify in self.when_powered_on:
            notify()

    def reset(self) -> None:
        """Reset every setting to its value at power-on."""
        self.crossbar.reset()
        self.scan_points = np.zeros(0, SCAN_POINT)
        self.watchdog.disarm()

    def seconds(self) -> float:
        """Return the time since power-on, s."""
        return self.crossbar.clock.seconds - self._on_since_seconds

    def spent_seconds(self, purpose: Purpose) -> float:
        """Return how much of the time since power-on, s, went into a purpose."""
        return self.crossbar.clock.spent_seconds[purpose] - self._spent_before[purpose]

    def note_talk(self, moved_bytes: int) -> None:
        """Count the wire time of a message and its response, so many bytes together."""
        link = self.crossbar.preset.host_link
        self.talked_seconds += link.message_seconds + moved_bytes / link.bytes_per_second

    def set_questionable(self, bit: int, on: bool) -> None:
        """Set or clear a questionable condition in every session."""
        self._questionable = self._questionable & ~(1 << bit) | on << bit
        for session in self._sessions:
            session.status.set_questionable(bit, on)

    def set_measuring(self, measuring: BoardSession | None) -> None:
        """Set the session that measures, None for none, in every session's status."""
        self._measuring = measuring
        for session in self._sessions:
            session.status.set_operation(MEASURING_BIT, measuring is not None)

    @property
    def watchdog_fired(self) -> bool:
        """Whether the watchdog has fired since the outputs were last switched on."""
        return bool(self._questionable >> WATCHDOG_BIT & 1)

    def watch(self) -> None:
        """Let the watchdog open everything if its owner has been silent for too long."""
        if self.watchdog.expired and self.crossbar.outputs_on:
            self._open_everything(102)
            self.set_questionable(WATCHDOG_BIT, True)
            for session in self._sessions:
                if session is not self._measuring:  # its own measurement reports the error
                    session.status.report(ScpiError(102))

    def set_interlock(self, closed: bool) -> None:
        """Close or open the interlock, as the lid of a fixture does."""
        self.crossbar.interlock_closed = closed
        self.set_questionable(INTERLOCK_BIT, not closed)
        if not closed:
            self._open_everything(101)

    def _open_everything(self, number: int) -> None:
        self.opened_by = number
        self.crossbar.open_everything()
