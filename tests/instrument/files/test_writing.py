"""Files are written whole or not at all, whatever ends the writing."""

import io
import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from instrument.errors import FileNotWritten, UsageError
from instrument.files.writing import write_arrays, write_json, write_new, write_text, write_whole

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")


@contextmanager
def largest_file(size):
    """Files of this process stay this small: the next byte fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_comes_back(tmp_path):
    write_text(tmp_path / "t.txt", "Ω\nline\n")
    assert (tmp_path / "t.txt").read_bytes() == "Ω\nline\n".encode()
    write_json(tmp_path / "d.json", {"a": [1, None]})
    assert (tmp_path / "d.json").read_text() == '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    write_arrays(tmp_path / "a.npz", {"x": np.arange(3), "run": "r"})
    with np.load(tmp_path / "a.npz") as data:
        assert data["x"].tolist() == [0, 1, 2]
        assert data["run"] == "r"
    assert names(tmp_path) == ["a.npz", "d.json", "t.txt"]


@posix_only
@pytest.mark.parametrize("place", ["pipe", "folder", "/", ".."])
def test_only_files_are_replaced(tmp_path, place):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = names(tmp_path)
    with pytest.raises(FileNotWritten, match="it is there, and is no file"):
        write_text(tmp_path / place, "x")
    assert names(tmp_path) == before
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_name_that_is_no_text_is_shown_and_not_an_error(tmp_path):
    write_text(tmp_path / "t.txt", "W\udcff.npy")
    assert (tmp_path / "t.txt").read_text() == "W\\udcff.npy"


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_arrays(tmp_path / name, {"x": np.arange(1000)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@posix_only
@pytest.mark.parametrize("buffer", [1, 1 << 16])
def test_a_full_disk_leaves_what_was_there_and_no_part(tmp_path, buffer):
    path = tmp_path / "kept.bin"
    write_text(path, "what was there")

    def write(file):
        for _ in range(200_000 // buffer):
            file.write(bytes(buffer))

    with largest_file(100_000), pytest.raises(FileNotWritten) as refused:
        write_whole(path, write)
    assert str(refused.value).startswith(f"{path}: cannot be written (File too large)")
    assert path.read_text() == "what was there"
    assert names(tmp_path) == ["kept.bin"]


@posix_only
def test_a_full_disk_under_arrays(tmp_path):
    noise = np.random.default_rng(1).normal(size=20_000)
    with largest_file(50_000), pytest.raises(FileNotWritten, match=r"a\.npz: "):
        write_arrays(tmp_path / "a.npz", {"noise": noise})
    assert names(tmp_path) == []


def test_whatever_ends_the_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "kept.txt"
    write_text(path, "what was there")

    def cut_short(file: io.BufferedIOBase):
        file.write(b"half")
        file.flush()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, cut_short)
    assert path.read_text() == "what was there"
    assert names(tmp_path) == ["kept.txt"]


def test_a_folder_that_has_gone_or_is_in_the_way(tmp_path):
    with pytest.raises(FileNotWritten, match=r"gone.x\.txt: cannot be written \(No such file"):
        write_text(tmp_path / "gone" / "x.txt", "")
    (tmp_path / "x.txt" / "inside").mkdir(parents=True)
    with pytest.raises(FileNotWritten, match=r"x\.txt: cannot be written \(it is there"):
        write_text(tmp_path / "x.txt", "")
    assert names(tmp_path) == ["x.txt"]


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 KiB, where this process may mount one."""
    mount = shutil.which("mount")
    place = tmp_path / "disk"
    place.mkdir()
    command = [mount or "", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full(tiny_disk):
    path = tiny_disk / "kept.bin"
    write_text(path, "what was there")
    with pytest.raises(FileNotWritten, match="No space left on device"):
        write_whole(path, lambda file: file.write(bytes(200_000)))
    assert path.read_text() == "what was there"
    assert names(tiny_disk) == ["kept.bin"]


def test_a_new_file_replaces_nothing(tmp_path):
    path = tmp_path / "new.txt"
    write_new(path, "π")
    assert path.read_text("utf-8") == "π"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (path, tmp_path, tmp_path / "link"):
        with pytest.raises(UsageError, match=f"^{taken}: is there already"):
            write_new(taken, b"other")
    assert path.read_text("utf-8") == "π"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "new.txt"]


@posix_only
def test_a_new_file_that_cannot_be_written_leaves_its_name_free(tmp_path):
    with largest_file(2), pytest.raises(FileNotWritten, match=r"new\.txt: cannot be written"):
        write_new(tmp_path / "new.txt", "text")
    assert list(tmp_path.iterdir()) == []
