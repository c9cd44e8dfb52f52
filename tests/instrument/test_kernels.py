"""Kernels compiled ahead: by `ohmsum warm-up`, or beside the first run on a machine."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core import event

from instrument import kernels


def test_after_a_warm_up_a_run_compiles_nothing(ohmsum: Callable[..., Any]) -> None:
    warm = ohmsum("warm-up", "--json")
    assert warm.status == 0
    document = json.loads(warm.out)
    assert [group["group"] for group in document["groups"]] == list(kernels.GROUPS)
    with event.install_recorder("numba:compile") as recorder:
        run = ohmsum("run", "--bench", "sim:8x4", "--matrix", "random", "--seed", "3", "--json")
    assert run.status in (0, 1)
    assert [str(e.data["dispatcher"]) for _, e in recorder.buffer] == []
    assert all(kernels.is_filled(group) for group in kernels.GROUPS)


def test_the_first_run_says_so_and_ends_what_compiles_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    started = []

    def start(groups: tuple[str, ...]) -> Any:
        started.append(begin(groups))
        return started[-1]

    begin = kernels.start
    monkeypatch.setattr(kernels, "start", start)
    said: list[str] = []
    with kernels.compiling_beside(said.append):
        (beside,) = started
        assert beside.poll() is None
    assert beside.returncode is not None
    assert [line.partition(":")[0] for line in said] == [
        "compiling numerical kernels, once on this machine"
    ]
    for group in kernels.GROUPS_OF_A_RUN:
        monkeypatch.setitem(kernels.GROUPS, group, lambda: None)
        kernels.compile_group(group)
    with kernels.compiling_beside(said.append):
        pass
    assert len(started) == len(said) == 1


def test_a_cache_folder_that_may_not_be_looked_into_costs_no_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where root's is inherited: whatever is asked of it is an OSError."""
    folder = str(tmp_path / ("x" * 5000))
    monkeypatch.setattr(numba.config, "CACHE_DIR", folder)
    said: list[str] = []
    monkeypatch.setitem(kernels.GROUPS, "selection", lambda: None)
    with kernels.compiling_beside(said.append):
        kernels.compile_group("selection")
    assert len(said) == 1
