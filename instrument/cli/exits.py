"""Ways out of a command: exit statuses, one line for an error, signals, closed streams.

Whatever ends a command, the bench is left in a safe state and the exit status says how it ended.
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
        # The signal arrived when all was done, but before the status was returned.
        return _report(late)
    finally:
        interruption.stop()


def _status(app: Callable[[], Any]) -> int:
    try:
        app()
    except SystemExit as leave:
        # Libraries that print exit with 1 if the reader of a pipe has gone: that is no verdict.
        gone = isinstance(leave.__context__, BrokenPipeError)
        return READER_GONE if gone else int(leave.code or 0)
    except BrokenPipeError:
        return READER_GONE
    except (Interrupted, Exception) as error:  # noqa: BLE001  (the last handler; _report distinguishes them)
        return _report(error)
    return 0


def _report(error: BaseException) -> int:
    """Print what ended the command in one line; return its exit status."""
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
    """Return an error's message; that of an OSError would begin with a number."""
    if isinstance(error, OSError):
        # Only stdout has no file name; every file that is written has one.
        unnamed = "stdout" if error.errno in _DEVICE_FULL else "a file"
        return f"{error.filename or unnamed}: {error.strerror or error}"
    return str(error)


def _status_of(error: BaseException) -> int | None:
    """Return the exit status of an error that a person can mend, None for a bug of ours."""
    from instrument.errors import FileNotWritten, UsageError

    # Faults of a link are InstrumentErrors, and failed writes FileNotWritten. Any other OSError is
    # of a file that is read, or of stdout.
    if isinstance(error, FileNotWritten) or getattr(error, "errno", None) in _DEVICE_FULL:
        return NOT_WRITTEN
    if isinstance(error, UsageError | OSError):
        return BAD_USAGE
    # Imported late: most runs never need them, and --help never does.
    from calibration.errors import GainError, MatrixError, OverloadError
    from drivers import InstrumentError

    if isinstance(error, MatrixError):
        return BAD_USAGE
    if isinstance(error, InstrumentError | OverloadError | GainError):
        return INSTRUMENT_FAULT
    return None


def _open_standard_streams() -> None:
    """Make sure that the three standard streams exist and accept every character.

    If one was closed (2>&-), the next file or socket would get its number and receive what is
    printed. Python would print to stdout what it cannot print to stderr.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    # Open until the process ends.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks a character gets a question mark, not an error after the run.
        sys.stdout.reconfigure(errors="replace")


def _flushed(status: int) -> int:
    """Flush stdout; return the exit status that is right afterwards."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would flush again when it ends, and fail with a message of its own.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return READER_GONE
        _say(f"stdout: cannot be written ({error.strerror or error})")
        return NOT_WRITTEN
    return status


def _say(line: str) -> None:
    line = " ".join(line.split())
    import logging  # late: --help logs nothing

    logging.getLogger(__name__).debug("%s", line)
    _print(f"ohmsum: {printable(line)}")


def _print(line: str) -> None:
    with suppress(OSError):  # the terminal may have gone
        print(line, file=sys.stderr)  # noqa: T201  (errors go to stderr)
