"""The journal's file: what was added is there, and damage of any byte is noticed."""

import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instrument.errors import FileNotWritten, UsageError
from instrument.journal.file import (
    SCHEMA_VERSION,
    Exchange,
    Journal,
    State,
    copied_for_reading,
)

STATE = State(1e-3, 0.02, 1e-3, 0xFFFFFFFF, 1234, 5.5, 296.25)
COUNT = 12


def exchange(number):
    state = replace(
        STATE,
        bytes_moved=number,
        pattern_crc=None if number % 3 == 0 else number,
        board_kelvin=None if number % 2 else 296.0,
    )
    return Exchange(f"kind {number % 4}", bytes([number]) * 40, b"a" * number, 1.7e9, 0.25, state)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.sqlite"
    with Journal.begin(path) as journal:
        journal.open_session("2026-01-01T00:00:00+00:00", {"host": "here"})
        for number in range(COUNT):
            journal.add(exchange(number))
        journal.close_session("2026-01-01T01:00:00+00:00", "done")
    return path


def read(journal):
    exchanges = []
    while (found := journal.next()) is not None:
        exchanges.append(found)
    return exchanges


def read_up_to_the_damage(path):
    """The exchanges that are intact, and what is said of the others."""
    taken = []
    try:
        with Journal.read(path) as journal:
            while (exchange := journal.next()) is not None:
                taken.append(exchange)
    except UsageError as error:
        return taken, str(error)
    return taken, ""


def test_what_was_added_is_read_in_its_order(path):
    with Journal.read(path) as journal:
        assert journal.count == COUNT
        assert read(journal) == [exchange(number) for number in range(COUNT)]
        assert journal.sessions() == [
            {
                "host": "here",
                "began": "2026-01-01T00:00:00+00:00",
                "ended": "2026-01-01T01:00:00+00:00",
                "outcome": "done",
            }
        ]


def test_a_closed_journal_is_one_file(path):
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_it_goes_on_behind_the_last(path):
    with Journal.resume(path) as journal:
        journal.open_session("later", {})
        read(journal)
        journal.add(exchange(99))
    with Journal.read(path) as journal:
        assert read(journal)[COUNT:] == [exchange(99)]
        assert journal.sessions()[1]["ended"] is None


def test_a_new_journal_replaces_none(path):
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        Journal.begin(path)
    assert path.read_bytes() == before


def test_what_was_added_outlives_a_kill(tmp_path):
    path = tmp_path / "journal.sqlite"
    program = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from tests.instrument.journal.test_file import Journal, exchange
journal = Journal.begin(Path({str(path)!r}))
journal.open_session("now", {{}})
for number in range(5):
    journal.add(exchange(number))
os.kill(os.getpid(), 9)
"""
    root = __file__.partition("/tests/")[0]
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, check=False
    )
    assert ended.returncode == -9, ended.stderr.decode()
    with copied_for_reading(path) as journal:
        assert read(journal) == [exchange(number) for number in range(5)]
    with Journal.resume(path) as journal:
        assert journal.count == 5


@pytest.mark.parametrize(("kind", "waits"), [("scan", 2), ("column_currents", 2), ("moment", 1)])
def test_a_reading_waits_for_the_disk(path, kind, waits):
    """FULL is 2, NORMAL 1 (https://sqlite.org/pragma.html#pragma_synchronous)."""
    with Journal.resume(path) as journal:
        journal.open_session("now", {})
        read(journal)
        journal.add(replace(exchange(1), kind=kind))
        # Only the connection itself knows it.
        assert journal._database.execute("PRAGMA synchronous").fetchone() == (waits,)


def test_two_processes_do_not_share_one(path):
    with Journal.resume(path):
        before = path.read_bytes()
        with pytest.raises(UsageError, match="in use: another process works with this run"):
            Journal.resume(path)
        assert path.read_bytes() == before
    with Journal.resume(path):
        pass


def test_a_copy_is_read_while_another_process_writes(path):
    with Journal.resume(path) as journal:
        journal.open_session("now", {})
        read(journal)
        journal.add(exchange(50))
        with copied_for_reading(path) as copy:
            assert copy.count == COUNT + 1
            assert copy.path == path


def test_a_newer_schema_is_refused(path):
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    before = path.read_bytes()
    for opened in (Journal.resume, Journal.read):
        with pytest.raises(UsageError, match=rf"of version {SCHEMA_VERSION + 1}, this"):
            opened(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_something_else_is_refused(tmp_path, content):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"journal\.sqlite: (damaged|not a journal)"):
        Journal.resume(path)
    assert path.read_bytes() == content
    with pytest.raises(UsageError, match="it has no journal"):
        Journal.resume(tmp_path / "none" / "journal.sqlite")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_a_byte_that_changed_gives_no_other_exchange(path, data):
    """Whatever is read is what was written; the rest is refused in one line."""
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    copy = path.with_name("damaged.sqlite")
    copy.write_bytes(damaged)
    taken, said = read_up_to_the_damage(copy)
    assert taken == [exchange(number) for number in range(len(taken))]
    assert "\n" not in said
    assert said.startswith(f"{copy}: ") or not said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_journal_that_was_cut_gives_no_other_exchange(path, data):
    whole = path.read_bytes()
    copy = path.with_name("cut.sqlite")
    copy.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    taken, said = read_up_to_the_damage(copy)
    assert taken == [exchange(number) for number in range(len(taken))]
    assert "\n" not in said


def test_a_missing_exchange_is_noticed(path):
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM exchange WHERE number = 5")
    database.close()
    with (
        Journal.read(path) as journal,
        pytest.raises(UsageError, match=r"exchange 5 of 12 .*missing.*; the 4 before"),
    ):
        read(journal)


def test_a_full_disk_is_said(path):
    with Journal.resume(path) as journal:
        journal.open_session("now", {})
        read(journal)
        # No public way limits the size of one file alone.
        journal._database.execute(f"PRAGMA max_page_count = {path.stat().st_size // 4096}")
        with pytest.raises(FileNotWritten, match=r"journal\.sqlite: cannot be written"):
            list(map(journal.add, map(exchange, range(250))))
    with Journal.read(path) as journal:
        assert read(journal)[:COUNT] == [exchange(number) for number in range(COUNT)]
