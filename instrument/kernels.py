"""Compilation of all kernels ahead: beside a run, or by `ohmsum warm-up`.

Numba holds Python's lock while it compiles, one kernel at a time, so that only processes compile in
parallel. They share the cache (`kirchhoff.compiled`), and none compiles a kernel that another one
is compiling.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import calibration
import kirchhoff
from calibration.arrays import Floats
from kirchhoff.compiled import cache_folder, note_in_cache, versions

_log = logging.getLogger(__name__)

ENDING_SECONDS = 5.0


def _network() -> None:
    """Call the kernels of a simulated board and of the fit of the wires."""
    wire = kirchhoff.Wire(0.02, 0.02, 0.05, 0.05)
    siemens = np.full((16, 8), 1e-5)
    kirchhoff.column_currents(siemens, np.ones((1, 16)), wire)
    kirchhoff.transfer_matrix(siemens, wire)


def _pairs(cells: int, branches: int) -> Floats:
    sign = np.where(np.arange(branches) % 2, -1.0, 1.0)
    return np.random.default_rng(1).uniform(0.5, 1.5, (cells, branches)) * sign


def _selection() -> None:
    """Call the kernels of programming on boards of up to 14 branches a crosspoint."""
    from calibration import selection
    from calibration.programming import make_moves

    pairs = _pairs(64, 12)
    target = np.zeros(len(pairs))
    total = np.abs(pairs).sum(axis=1) / 2
    lopsided = np.abs(pairs) * np.linspace(0.5, 1.5, 12)
    # The slowest comes first: a run that arrives here meanwhile compiles the rest itself.
    for second, windows in ((lopsided, (1e-2, 1e-1, 1e-3)), (np.abs(pairs), (1e-1,))):
        for window in windows:
            selection.select_in_window(pairs, target, second, total, window)
    selection.select(pairs, target)
    ones, board = np.ones(1), np.ones((2, 2))
    at = np.zeros(1, np.intp), np.zeros(1, np.intp)
    make_moves(board.copy(), board.copy(), board, board, board, 1.0, at, ones, ones, ones)


def _special() -> None:
    """Call the kernels of wider crosspoints, tolerances, expected errors and altered boards."""
    from calibration import selection

    wire = kirchhoff.Wire(0.02, 0.02, 0.05, 0.05)
    siemens = np.full((16, 8), 1e-5)
    changed = siemens.copy()
    changed[0, 0] *= 2
    kirchhoff.updated_transfer(kirchhoff.transfer_matrix(siemens, wire), siemens, changed, wire)

    wide = _pairs(1, 30)
    selection.select(wide, [0.0])
    selection.select_in_window(wide, [0.0], np.abs(wide), [10.0], 1e-6)
    few = _pairs(2, 6)
    target = np.zeros(2)
    selection.select(few, target, three_way=True)
    spread = np.full(few.shape, 1e-3)
    selection.select(few, target, uncertainty=spread, objective="least_square_error")
    for branches in (6, 24):  # the sums of more than 22 are kept in 64 bits
        selection.select_prepared(selection.prepare(_pairs(2, branches)), target)


def _studies() -> None:
    """Call the kernels of `ohmsum study` and `ohmsum design`."""
    from calibration import studies

    for make, name, bank in (
        (studies.bits_study, "bits", "uniform"),
        (studies.fixed_size_study, "fixed-size", studies.CASES[0]),
        (studies.partition_study, "partition", "9 bits"),
        (studies.pruning_study, "pruning", studies.SUBSET),
    ):
        make(2, 6).measure(1, studies.Chunk(name, bank, 6, 0, 2))
    parts = studies.Parts(3, 0.1, "uniform", 1e5, 10.0, 20.0, 0.2, 1e10)
    lot = studies.draw_lot(parts, np.random.default_rng(1), 2)
    studies.pair_bits(parts, np.full(3, 1e5), lot)


GROUPS: dict[str, Callable[[], None]] = {
    "selection": _selection,
    "network": _network,
    "special": _special,
    "studies": _studies,
}
GROUPS_OF_A_RUN = ("selection", "network")


@dataclass(frozen=True)
class Filled:
    """How a group of kernels was compiled."""

    group: str
    seconds: float
    compiled: int
    """Number of kernels that were not in the cache."""


def compile_group(group: str) -> Filled:
    """Call every kernel of a group once; kernels in the cache are loaded."""
    from numba.core import event

    began = time.perf_counter()
    with event.install_recorder("numba:compile") as recorder:
        GROUPS[group]()
    starts = [e for _, e in recorder.buffer if e.is_start]
    _note(group)
    return Filled(group, time.perf_counter() - began, len(starts))


@contextmanager
def compiling_beside(announce: Callable[[str], None]) -> Iterator[None]:
    """Compile the kernels of a run in another process, the first time on a machine.

    `announce` receives a line for the person who waits. The process ends with the run. With a
    single processor or without a cache, the run itself compiles what it calls.
    """
    if all(is_filled(group) for group in GROUPS_OF_A_RUN):
        yield
        return
    line = "compiling numerical kernels, once on this machine: some 30 s of processor time"
    _log.info(line)
    announce(line)
    if _processors() < 2 or not _can_cache():
        yield
        return
    beside = start(GROUPS_OF_A_RUN)
    try:
        yield
    finally:
        if beside.poll() is None:
            beside.terminate()
        try:
            beside.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            beside.kill()
            beside.wait()


def start(groups: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start a process that compiles groups of kernels."""
    # The child imports from the same folders, whatever lies in the working folder.
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    # The child only compiles, and ends: collecting garbage would take a tenth of its time.
    program = (
        "import gc; gc.disable(); "
        f"from instrument.kernels import compile_group as c; [c(g) for g in {groups!r}]"
    )
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _can_cache() -> bool:
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(cache_folder(), os.W_OK)


def is_filled(group: str) -> bool:
    """Return whether a group was compiled before, from these sources, on this machine."""
    return os.path.exists(_mark(group))  # False also where the folder is not readable


def _note(group: str) -> None:
    try:
        note_in_cache(_mark(group))
    except OSError as error:
        _log.info("%s: cannot be written (%s)", _mark(group), error.strerror)


def _mark(group: str) -> Path:
    """Return the path of the empty file that marks a group as compiled.

    Its name depends on the sources, the versions and the processor.
    """
    from llvmlite import binding

    depends_on = repr((_sources(), versions(), binding.get_host_cpu_name()))
    digest = hashlib.sha256(depends_on.encode()).hexdigest()[:32]
    return cache_folder() / f"filled.{group}-{digest}.kernel"


@cache
def _sources() -> str:
    """Return a digest of all files that may hold kernels, and of this one."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for package in (kirchhoff, calibration):
        for path in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            content = path.read_bytes()
            if b"kirchhoff.compiled" in content or path.name == "compiled.py":
                digest.update(content)
    return digest.hexdigest()
