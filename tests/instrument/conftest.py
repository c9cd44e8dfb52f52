"""The command line in this process or in its own, and simulated boards to look at afterwards."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instrument import kernels, open_bench
from instrument.bench_file import bench_toml
from instrument.cli import main
from instrument.validation.over_hours import wait_until
from simulator.bench import SimulatedBench, serve_bench
from simulator.command_set import BoardSession
from simulator.preset import load_preset
from simulator.steps import Steps
from tests.support.command_line import run_in
from tests.support.fault_plans import plan_of

ROOT = Path(__file__).parents[2]
START = [sys.executable, "-c", "from instrument.cli import main; main()"]
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile what a run calls before the first test: a run that compiles says so, and takes its
    time.
    """
    if not session.config.option.collectonly:
        for group in kernels.GROUPS_OF_A_RUN:
            if not kernels.is_filled(group):
                kernels.compile_group(group)


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def ohmsum(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Outcome]:
    """Run the command line in this process, in tmp_path; anything but an exit fails the test."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["ohmsum", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as leave:
            main()
        assert isinstance(leave.value.code, int)
        return Outcome(leave.value.code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def start_environment() -> dict[str, str]:
    """Environment in which another process finds this project's packages."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def start(
    tmp_path: Path, start_environment: dict[str, str]
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process of its own, in tmp_path."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*START, *map(str, arguments)],
            cwd=tmp_path,
            env=start_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def ended() -> Callable[[subprocess.Popen[str]], Outcome]:
    """Wait for a process; how it ended."""

    def wait(process: subprocess.Popen[str]) -> Outcome:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return Outcome(process.returncode, out, err)

    return wait


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something is so."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(0.005)

    return wait


@pytest.fixture
def served(tmp_path: Path) -> Iterator[SimulatedBench]:
    """An 8x4 board that this process serves and can look into; tmp_path/bench.toml names it."""
    with serve_bench(load_preset("8x4"), 1, ("socket", "serial")) as simulated:
        (tmp_path / "bench.toml").write_text(bench_toml(simulated.resources["board"]["socket"]))
        yield simulated


@pytest.fixture(scope="session")
def calibration_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration of the board of `sim:8x4`, measured once: for runs whose own is no matter."""
    path = tmp_path_factory.mktemp("calibrated") / "calibration.npz"
    with open_bench("sim:8x4", seed=1) as bench:
        bench.calibrate().save(path)
    return path


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of one board over two hours: tests read it, and copy what they change.

    `a`, `b` and `c` are runs of board B000001, an hour apart, whose branch 2 at row 3, column 5
    drifts by −0.1 % an hour. `b` wanted more bits than there are; `c` has another matrix, and a
    short aperture. `other` is `c` of another board, B000002, with a calibration that it was given.
    `cut` is a run that was cut short after its calibration.
    """
    folder = tmp_path_factory.mktemp("kept")
    rng = np.random.default_rng(1)
    for name in ("W", "V"):
        np.save(folder / f"{name}.npy", rng.uniform(-1, 1, (8, 4)))
    drifting = plan_of(
        {"kind": "drifting", "row": 3, "column": 5, "branch": 2, "ppm_per_hour": -1000.0}
    )
    results = folder / "ohmsum-results"
    with serve_bench(load_preset("8x4"), 1, ("socket",), faults=drifting) as simulated:
        bench, quick = folder / "bench.toml", folder / "quick.toml"
        bench.write_text(bench_toml(simulated.resources["board"]["socket"]))
        quick.write_text(bench.read_text() + "nplc = 0.1\n")
        for hours, name, path, matrix, status, *more in (
            (0, "a", bench, "W.npy", 0),
            (1, "b", bench, "W.npy", 1, "--spec-bits", "30", "--note", "again"),
            (2, "c", quick, "V.npy", 0),
        ):
            with open_bench(path) as opened:
                wait_until(opened.board, 3600.0 * hours)
            command = ("run", "--bench", path.name, "--matrix", matrix)
            assert run_in(folder, *command, "--out", results / name, *more) == status
    _change_documents(
        Path(shutil.copytree(results / "c", results / "other")),
        timedelta(minutes=1),
        id="29990101T000000Z-0a0a0a0a",
        board={"serial": "B000002"},
    )
    (results / "other" / "calibration.npz").unlink()
    (results / "cut").mkdir()
    for file in ("calibration.npz", "run.json"):
        shutil.copy(results / "c" / file, results / "cut")
    _change_documents(results / "cut", timedelta(hours=1), id="29990101T000000Z-0c0c0c0c")
    return results


def _change_documents(folder: Path, later: timedelta, **changes: Any) -> None:
    """Change keys of the documents in a run's folder, and the date of its start."""
    for path in folder.glob("*.json"):
        document = json.loads(path.read_text("utf-8"))
        for section in (document, document.get("run", {})):
            for key in changes.keys() & section.keys():
                value = changes[key]
                section[key] = section[key] | value if isinstance(value, dict) else value
            if "started" in section:
                moment = datetime.fromisoformat(section["started"]) + later
                section["started"] = moment.isoformat()
        path.write_text(json.dumps(document), "utf-8")


@pytest.fixture
def is_safe() -> Callable[[SimulatedBench], bool]:
    """Whether a simulated board's outputs are off and all its switches open: its own state."""

    def look(simulated: SimulatedBench) -> bool:
        return not simulated.crossbar.outputs_on and not simulated.crossbar.pattern.any()

    return look


@pytest.fixture
def at_message(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bytes]]:
    """Do something when a board is about to execute the nth message that holds a command, or
    every one where `nth` is None.
    """

    def hook(
        simulated: SimulatedBench, command: bytes, nth: int | None, act: Callable[[], object]
    ) -> list[bytes]:
        seen: list[bytes] = []
        steps = BoardSession.steps

        def watched(session: BoardSession, message: bytes) -> Steps[bytes]:
            if session.board is simulated.board and command in message:
                seen.append(message)
                if nth is None or len(seen) == nth:
                    act()
            return steps(session, message)

        monkeypatch.setattr(BoardSession, "steps", watched)
        return seen

    return hook


@pytest.fixture
def ask() -> Callable[[str, str], list[str]]:
    """Ask a board over a plain socket of its own; the answers to the queries of one message."""

    def query(resource: str, message: str) -> list[str]:
        found = re.fullmatch(r"TCPIP::(.+)::(\d+)::SOCKET", resource)
        assert found
        with (
            socket.create_connection((found[1], int(found[2])), timeout=60) as wire,
            wire.makefile("rw", encoding="ascii", newline="\n") as stream,
        ):
            stream.write(message + "\n")
            stream.flush()
            return stream.readline().rstrip("\n").split(";")

    return query


@pytest.fixture
def all_open_crc() -> Callable[[int, int, int], int]:
    """CRC-32 of the pattern in which every switch of (rows, columns, branches) is open."""

    def crc(rows: int, columns: int, branches: int) -> int:
        return zlib.crc32(bytes((rows * columns * branches + 7) // 8))

    return crc
