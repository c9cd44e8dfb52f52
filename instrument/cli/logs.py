"""Log of a command: a few lines on stderr for a person, everything in a file."""

from __future__ import annotations

import logging
import os
import re
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from instrument.errors import FileNotWritten, UsageError
from instrument.printable import printable

_PACKAGES = "instrument", "drivers", "simulator", "calibration", "kirchhoff"
_SAID_ALREADY = "instrument.cli.exits"
_LINE = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.]{12} [A-Z]+ [a-z_.]+: ")
"""Beginning of every line of a log file."""
_TRACE = "drivers.link"
"""Logger of every message on the wire: for a file, not for a person."""


class _PrintableLines(logging.Formatter):
    """Formatter whose lines hold nothing that commands a terminal, whatever names they contain."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).splitlines()))


class _Stderr(logging.Handler):
    """Handler that prints on the current stderr; a stderr that has gone ends no run."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):
            print(self.format(record), file=sys.stderr, flush=True)  # noqa: T201  (a log handler)


class _File(logging.FileHandler):
    """Log file; if it can no longer be written, that is logged once and the run goes on."""

    def _open(self) -> TextIOWrapper:
        # Non-blocking: a FIFO without a reader would block the command for ever.
        file = open(  # noqa: SIM115  (open until the handler is closed)
            self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=_now
        )
        if os.name == "posix":
            os.set_blocking(file.fileno(), True)
        return file

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  (logging's)
        error = sys.exception()
        for name in _PACKAGES:
            logging.getLogger(name).removeHandler(self)
        with suppress(OSError):
            self.close()
        logging.getLogger(__name__).warning(
            "%s: is not written any more (%s)", self.baseFilename, error
        )


def _now(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def _check_log(file: Path) -> None:
    """Raise UsageError for an existing file that is no log: appending would destroy it.

    Raises FileNotWritten where it cannot be read.
    """
    if not file.is_file():
        return
    try:
        with file.open("rb") as existing:
            begin = existing.read(200)
    except OSError as error:
        raise FileNotWritten(f"{file}: cannot be read ({error.strerror})") from error
    if begin and _LINE.match(begin) is None:
        raise UsageError(f"{file}: exists and is not a log of ohmsum; name another with --log")


def start_logging(*, verbose: bool = False, file: Path | None = None) -> None:
    """Log to stderr, and append everything to `file`, if one is given.

    With `verbose`, stderr shows all but the messages on the wire. Raises FileNotWritten, which
    names the file, where it cannot be written; UsageError where it exists and is no log.
    """
    handlers: list[logging.Handler] = [_Stderr(logging.DEBUG if verbose else logging.INFO)]
    handlers[0].setFormatter(_PrintableLines("%(asctime)s %(message)s", "%H:%M:%S"))
    handlers[0].addFilter(lambda record: record.name not in (_TRACE, _SAID_ALREADY))
    if file is not None:
        _check_log(file)
        try:
            handlers.append(_File(file))
        except OSError as error:
            raise FileNotWritten(f"{file}: cannot be written ({error.strerror})") from error
        handlers[1].setFormatter(
            _PrintableLines(
                "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
            )
        )
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG if verbose or file is not None else logging.INFO)
        for old in [old for old in logger.handlers if isinstance(old, _Stderr | _File)]:
            logger.removeHandler(old)
            old.close()
        for handler in handlers:
            logger.addHandler(handler)
    if file is not None:
        from instrument.provenance import command_line, versions

        log = logging.getLogger(__name__)
        log.debug("%s", command_line())
        log.debug("%s", versions())
