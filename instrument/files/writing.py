"""Writing of files: complete under their final name, or not at all.

Every file of ohmsum is written by `write_whole`. A full disk, a power failure or a kill leaves
either the former content or all of the new, never a part of it.
"""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from instrument.errors import FileNotWritten, UsageError


def write_whole(path: Path, writer: Callable[[BinaryIO], object]) -> None:
    """Write a file: `writer` fills a part file, which gets the final name once it is on the disk.

    Raises FileNotWritten, which names the file, where the disk is full, the folder is read-only or
    missing, or the name belongs to something that is no file. The former content then remains, and
    the part file is removed.
    """
    try:
        # The file would replace a device under its name: root may even replace /dev/null.
        if path.exists() and not path.is_file():
            raise OSError("it is there, and is no file")
        # The part file's name is random: two processes that write the same file never mix.
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                writer(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise FileNotWritten(f"{path}: cannot be written ({error.strerror or error})") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes as a whole file.

    Raises FileNotWritten where that fails.
    """
    write_whole(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Write text as a whole file: UTF-8, line ends unchanged.

    Raises FileNotWritten where that fails.
    """
    write_bytes(path, _encoded(text))


def write_new(path: Path, data: bytes | str) -> None:
    """Write bytes, or text as UTF-8, as a whole file under a name that nothing has yet.

    Raises UsageError, which names the file, where the name is taken; FileNotWritten where writing
    fails: nothing has the name then.
    """
    require_new(path)
    try:
        # Whoever creates the name owns it: of two commands that begin at once one is refused.
        path.open("xb").close()
    except FileExistsError:
        require_new(path)
    except OSError as error:
        raise FileNotWritten(f"{path}: cannot be written ({error.strerror or error})") from error
    try:
        write_bytes(path, _encoded(data) if isinstance(data, str) else data)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def require_new(path: Path) -> None:
    """Raise UsageError, which names the path, where something is there already."""
    if os.path.lexists(path):
        raise UsageError(f"{path}: is there already, and is not replaced: name another one")


def _encoded(text: str) -> bytes:
    # A file's name may hold bytes that are no text: they are escaped, and end no run.
    return text.encode("utf-8", errors="backslashreplace")


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document as a whole JSON file.

    Raises FileNotWritten where that fails.
    """
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write named arrays as a whole .npz file.

    Raises FileNotWritten where that fails.
    """
    import numpy as np  # late: writing a text needs no numpy

    # Packed in memory first, so that a full disk fails one write and not the archive half-way.
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    write_bytes(path, packed.getvalue())


def _sync_folder(folder: Path) -> None:
    """Flush the new name to the disk, on systems where a folder can be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
