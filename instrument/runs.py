"""Run folders: each run has one of its own, with an id that all of its files carry.

A run claims its folder as its first act, before heavy libraries are loaded: whatever ends it later,
the folder says what was asked for, and the run can be gone on with.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from instrument.errors import FileNotWritten, UsageError
from instrument.provenance import command_line, host_name, versions
from instrument.run_files import GIVEN, GIVEN_PREFIX, JOURNAL_FILE, RESULTS

CLAIM_FILE = "run.json"
"""The first file of a run; whoever creates it owns the folder."""
MAX_NAMED = 3
"""Things that a message names; the others are counted."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Made by `claim_folder`."""

    path: Path
    id: str
    """Id of the run: the UTC time of its start, and a random number."""
    started: datetime
    """Start of the run, with the host's time zone."""
    command: str
    host: str
    versions: Mapping[str, str | None]
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Options of the command, and the working folder that its paths start from."""

    def keep(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Write arrays to a .npz file of the run, with the run's id as `run`.

        Raises FileNotWritten where that fails.
        """
        from instrument.files import write_arrays  # late: it loads numpy

        write_arrays(self.path / name, {"run": self.id, **arrays})

    def about(self) -> dict[str, Any]:
        """Return the facts of the run that are known from its start."""
        return {
            "id": self.id,
            "folder": str(self.path),
            "started": iso(self.started),
            "command": self.command,
            "host": self.host,
            "versions": dict(self.versions),
            "asked": dict(self.asked),
        }

    def kept(self) -> list[str]:
        """Return the names of the files of what was measured so far."""
        return sorted(path.name for path in self.path.iterdir() if not _is_given(path.name))

    def moved_to(self, path: Path) -> RunFolder:
        """Return the folder of the same run at another place."""
        return replace(self, path=path)

    @contextmanager
    def noting_errors(self) -> Iterator[None]:
        """Note on an error that ends the run what was kept, and how to go on."""
        try:
            yield
        except BaseException as error:
            if kept := self.kept():
                note = f"what was measured so far is in {self.path} ({named(kept)})"
                if JOURNAL_FILE in kept:
                    command = shlex.join(["ohmsum", "resume", str(self.path)])
                    note += f"; `{command}` goes on"
                error.add_note(note)
            raise


def _is_given(name: str) -> bool:
    """Return whether a file is there before anything is measured."""
    return name in (CLAIM_FILE, *GIVEN) or name.startswith(GIVEN_PREFIX)


@contextmanager
def claim_folder(
    out: Path | None, name: str, asked: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[RunFolder]:
    """Claim a folder for a run: `out`, new or empty, or a new one in ohmsum-results.

    The name of a new folder is the UTC time and `name`. A folder that holds nothing but the claim
    in the end is removed. An error that ends the run later gets a note that says where the rest is.
    `asked` are the command's options, as JSON holds them.

    Raises UsageError where the folder is in use, FileNotWritten where it cannot be made.
    """
    started = datetime.now().astimezone()
    stamp = f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    path, made = _new_folder(f"{stamp}-{name}") if out is None else (out, _asked_folder(out))
    folder = RunFolder(
        path=path,
        id=f"{stamp}-{secrets.token_hex(4)}",
        started=started,
        command=command_line(),
        host=host_name(),
        versions=versions(),
        asked={**asked, "directory": os.getcwd()} if asked else {},
    )
    claim = path / CLAIM_FILE
    try:
        _create(claim, folder.about())
        try:
            with folder.noting_errors():
                yield folder
        except BaseException:
            if not folder.kept():
                for file in path.iterdir():
                    file.unlink()
            raise
    except BaseException:
        # Only empty folders are removed.
        with suppress(OSError):
            for new_folder in made:
                new_folder.rmdir()
        raise


def named(names: Sequence[str]) -> str:
    """Return names with commas between them; the last ones are counted where there are many."""
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def iso(moment: datetime) -> str:
    """Return a moment as ISO 8601, to the second, with its offset from UTC."""
    return moment.isoformat(timespec="seconds")


def _new_folder(name: str) -> tuple[Path, list[Path]]:
    """Make a folder that no other run has; return it, and all folders that were made."""
    for number in count(1):
        folder = RESULTS / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            return folder, _make(folder)
    raise AssertionError("count() has no end")


def _asked_folder(folder: Path) -> list[Path]:
    """Make the requested folder if it does not exist; return all folders that were made."""
    try:
        return _make(folder)
    except FileExistsError:
        pass
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; name another one with --out")
    try:
        used = next(folder.iterdir(), None)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({error.strerror or error})") from error
    if used is not None:
        raise UsageError(f"{folder}: holds {used.name} already, and {_OWN_FOLDER}")
    return []


_OWN_FOLDER = "each run has a folder of its own: name a new one with --out"
_NO_PLACE = errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EINVAL
"""Error numbers of an unusable folder name, rather than of the disk."""


def _make(folder: Path) -> list[Path]:
    """Make a new folder and its parents; return those that were made, the folder first.

    Raises FileExistsError where the folder exists.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise
    except OSError as error:
        message = f"{folder}: the folder of the results cannot be made ({error.strerror or error})"
        raise (UsageError if error.errno in _NO_PLACE else FileNotWritten)(message) from error
    return missing


def _create(claim: Path, about: Mapping[str, Any]) -> None:
    """Create the claim. Of two runs that begin at once, one creates it and the other is refused.

    Raises UsageError where it exists, FileNotWritten where it cannot be written.
    """
    text = json.dumps(about, indent=2, allow_nan=False) + "\n"
    try:
        descriptor = os.open(claim, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with open(descriptor, "wb") as file:
            file.write(text.encode("utf-8", errors="backslashreplace"))
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise UsageError(f"{claim.parent}: another run begins there, and {_OWN_FOLDER}") from None
    except OSError as error:
        claim.unlink(missing_ok=True)
        raise FileNotWritten(
            f"{claim}: cannot be written ({error.strerror or error}); nothing was measured"
        ) from error
