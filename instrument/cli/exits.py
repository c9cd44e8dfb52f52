"""Ways out of a command: exit statuses, one clear line for an error, signals that end in a safe
state.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

OUT_OF_SPECIFICATION, BAD_USAGE, INSTRUMENT_FAULT, INTERRUPTED = 1, 2, 3, 130


class Interrupted(BaseException):
    """SIGINT or SIGTERM: unwinds the stack, so that every context on it brings its instrument into
    a safe state.
    """


def run_to_exit_status(app: Callable[[], Any]) -> int:
    """Run a command line application that ends by SystemExit; return its exit status.

    The first SIGINT or SIGTERM becomes Interrupted; later ones are ignored, so that nothing cuts
    the way to the safe state short.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt_once)
    try:
        app()
    except SystemExit as leave:
        return int(leave.code or 0)
    except Interrupted:
        _say("interrupted; the outputs are off")
        return INTERRUPTED
    except Exception as error:
        status = _status_of(error)
        if status is None:
            raise
        _say(str(error))
        return status
    return 0


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted


def _status_of(error: Exception) -> int | None:
    """Return the exit status of an error that a person can mend, None for a bug of ours."""
    # Late: most runs never need them, and --help never.
    from drivers.errors import InstrumentError

    from calibration.targets import MatrixError
    from calibration.transfer import OverloadError
    from instrument.errors import UsageError

    if isinstance(error, UsageError | MatrixError):
        return BAD_USAGE
    if isinstance(error, InstrumentError | OverloadError):
        return INSTRUMENT_FAULT
    return None


def _say(line: str) -> None:
    print(f"ohmsum: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201  (the way an error is told)
