"""Files of the simulator: reads are bounded, writes are whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

MAX_TEXT_BYTES = 1 << 20
"""Maximum size of a preset or a fault plan, bytes; real ones have some kilobytes."""


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises OSError, also for a path that is no regular file or larger than MAX_TEXT_BYTES, and
    UnicodeDecodeError.
    """
    # Without waiting: opening a FIFO without a writer would block for ever.
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a file")
        data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise OSError(f"larger than {MAX_TEXT_BYTES:,} bytes")
    return data.decode("utf-8-sig")  # an editor may put a byte order mark in front


def write_whole(path: Path, data: bytes) -> None:
    """Write a file as a part beside it, and rename the part once all of it is on the disk.

    Raises OSError that holds the file's name; a file that was there before is then unchanged.
    """
    # Renaming would replace a device by a file for all programs: root may replace /dev/null.
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is there, and is no file", str(path))
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
