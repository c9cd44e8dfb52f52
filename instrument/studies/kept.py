"""Computed chunks, kept one to a line of a file, so that a study can be continued."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from calibration.studies import Chunk, Measure, Samples, Scheduler, Study
from instrument.errors import FileNotWritten, UsageError
from instrument.files import read_bytes

FORMAT = "ohmsum study 2"
KEPT_FILE = "chunks.jsonl"
MAX_KEPT_BYTES = 2 << 30
"""Largest file that is continued, bytes: ten million instances of a study need less."""


@contextmanager
def keeping(scheduler: Scheduler, folder: Path, study: Study, seed: int) -> Iterator[Scheduler]:
    """Yield a scheduler that reads known chunks from a folder's file and appends computed ones.

    The folder is made if it does not exist. A last line that an interruption tore is computed
    again. Raises UsageError where the folder holds anything else (a run, another study, seed or
    size) or another process is at work on it; FileNotWritten where the file cannot be written.
    """
    path = folder / KEPT_FILE
    header = json.dumps(
        {"format": FORMAT, "study": study.name, "seed": seed, "chunks": digest_of(study.chunks)}
    )
    with _opened(path) as file:
        _lock(file, folder)
        kept = _read(path, file, header)

        def run(measure: Measure, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, Samples]]:
            yield from ((chunk, kept[chunk.key]) for chunk in chunks if chunk.key in kept)
            missing = [chunk for chunk in chunks if chunk.key not in kept]
            for chunk, samples in scheduler(measure, missing):
                _append(file, path, json.dumps([chunk.key, samples]))
                yield chunk, samples

        yield run


def digest_of(chunks: Sequence[Chunk]) -> str:
    """Return a digest of a study's chunks, different for each size of the study."""
    return f"{zlib.crc32(' '.join(chunk.key for chunk in chunks).encode()):08x}"


def _opened(path: Path) -> FileIO:
    """Open the file of a study for appending; its folder is made if it does not exist.

    Raises UsageError where the folder cannot be used, FileNotWritten where the file cannot be
    written.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stranger = next((path.name for path in folder.iterdir()), None)
        if stranger is not None and not path.exists():
            raise UsageError(
                f"{folder}: holds {stranger} already and no study; name a new folder with --out"
            )
        return FileIO(path, "a+")
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        reason = error.strerror or error
        raise UsageError(f"{folder}: cannot be the folder of the results ({reason})") from error
    except OSError as error:
        raise FileNotWritten(f"{path}: cannot be written ({error.strerror or error})") from error


def _lock(file: FileIO, folder: Path) -> None:
    """Lock the folder against other processes, where the system can, until the file is closed.

    Raises UsageError where another process holds the lock.
    """
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"{folder}: another ohmsum is at work there; wait for it, or name a new folder with "
            "--out"
        ) from None
    except OSError:
        return  # a file system without locks


def _append(file: FileIO, path: Path, line: str) -> None:
    left = memoryview(line.encode() + b"\n")
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise FileNotWritten(
            f"{path}: cannot be written ({error.strerror or error}); what was computed before is "
            "kept: the same command continues from there"
        ) from error


def _read(path: Path, file: FileIO, header: str) -> dict[str, Samples]:
    """Return kept chunks by key.

    An empty file gets its first line; a torn last line is cut off. Raises UsageError where the file
    is of another study, seed or size, or is damaged.
    """
    whole = read_bytes(path, MAX_KEPT_BYTES)
    whole_lines = whole[: whole.rfind(b"\n") + 1]
    lines = whole_lines.decode("utf-8", errors="replace").splitlines()
    if lines and lines[0] != header:
        raise UsageError(
            f"{path}: of another study, seed or size; choose another --out, or delete it to begin "
            "anew"
        )
    if whole != whole_lines:
        file.truncate(len(whole_lines))
    if not lines:
        _append(file, path, header)
        return {}
    try:
        return {str(key): samples for key, samples in map(json.loads, lines[1:])}
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{path}: damaged ({error}); delete it to begin anew") from error
