"""Safe reading of files that anybody may have written."""

from __future__ import annotations

import hashlib
import io
import lzma
import math
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
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from instrument.errors import UsageError

# Errors that numpy, zipfile and json raise for torn, foreign and hostile files.
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
_NPY_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@contextmanager
def as_usage_error(path: Path, complaint: str) -> Iterator[None]:
    """Turn any error that a file's content causes inside this context into a UsageError.

    The message is "`path`: `complaint` (the cause)".
    """
    try:
        with warnings.catch_warnings():
            # numpy warns of empty and of very old files; their content is checked later.
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except _UNREADABLE as error:
        raise UsageError(f"{path}: {complaint} ({_cause(error)})") from error


def read_bytes(path: Path, max_bytes: int, *, pipes: bool = False) -> bytes:
    """Return the whole content of a file of at most `max_bytes`.

    With `pipes`, a FIFO or another pipe is read to its end as well; otherwise only a regular file
    is. Nothing beyond the limit is read, so that an endless file is refused at once. Raises
    UsageError, which names the file, where it is missing, no regular file or too large.
    """
    try:
        # Non-blocking: a FIFO without a writer would block the command for ever.
        with open(path, "rb", opener=None if pipes else _without_waiting) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISREG(mode) or (pipes and not stat.S_ISCHR(mode))):
                raise UsageError(f"{path}: is {_kind(mode)}, not a file")
            pieces: list[bytes] = []
            while piece := file.read(_PIECE_BYTES):
                pieces.append(piece)
                if sum(map(len, pieces)) > max_bytes:
                    raise UsageError(
                        f"{path}: larger than {max_bytes:,} bytes, the maximum for such a file"
                    )
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    return b"".join(pieces)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _kind(mode: int) -> str:
    """Describe a file mode that is not a regular file's."""
    kinds = (
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for is_kind, name in kinds if is_kind(mode)), "something else")


def array_of(data: bytes) -> NDArray[Any]:
    """Return the array of a .npy file.

    The header is trusted only as far as it agrees with the bytes that follow it. Raises errors that
    `as_usage_error` turns into one.
    """
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    if version not in _NPY_HEADERS:
        raise ValueError(f"of version {version[0]}.{version[1]} of the .npy format")
    shape, _, dtype = _NPY_HEADERS[version](stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    follow = len(data) - stream.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != follow:
        raise ValueError(f"its header claims {shape} of {dtype}, but {follow:,} bytes follow")
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))


def arrays_of(data: bytes, max_bytes: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npz file by name.

    The sizes that the members claim are checked first: together they unpack to at most `max_bytes`.
    Raises errors that `as_usage_error` turns into one.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ValueError("not even a .npz file")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        claimed = sum(member.file_size for member in members)
        if claimed > max_bytes:
            raise ValueError(f"unpacks to {claimed:,} bytes, of at most {max_bytes:,}")
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise ValueError("two of its arrays have the same name")
        return {
            name: array_of(archive.read(member))
            for name, member in zip(names, members, strict=True)
        }


def text_in(path: Path, name: str, max_bytes: int) -> str:
    """Return one text of a .npz file, of at most `max_bytes`, without reading the other arrays.

    Raises errors that `as_usage_error` turns into one.
    """
    with (
        open(path, "rb", opener=_without_waiting) as file,
        zipfile.ZipFile(file) as archive,
        archive.open(f"{name}.npy") as member,
    ):
        data = member.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"{name} is larger than {max_bytes:,} bytes")
    return str(array_of(data))


def sha256_of(path: Path) -> str | None:
    """Return the SHA-256 of a file; None of a pipe, which gives its bytes only once.

    Raises UsageError where the file cannot be read.
    """
    if not path.is_file():
        return None
    with as_usage_error(path, "cannot be read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cause(error: Exception) -> str:
    """Return the cause of an error, without numpy's advice to programmers."""
    if isinstance(error, KeyError):
        # A KeyError, of a .npz or of JSON, quotes its text.
        missing = str(error.args[0]).removesuffix(" is not a file in the archive")
        return f"nothing in it is called {missing}"
    text = str(error) or type(error).__name__
    if "allow_pickle" in text:
        return "it holds Python objects, or is not of its ending's kind at all"
    return text.split("; use `usecols`")[0]
