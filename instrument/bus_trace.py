"""Trace of the bus: every message to and from the board as it was, a line of JSON for each.

A line is `{"seconds", "direction", "text", "blocks"}`: Unix time, `sent` or `received`, the message
with `<0>`, `<1>`, … where its definite-length blocks stood (IEEE 488.2, 7.7.6), and of each block
its number of bytes and its CRC-32; on demand its bytes in base64 as well.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TextIO

from drivers import Trace
from instrument.errors import FileNotWritten, UsageError

_BLOCK = re.compile(rb"#([1-9])")
_log = logging.getLogger(__name__)


@contextmanager
def tracing(path: Path | None, *, whole_blocks: bool = False) -> Iterator[Trace | None]:
    """Yield a function that appends messages to a new file; None without a path.

    A file that can no longer be written is said once, and ends no run.

    Raises UsageError where the file exists, FileNotWritten where it cannot be made.
    """
    if path is None:
        yield None
        return
    try:
        file = path.open("x", encoding="ascii", buffering=1)
    except FileExistsError:
        raise UsageError(f"{path}: exists already; name a new file with --trace") from None
    except OSError as error:
        raise FileNotWritten(f"{path}: cannot be written ({error.strerror or error})") from error
    writable: list[TextIO] = [file]

    def trace(direction: Literal["sent", "received"], _monotonic: float, data: bytes) -> None:
        line = {"seconds": round(time.time(), 6), "direction": direction}
        _write(writable, path, line | described(data, whole_blocks=whole_blocks))

    try:
        yield trace
    finally:
        with suppress(OSError):  # what could not be written has been said
            file.close()


def described(message: bytes, *, whole_blocks: bool = False) -> dict[str, Any]:
    """Return a message as text and blocks; bytes that are no ASCII are escaped as in Python."""
    text: list[bytes] = []
    blocks: list[dict[str, Any]] = []
    start = 0
    while (found := _block_at(message, start)) is not None:
        begin, first, end = found
        text += [message[start:begin], b"<%d>" % len(blocks)]
        block = message[first:end]
        blocks.append({"bytes": len(block), "crc32": f"{zlib.crc32(block):08x}"})
        if whole_blocks:
            blocks[-1]["base64"] = base64.b64encode(block).decode()
        start = end
    text.append(message[start:])
    return {"text": b"".join(text).decode("ascii", "backslashreplace"), "blocks": blocks}


def _block_at(message: bytes, start: int) -> tuple[int, int, int] | None:
    """Return where the next whole block begins, where its bytes begin, and where they end."""
    for mark in _BLOCK.finditer(message, start):
        first = mark.end() + int(mark[1])
        digits = message[mark.end() : first]
        if len(digits) == int(mark[1]) and digits.isdigit() and first + int(digits) <= len(message):
            return mark.start(), first, first + int(digits)
    return None


def _write(writable: list[TextIO], path: Path, line: dict[str, Any]) -> None:
    if not writable:
        return
    try:
        writable[0].write(json.dumps(line) + "\n")
    except OSError as error:
        writable.clear()
        _log.warning("%s: is not written any more (%s)", path, error.strerror or error)
