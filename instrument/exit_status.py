"""Exit statuses of the command line."""

from __future__ import annotations

OUT_OF_SPECIFICATION, BAD_USAGE, INSTRUMENT_FAULT = 1, 2, 3


BUG = 70
"""A fault of ohmsum itself (EX_SOFTWARE of sysexits.h), which a script must not take for a missed
specification.
"""


NOT_WRITTEN = 74
"""A full disk or a read-only folder (EX_IOERR of sysexits.h): the command itself is right."""


INTERRUPTED, READER_GONE, TERMINATED = 130, 141, 143
"""128 plus the number of the signal SIGINT, SIGPIPE or SIGTERM, as a shell reports it."""
