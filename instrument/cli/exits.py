"""Ways out of a command: exit statuses, one clear line for an error, signals that end in a safe
state.
"""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

OUT_OF_SPECIFICATION, BAD_USAGE, INSTRUMENT_FAULT, INTERRUPTED = 1, 2, 3, 130
BUG = 70
"""A fault of ours (EX_SOFTWARE of sysexits.h), which a script must not take for a missed
specification.
"""
NOT_WRITTEN = 74
"""A full disk, a read-only folder (EX_IOERR of sysexits.h): nothing is wrong with the command."""


class Interrupted(BaseException):
    """A signal asks the command to end: unwinds the stack, so that every context on it brings its
    instrument into a safe state.
    """


def run_to_exit_status(app: Callable[[], Any]) -> int:
    """Run a command line application that ends by SystemExit; return its exit status.

    The first signal that asks it to end becomes Interrupted; later ones are ignored, so that
    nothing cuts the way to the safe state short.
    """
    for number in _endings():
        signal.signal(number, _interrupt_once)
    try:
        app()
    except SystemExit as leave:
        return int(leave.code or 0)
    except Interrupted as interrupted:
        _say("; ".join(["interrupted", "the outputs are off", *_notes(interrupted)]))
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the last stop: told apart below)
        status = _status_of(error)
        if status is None:
            traceback.print_exc()
            return BUG
        _say("; ".join([str(error), *_notes(error)]))
        return status
    return 0


def _notes(error: BaseException) -> list[str]:
    """Return what was added to an error on its way here."""
    return getattr(error, "__notes__", [])


def _endings() -> list[signal.Signals]:
    """Return the signals that ask a command to end."""
    endings = [signal.SIGINT, signal.SIGTERM]
    # The terminal has gone, a connection lost overnight; under nohup that is to be ignored.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        endings.append(signal.SIGHUP)
    return endings


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    for number in _endings():
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted


def _status_of(error: Exception) -> int | None:
    """Return the exit status of an error that a person can mend, None for a bug of ours."""
    # Late: most runs never need them, and --help never.
    from calibration.targets import MatrixError
    from calibration.transfer import OverloadError
    from drivers.errors import InstrumentError
    from instrument.errors import FileNotWritten, UsageError

    # The faults of wires are InstrumentErrors, what is written raises FileNotWritten: what is left
    # of OSError is of files that are read.
    if isinstance(error, UsageError | MatrixError | OSError):
        return BAD_USAGE
    if isinstance(error, FileNotWritten):
        return NOT_WRITTEN
    if isinstance(error, InstrumentError | OverloadError):
        return INSTRUMENT_FAULT
    return None


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal may have gone
        print(f"ohmsum: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201  (the way an error is told)
