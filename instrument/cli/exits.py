"""Ways out of a command: exit statuses, one clear line for an error, signals that end in a safe
state, streams that were closed or whose reader has gone.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from instrument.exit_status import (
    BAD_USAGE,
    BUG,
    INSTRUMENT_FAULT,
    INTERRUPTED,
    NOT_WRITTEN,
    READER_GONE,
    TERMINATED,
)
from instrument.interruption import Interrupted, Interruption
from instrument.printable import printable

_DEVICE_FULL = errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO


def run_to_exit_status(app: Callable[[], Any]) -> int:
    """Run a command line application that ends by SystemExit; return its exit status."""
    interruption = Interruption()
    interruption.listen()
    try:
        _open_standard_streams()
        return _flushed(_status(app))
    except Interrupted as late:
        # It came when all was done, but before it was said.
        return _told(late)
    finally:
        interruption.stop()


def _status(app: Callable[[], Any]) -> int:
    try:
        app()
    except SystemExit as leave:
        # The libraries that print say 1 where the reader of a pipe has gone: that is no verdict.
        gone = isinstance(leave.__context__, BrokenPipeError)
        return READER_GONE if gone else int(leave.code or 0)
    except BrokenPipeError:
        return READER_GONE
    except (Interrupted, Exception) as error:  # noqa: BLE001  (the last stop: told apart there)
        return _told(error)
    return 0


def _told(error: BaseException) -> int:
    """Say what ended the command in one line; return its exit status."""
    notes: list[str] = getattr(error, "__notes__", [])
    if isinstance(error, Interrupted):
        terminated = error.number == signal.SIGTERM
        _say("; ".join(["terminated" if terminated else "interrupted", *notes]))
        return TERMINATED if terminated else INTERRUPTED
    status = _status_of(error)
    if status is None:
        import traceback

        for line in "".join(traceback.format_exception(error)).splitlines():
            _print(printable(line))
        return BUG
    _say("; ".join([_in_words(error), *notes]))
    return status


def _in_words(error: BaseException) -> str:
    """Return an error's message; an OSError's own begins with a number."""
    if isinstance(error, OSError):
        # What is printed has no name; every file that is written has one.
        unnamed = "stdout" if error.errno in _DEVICE_FULL else "a file"
        return f"{error.filename or unnamed}: {error.strerror or error}"
    return str(error)


def _status_of(error: BaseException) -> int | None:
    """Return the exit status of an error that a person can mend, None for a bug of ours."""
    from instrument.errors import FileNotWritten, UsageError

    # The faults of wires are InstrumentErrors, what is written raises FileNotWritten: what is left
    # of OSError is of files that are read, and of what is printed.
    if isinstance(error, FileNotWritten) or getattr(error, "errno", None) in _DEVICE_FULL:
        return NOT_WRITTEN
    if isinstance(error, UsageError | OSError):
        return BAD_USAGE
    # Late: most runs never need them, and --help never.
    from calibration.errors import GainError, MatrixError, OverloadError
    from drivers import InstrumentError

    if isinstance(error, MatrixError):
        return BAD_USAGE
    if isinstance(error, InstrumentError | OverloadError | GainError):
        return INSTRUMENT_FAULT
    return None


def _open_standard_streams() -> None:
    """Make sure that the three standard streams are there, and take every character.

    Where one was closed (2>&-), the next file or socket would get its number, and what is printed
    would go there; Python prints to stdout what it cannot print to stderr.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    # Open as long as the process is.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without our characters gets a question mark, not an error after the whole run.
        sys.stdout.reconfigure(errors="replace")


def _flushed(status: int) -> int:
    """Write what stdout still holds; return the exit status that is then right."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try again at its own end, and fail with a message of its own.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return READER_GONE
        _say(f"stdout: cannot be written ({error.strerror or error})")
        return NOT_WRITTEN
    return status


def _say(line: str) -> None:
    line = " ".join(line.split())
    import logging  # late: --help has nothing to log

    logging.getLogger(__name__).debug("%s", line)
    _print(f"ohmsum: {printable(line)}")


def _print(line: str) -> None:
    with suppress(OSError):  # the terminal may have gone
        print(line, file=sys.stderr)  # noqa: T201  (the way an error is told)
