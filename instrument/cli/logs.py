"""Where a command's log goes: to stderr what a person may want to know, all of it to a file."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

from instrument.errors import FileNotWritten
from instrument.printable import printable

_PACKAGES = "instrument", "drivers", "simulator", "calibration", "kirchhoff"
_SAID_ALREADY = "instrument.cli.exits"
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

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  (logging's)
        error = sys.exception()
        for name in _PACKAGES:
            logging.getLogger(name).removeHandler(self)
        with suppress(OSError):
            self.close()
        logging.getLogger(__name__).warning(
            "%s: is not written any more (%s)", self.baseFilename, error
        )


def start_logging(*, verbose: bool = False, file: Path | None = None) -> None:
    """Log to stderr, with `verbose` all but the messages on the wire, and everything to `file`, if
    one is given: behind what it holds.

    Raises FileNotWritten that names the file.
    """
    handlers: list[logging.Handler] = [_Stderr(logging.DEBUG if verbose else logging.INFO)]
    handlers[0].setFormatter(_PrintableLines("%(asctime)s %(message)s", "%H:%M:%S"))
    handlers[0].addFilter(lambda record: record.name not in (_TRACE, _SAID_ALREADY))
    if file is not None:
        try:
            handlers.append(_File(file, encoding="utf-8", errors="backslashreplace"))
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
