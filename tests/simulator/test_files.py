"""The simulator's own files: bounded when they are read, whole when they are written."""

import os
import resource
import sys
from pathlib import Path

import pytest

from simulator.files import MAX_TEXT_BYTES, read_text, write_whole

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and devices of POSIX")


def test_what_is_written_comes_back(tmp_path):
    write_whole(tmp_path / "a", "Ω".encode())
    write_whole(tmp_path / "a", b"\xef\xbb\xbfnew")
    assert read_text(tmp_path / "a") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_names_the_file_and_leaves_what_was_there(tmp_path):
    path = tmp_path / "truth.npz"
    write_whole(path, b"what was there")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as refused:
            write_whole(path, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.filename == str(path)
    assert path.read_bytes() == b"what was there"
    assert [other.name for other in tmp_path.iterdir()] == ["truth.npz"]


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(OSError, match=r"not a file|directory"):
            read_text(path)
    with (tmp_path / "long").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match=f"larger than {MAX_TEXT_BYTES:,} bytes"):
        read_text(tmp_path / "long")


def test_only_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "..", Path("/")):
        with pytest.raises(OSError, match="it is there, and is no file"):
            write_whole(path, b"x")
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
