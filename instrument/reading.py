"""Reading files that anybody may have written."""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from instrument.errors import UsageError

# All that numpy, zipfile and json were seen to raise for torn, foreign and hostile files.
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)

_PIECE_BYTES = 1 << 20


@contextmanager
def reading(path: Path, complaint: str) -> Iterator[None]:
    """Read a file of arrays inside this context: what its bytes may cause becomes a UsageError,
    "`path`: `complaint` (the cause)".
    """
    try:
        with warnings.catch_warnings():
            # numpy warns of empty and of very old files; what they hold is judged later.
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except _UNREADABLE as error:
        raise UsageError(f"{path}: {complaint} ({_cause(error)})") from error


def read_bytes(path: Path, max_bytes: int, *, pipes: bool = False) -> bytes:
    """Return all that a file holds, of which there may be `max_bytes`.

    With `pipes`, a FIFO or another pipe is read to its end as well; else only a regular file is.
    Raises UsageError that names the file: none, no file to read, larger than that. Nothing beyond
    the limit is read, so that a file without an end is refused as soon as any other.
    """
    try:
        # Without waiting: a FIFO that nobody writes to would keep the command for ever.
        with open(path, "rb", opener=None if pipes else _without_waiting) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISREG(mode) or (pipes and not stat.S_ISCHR(mode))):
                raise UsageError(f"{path}: is {_kind(mode)}, not a file")
            pieces: list[bytes] = []
            while piece := file.read(_PIECE_BYTES):
                pieces.append(piece)
                if sum(map(len, pieces)) > max_bytes:
                    raise UsageError(
                        f"{path}: larger than {max_bytes:,} bytes, the most of its kind"
                    )
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    return b"".join(pieces)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _kind(mode: int) -> str:
    """Return what is not a file, in words."""
    kinds = (
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for is_kind, name in kinds if is_kind(mode)), "something else")


def sha256_of(path: Path) -> str | None:
    """Return the SHA-256 of a file; None of a pipe, which gives its bytes only once.

    Raises UsageError.
    """
    if not path.is_file():
        return None
    with reading(path, "cannot be read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cause(error: Exception) -> str:
    """Return what went wrong, without numpy's advice to programmers."""
    if isinstance(error, KeyError):
        # Its text is quoted: of a .npz, or of JSON.
        missing = str(error.args[0]).removesuffix(" is not a file in the archive")
        return f"nothing in it is called {missing}"
    text = str(error) or type(error).__name__
    if "allow_pickle" in text:
        return "it holds Python objects, or is not of its ending's kind at all"
    return text.split("; use `usecols`")[0]
