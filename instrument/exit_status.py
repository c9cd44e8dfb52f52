"""Exit statuses of the command line."""

from __future__ import annotations

OUT_OF_SPECIFICATION, BAD_USAGE, INSTRUMENT_FAULT = 1, 2, 3


BUG = 70
"""A fault of ours (EX_SOFTWARE of sysexits.h), which a script must not take for a missed
specification.
"""


NOT_WRITTEN = 74
"""A full disk, a read-only folder (EX_IOERR of sysexits.h): nothing is wrong with the command."""


INTERRUPTED, READER_GONE, TERMINATED = 130, 141, 143
"""As a shell says it of SIGINT, SIGPIPE and SIGTERM."""
