"""Signals that ask a command to end: noted, raised, and raised again where they were lost."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType


class Interrupted(BaseException):
    """A signal asks the command to end: unwinds the stack, so that every context on it brings its
    instrument into a safe state.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interruption:
    """Handler of the signals that ask a command to end.

    The first one becomes Interrupted where it arrives. Python drops whatever is raised inside a
    `__del__` or a callback of a weak reference, so the signal is noted as well, and `check` raises
    again as long as no Interrupted is on its way up. Further signals are ignored once one is:
    nothing cuts the way to the safe state short.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._hook_before = sys.unraisablehook

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        if self._number is None:
            self._number = number
        self.check()

    def check(self) -> None:
        """Raise Interrupted where a signal has come and nothing unwinds the stack for it."""
        if self._number is not None and not _on_its_way():
            raise Interrupted(self._number)

    def listen(self) -> None:
        """Take the signals that ask a command to end, from now on."""
        for number in _endings():
            signal.signal(number, self)
        sys.unraisablehook = self._dropped

    def stop(self) -> None:
        """Ignore them from now on: the command has ended."""
        for number in _endings():
            signal.signal(number, signal.SIG_IGN)
        sys.unraisablehook = self._hook_before

    def _dropped(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Say nothing of an Interrupted that Python drops: `check` raises it again."""
        if not isinstance(unraisable.exc_value, Interrupted):
            self._hook_before(unraisable)


def check() -> None:
    """Raise Interrupted where a signal that asked this command to end was lost on its way. Does
    nothing in a thread of its own, and where somebody else handles signals.
    """
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Interruption) and threading.current_thread() is threading.main_thread():
        handler.check()


def _on_its_way() -> bool:
    """Whether what runs now is part of unwinding the stack for an Interrupted."""
    error = sys.exception()
    while error is not None and not isinstance(error, Interrupted):
        error = error.__context__
    return error is not None


def _endings() -> list[signal.Signals]:
    endings = [signal.SIGINT, signal.SIGTERM]
    # The terminal has gone, a connection lost overnight; under nohup that is to be ignored.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        endings.append(signal.SIGHUP)
    return endings
