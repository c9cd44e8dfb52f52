"""Signals that ask a command to end: recorded, raised, and raised again if Python drops them."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType


class Interrupted(BaseException):
    """A signal asks the command to end.

    It unwinds the stack, so that every context on it brings its instrument into a safe state.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interruption:
    """Handler of the signals that ask a command to end.

    The first signal raises Interrupted where it arrives. Python drops an exception raised inside a
    `__del__` or a weak reference's callback; the signal is therefore recorded, and `check` raises
    again unless an Interrupted is already unwinding the stack. While one is, further signals are
    ignored: nothing cuts short the way to the safe state.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._hook_before = sys.unraisablehook

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._number is None:
            self._number = number
        self.check()

    def check(self) -> None:
        """Raise Interrupted if a signal has arrived and none is unwinding the stack."""
        if self._number is not None and not _on_its_way():
            raise Interrupted(self._number)

    def listen(self) -> None:
        """Handle the signals that ask a command to end, from now on."""
        for number in _endings():
            signal.signal(number, self)
        sys.unraisablehook = self._dropped

    def stop(self) -> None:
        """Ignore the signals from now on: the command has ended."""
        for number in _endings():
            signal.signal(number, signal.SIG_IGN)
        sys.unraisablehook = self._hook_before

    def _dropped(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Report nothing when Python drops an Interrupted: `check` raises it again."""
        if not isinstance(unraisable.exc_value, Interrupted):
            self._hook_before(unraisable)


def check() -> None:
    """Raise Interrupted if a signal that asked this command to end was dropped.

    Does nothing outside the main thread, and where another handler is installed.
    """
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Interruption) and threading.current_thread() is threading.main_thread():
        handler.check()


def _on_its_way() -> bool:
    """Return whether the running code is part of unwinding the stack for an Interrupted."""
    error = sys.exception()
    while error is not None and not isinstance(error, Interrupted):
        error = error.__context__
    return error is not None


def _endings() -> list[signal.Signals]:
    endings = [signal.SIGINT, signal.SIGTERM]
    # SIGHUP: the terminal or the connection is lost. Under nohup it is to be ignored.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        endings.append(signal.SIGHUP)
    return endings
