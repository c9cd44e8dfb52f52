"""Where a command's log goes: to stderr what a person may want to know, all of it to a file."""

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
"""How the lines of a log file begin."""
_TRACE = "drivers.link"
"""Logs every message on the wire: for a file, not for a person's eyes."""


class _PrintableLines(logging.Formatter):
    """Nothing that a file, a board or a person called something commands a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).splitlines()))


class _Stderr(logging.Handler):
    """Prints on stderr, whatever that is by then; one that has gone ends no run."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):
            print(self.format(record), file=sys.stderr, flush=True)  # noqa: T201  (the way it is told)


class _File(logging.FileHandler):
    """A log file; where it cannot be written any more, that is said once and the run goes on."""

    def _open(self) -> TextIOWrapper:
        # Without waiting: a FIFO that nobody reads would keep the command for ever.
        file = open(  # noqa: SIM115  (open as long as the handler is)
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
    """Refuse to write behind a file that is no log: a matrix would be no matrix any more."""
    if not file.is_file():
        return
    try:
        with file.open("rb") as there:
            begin = there.read(200)
    except OSError as error:
        raise FileNotWritten(f"{file}: cannot be read ({error.strerror})") from error
    if begin and _LINE.match(begin) is None:
        raise UsageError(f"{file}: exists and is not a log of ohmsum; name another with --log")


def start_logging(*, verbose: bool = False, file: Path | None = None) -> None:
    """Log to stderr, with `verbose` all but the messages on the wire, and everything to `file`, if
    one is given: behind what it holds.

    Raises FileNotWritten that names the file, UsageError where it is something else than a log.
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
