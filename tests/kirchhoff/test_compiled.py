"""What is compiled once is found again, unless anything that it depends on has changed."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest

from kirchhoff import compiled

ROOT = Path(__file__).parents[2]
SOURCE = """
from kirchhoff.compiled import callee, kernel

OFFSET = {offset}

@callee
def grown(x):
    return {factor} * x + OFFSET

@kernel
def answer(x):
    return grown(x)
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path / "ohmsum"


def build(offset: int = 1, factor: int = 2) -> Callable[[int], int]:
    module: dict[str, Any] = {"__name__": "tiny"}
    exec(SOURCE.format(offset=offset, factor=factor), module)
    answer: Callable[[int], int] = module["answer"]
    return answer


def compilations(kernel: Any) -> int:
    return sum(kernel.stats.cache_misses.values())


def answer_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("tiny.answer-*.kernel"))


def test_what_was_compiled_is_found_again(folder: Path) -> None:
    assert build()(10) == 21
    again = build()
    assert again(10) == 21
    assert compilations(again) == 0


@pytest.mark.parametrize(("change", "expected"), [({"factor": 3}, 31), ({"offset": 5}, 25)])
def test_an_edit_of_what_a_kernel_calls_or_reads_is_noticed(
    folder: Path, change: dict[str, int], expected: int
) -> None:
    assert build()(10) == 21
    edited = build(**change)
    assert edited(10) == expected
    assert compilations(edited) == 1


def test_a_folder_that_cannot_be_written_costs_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "below"))
    with caplog.at_level(logging.WARNING):
        assert build()(10) == 21
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/file/below/ohmsum: cannot be written (Not a directory), so that kernels are "
        "compiled in every run; NUMBA_CACHE_DIR may name another folder"
    ]


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_damaged_file_costs_a_compilation(folder: Path, keep: int) -> None:
    build()(10)
    (path,) = answer_files(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:keep] + b"?" * 8 + whole[keep + 8 :])
    again = build()
    assert again(10) == 21
    assert compilations(again) == 1
    healed = build()
    assert healed(10) == 21
    assert compilations(healed) == 0


def test_earlier_versions_do_not_pile_up(folder: Path) -> None:
    folder.mkdir()
    for n in range(20):
        (folder / f"tiny.answer-{n:032}.kernel").touch()
        (folder / f"tiny.answerer-{n:032}.kernel").touch()
    build()(10)
    assert len(answer_files(folder)) == compiled.MAX_FORMS
    assert len(list(folder.glob("tiny.answerer-*"))) == 20


def test_of_two_processes_one_compiles_and_the_other_waits(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(SOURCE.format(offset=1, factor=2))
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]\n"
        f"from numba import config; config.CACHE_DIR = {str(tmp_path)!r}\n"
        "from tiny import answer; assert answer(10) == 21\n"
        "print(sum(answer.stats.cache_misses.values()))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sorted(int(process.communicate(timeout=90)[0]) for process in both) == [0, 1]
    assert not list(folder.glob("*.part"))


def test_every_lock_is_released_also_where_another_process_was_faster(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is locked shows to other processes alone, so that the calls are counted here."""
    held: list[int] = []
    lock, unlock, load = compiled._lock, compiled._unlock, compiled.KernelCache._load

    def taken(path: Path) -> int | None:
        place = lock(path)
        assert place is not None
        held.append(place)
        return place

    def released(place: int) -> None:
        held.remove(place)
        unlock(place)

    monkeypatch.setattr(compiled, "_lock", taken)
    monkeypatch.setattr(compiled, "_unlock", released)
    assert build()(10) == 21
    assert held == []

    looks: list[Path] = []

    def late(cache: compiled.KernelCache, path: Path, target: Any) -> Any:
        looks.append(path)
        return None if looks.count(path) == 1 else load(cache, path, target)

    monkeypatch.setattr(compiled.KernelCache, "_load", late)
    again = build()
    assert again(10) == 21
    assert compilations(again) == 0
    assert len(looks) > len(set(looks))
    assert held == []
