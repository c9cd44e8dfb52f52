"""The journal's file: SQLite, one row for each exchange, on the disk before its answer is used.

Rows are only added. Each has a checksum over itself and the row before it, so that a byte that
changes, and a row that is missing, are noticed. The process that writes holds the file for itself.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from instrument.errors import FileNotWritten, UsageError

APPLICATION_ID = 0x6F686D73
"""`ohms`: the mark by which SQLite files of ohmsum are told from others."""
SCHEMA_VERSION = 1
READINGS = "column_currents", "scan"
"""Kinds of exchanges that measure."""
_SCHEMA = """
CREATE TABLE session (
    number INTEGER PRIMARY KEY,
    began TEXT NOT NULL,
    about TEXT NOT NULL,
    ended TEXT,
    outcome TEXT
) STRICT;
CREATE TABLE exchange (
    number INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session (number),
    kind TEXT NOT NULL,
    request BLOB NOT NULL,
    answer BLOB NOT NULL,
    host_time REAL NOT NULL,
    took_seconds REAL NOT NULL,
    board_seconds REAL NOT NULL,
    board_kelvin REAL,
    range_amperes REAL NOT NULL,
    aperture_seconds REAL NOT NULL,
    delay_seconds REAL NOT NULL,
    pattern_crc INTEGER,
    bytes_moved INTEGER NOT NULL,
    recovery TEXT NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
"""
_NUMBERS = struct.Struct("<qq7dqq")
_CHECKSUM_BYTES = 8
_NO_CRC = -1
MAX_WHY_CHARACTERS = 80
_WAL, _SHARED = "-wal", "-shm"
_IN_USE, _FULL = (
    ("SQLITE_BUSY", "SQLITE_LOCKED"),
    ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY"),
)


@dataclass(frozen=True)
class State:
    """The board as it stands after an exchange, as far as this host has set it."""

    range_amperes: float
    aperture_seconds: float
    delay_seconds: float
    pattern_crc: int | None
    """CRC-32 of the pattern; None if it is unknown."""
    bytes_moved: int
    """Bytes that all exchanges of the run have moved."""
    board_seconds: float
    """Time on the board's clock, s: as it was read last, plus what was spent since then."""
    board_kelvin: float | None
    """Temperature of the board as it was read last, K; None if it was never read."""


@dataclass(frozen=True)
class Exchange:
    """One exchange with the board."""

    kind: str
    """Name of the method of the board that was called."""
    request: bytes
    """Its arguments, as `journal.packed` writes them."""
    answer: bytes
    """What it returned, likewise."""
    host_time: float
    """Time of the host when the answer was there, seconds since 1970."""
    took_seconds: float
    """Wall time that it took, s."""
    state: State
    recovery: str = "{}"
    """Recoveries from faults of the wire that it took, as JSON: a number for each kind."""


class Journal:
    """The journal of one run. Made by `begin`, `resume` or `read`; closed at the end of `with`."""

    def __init__(self, path: Path, database: sqlite3.Connection, *, count: int) -> None:
        self.path = path
        self.count = count
        """Number of exchanges that the journal holds."""
        self._database = database
        self._session = 0
        self._checksum = bytes(_CHECKSUM_BYTES)
        self._read = 0

    @classmethod
    def begin(cls, path: Path) -> Self:
        """Make a new journal.

        Raises FileNotWritten where it cannot be made, UsageError where it is there.
        """
        if path.exists():
            raise UsageError(f"{path}: is there already; nothing was changed")
        with _in_words(path):
            database = _connect(path)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            _hold(database)
            database.executescript(_SCHEMA)
            return cls(path, database, count=0)

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Open a journal to read what it holds and go on behind it.

        Raises UsageError where it is missing, in use, damaged, or of another or newer program;
        FileNotWritten where it cannot be written.
        """
        _require_file(path)
        with _in_words(path):
            database = _connect(path)
            _check_marks(path, database)
            _hold(database)
            return cls(path, database, count=_count(database))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open a journal that nothing is added to.

        Raises UsageError where it is missing, damaged, or of another or newer program.
        """
        _require_file(path)
        with _in_words(path):
            database = _connect(path)
            _check_marks(path, database)
            return cls(path, database, count=_count(database))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what it holds is complete without further files."""
        with suppress(sqlite3.Error):
            # Not needed for safety: a tidy folder, and a file that can be read where nothing can
            # be written beside it.
            self._database.execute("PRAGMA journal_mode = DELETE")
        self._database.close()

    def open_session(self, began: str, about: Mapping[str, Any]) -> None:
        """Note that a process begins or goes on with the run; `about` says what it is.

        Raises FileNotWritten where that fails.
        """
        with _in_words(self.path):
            cursor = self._database.execute(
                "INSERT INTO session (began, about) VALUES (?, ?)",
                (began, json.dumps(about, allow_nan=False)),
            )
            self._session = int(cursor.lastrowid or 0)

    def close_session(self, ended: str, outcome: str) -> None:
        """Note how the process has ended.

        Raises FileNotWritten where that fails.
        """
        with _in_words(self.path):
            self._database.execute(
                "UPDATE session SET ended = ?, outcome = ? WHERE number = ?",
                (ended, outcome, self._session),
            )

    def sessions(self) -> list[dict[str, Any]]:
        """Return what is noted of each process that has worked on the run, the first one first.

        Raises UsageError where the journal is damaged.
        """
        with _in_words(self.path):
            rows = self._database.execute(
                "SELECT began, about, ended, outcome FROM session ORDER BY number"
            ).fetchall()
        try:
            return [
                {**json.loads(about), "began": began, "ended": ended, "outcome": outcome}
                for began, about, ended, outcome in rows
            ]
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self.path}: damaged: a session cannot be read ({error})") from error

    def holds_readings(self) -> bool:
        """Return whether anything was measured.

        Raises UsageError where the journal is damaged.
        """
        with _in_words(self.path):
            (count,) = self._database.execute(
                "SELECT count(*) FROM exchange WHERE kind IN (?, ?)", READINGS
            ).fetchone()
        return bool(count)

    @property
    def position(self) -> int:
        """Number of exchanges that were read or added so far."""
        return self._read

    def next(self) -> Exchange | None:
        """Return the next exchange that the journal holds, None behind the last.

        Raises UsageError, which says how many are intact, where it is damaged.
        """
        if self._read >= self.count:
            return None
        number = self._read + 1
        with _in_words(self.path, intact=self._read):
            row = self._database.execute(
                "SELECT session, kind, request, answer, host_time, took_seconds, board_seconds,"
                " board_kelvin, range_amperes, aperture_seconds, delay_seconds, pattern_crc,"
                " bytes_moved, recovery, checksum FROM exchange WHERE number = ?",
                (number,),
            ).fetchone()
            if row is None:
                raise self._damaged(number, "it is missing")
            session, kind, request, answer, host_time, took_seconds, *state, recovery, checksum = (
                row
            )
            seconds, kelvin, amperes, aperture, delay, crc, moved = state
            exchange = Exchange(
                kind,
                request,
                answer,
                host_time,
                took_seconds,
                State(amperes, aperture, delay, crc, moved, seconds, kelvin),
                recovery,
            )
            expected = _checksum(self._checksum, number, session, exchange)
        if checksum != expected:
            raise self._damaged(number, "its checksum differs")
        self._checksum, self._read = expected, number
        return exchange

    def add(self, exchange: Exchange) -> None:
        """Add an exchange behind the last; when this returns it outlives the process.

        A reading is on the disk as well, with all that came before it: a power failure costs no
        reading, at most settings and moments behind the last, which are cheap to repeat.

        Raises FileNotWritten where that fails.
        """
        number = self._read + 1
        checksum = _checksum(self._checksum, number, self._session, exchange)
        state = exchange.state
        # Waiting for the disk takes longer than a setting; a reading takes the earlier rows along.
        synchronous = "FULL" if exchange.kind in READINGS else "NORMAL"
        with _in_words(self.path):
            self._database.execute(f"PRAGMA synchronous = {synchronous}")
            self._database.execute(
                "INSERT INTO exchange VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    self._session,
                    exchange.kind,
                    exchange.request,
                    exchange.answer,
                    exchange.host_time,
                    exchange.took_seconds,
                    state.board_seconds,
                    state.board_kelvin,
                    state.range_amperes,
                    state.aperture_seconds,
                    state.delay_seconds,
                    state.pattern_crc,
                    state.bytes_moved,
                    exchange.recovery,
                    checksum,
                ),
            )
        self._checksum, self._read, self.count = checksum, number, number

    def _damaged(self, number: int, why: str) -> UsageError:
        return UsageError(
            f"{self.path}: damaged: exchange {number} of {self.count} cannot be used ({why}); the "
            f"{number - 1} before it are intact. Nothing was changed"
        )


@contextmanager
def copied_for_reading(path: Path) -> Iterator[Journal]:
    """Open a copy of a journal, so that nothing is written beside it, not even a lock.

    Raises UsageError as `Journal.read` does.
    """
    _require_file(path)
    with tempfile.TemporaryDirectory(prefix="ohmsum-") as folder:
        copy = Path(folder) / path.name
        try:
            # What a process that was killed has written last stands in the file beside it.
            for ending in ("", _WAL):
                source = path.with_name(path.name + ending)
                if source.is_file():
                    shutil.copyfile(source, copy.with_name(copy.name + ending))
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
        try:
            journal = Journal.read(copy)
        except UsageError as error:
            raise UsageError(str(error).replace(str(copy), str(path))) from error
        journal.path = path
        with journal:
            yield journal


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    database.execute("PRAGMA foreign_keys = ON")
    return database


def _hold(database: sqlite3.Connection) -> None:
    """Keep every other process out until the file is closed, and make each answer durable."""
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    # Pages of 4 KiB that may stand in the second file before they are moved to the first.
    database.execute("PRAGMA wal_autocheckpoint = 200")
    database.execute("BEGIN EXCLUSIVE")
    database.execute("COMMIT")


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"{path.parent}: no run that can be gone on with: it has no {path.name}")


def _check_marks(path: Path, database: sqlite3.Connection) -> None:
    (mark,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if mark != APPLICATION_ID:
        raise UsageError(f"{path}: not a journal of ohmsum")
    if version > SCHEMA_VERSION:
        raise UsageError(
            f"{path}: of version {version}, this ohmsum reads up to {SCHEMA_VERSION}: use the "
            "version that wrote it, or a newer one"
        )


def _count(database: sqlite3.Connection) -> int:
    (count,) = database.execute("SELECT coalesce(max(number), 0) FROM exchange").fetchone()
    return int(count)


def _checksum(before: bytes, number: int, session: int, exchange: Exchange) -> bytes:
    state = exchange.state
    numbers = _NUMBERS.pack(
        number,
        session,
        exchange.host_time,
        exchange.took_seconds,
        state.board_seconds,
        float("nan") if state.board_kelvin is None else state.board_kelvin,
        state.range_amperes,
        state.aperture_seconds,
        state.delay_seconds,
        _NO_CRC if state.pattern_crc is None else state.pattern_crc,
        state.bytes_moved,
    )
    digest = hashlib.blake2b(before, digest_size=_CHECKSUM_BYTES)
    texts = exchange.kind.encode(), exchange.recovery.encode()
    for part in (numbers, *texts, exchange.request, exchange.answer):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


@contextmanager
def _in_words(path: Path, intact: int | None = None) -> Iterator[None]:
    """Turn SQLite's errors into one line that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(_IN_USE):
            raise UsageError(f"{path}: in use: another process works with this run") from error
        if name.startswith((*_FULL, "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise FileNotWritten(f"{path}: cannot be written ({error})") from error
        kept = "" if intact is None else f"; the {intact} exchanges before it are intact"
        # SQLite's message may quote the whole schema.
        why = " ".join(str(error).split())[:MAX_WHY_CHARACTERS]
        raise UsageError(f"{path}: damaged ({why}){kept}. Nothing was changed") from error
    except (AttributeError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise UsageError(f"{path}: damaged ({error}). Nothing was changed") from error
