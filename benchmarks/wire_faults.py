"""Whether faults of the wire and of the power end a run, and what a recovery costs.

`python -m benchmarks.wire_faults --faults 1000 --seed 1`: seeded faults over runs on a socket and
on a pty, on boards of preset 8x4: calibrate, program, multiply. It starts no further run once the
faults are spent or `--limit-seconds` have passed. Bytes that flip inside a block of readings can be
seen by no host; the runs with them are counted apart.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import select
import tempfile
import threading
import time
import tty
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers import InstrumentError
from instrument import open_bench
from instrument.bench_file import bench_toml
from simulator.bench import LinkKind, serve_bench
from simulator.faults import FaultPlan
from simulator.preset import load_preset

PRESET = "8x4"
WIRES: tuple[LinkKind, ...] = "socket", "serial"
BOARDS = 3
"""Boards per wire; runs take turns on them."""
FAULTS_PER_RUN = 16
"""One in some twenty messages of a run."""
TIMEOUT_SECONDS, RECONNECT_SECONDS = 0.3, 10.0
LATE_SECONDS = 0.1, 0.9
"""Delays of late replies: some are in time, others come after the timeout."""
AWAY_SECONDS = 0.05, 0.5
"""Time for which a serial device is away."""
VECTORS = 64
REPLY_KINDS = (
    "reply_delayed",
    "reply_torn",
    "reply_garbled",
    "reply_dropped",
    "reply_duplicated",
    "connection_reset",
)
FLIPS_PER_RUN = 5


@dataclass
class Recoveries(logging.Handler):
    """Log handler that keeps the seconds of every recovery by its kind."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.args, tuple)
        _, kind, _, seconds, _ = record.args
        assert isinstance(kind, str)
        assert isinstance(seconds, float)
        self.seconds.setdefault(kind, []).append(seconds)

    __hash__ = object.__hash__


@dataclass(frozen=True)
class Outcome:
    """A run that ended: its products, or what stopped it."""

    answered: NDArray[np.float64] | None
    stopped_by: str
    struck: int
    messages: int


def main() -> None:
    """Print how runs with faults ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-seconds", type=float, default=600.0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    deadline = time.monotonic() + options.limit_seconds
    recoveries, log = Recoveries(), logging.getLogger("drivers.recovery")
    log.addHandler(recoveries)
    log.propagate = False
    weights = random.uniform(-1, 1, (8, 4))
    inputs = random.uniform(-1, 1, (VECTORS, 8))
    exact = inputs @ weights
    sound = {
        (wire, board): _run(wire, board, [], [], 0, weights, inputs)
        for wire in WIRES
        for board in range(1, BOARDS + 1)
    }
    outcomes: list[tuple[Outcome, Outcome]] = []
    struck = 0
    while struck < options.faults and time.monotonic() < deadline:
        turn = len(outcomes)
        wire, board = WIRES[turn % 2], 1 + turn // 2 % BOARDS
        reference = sound[wire, board]
        count = min(FAULTS_PER_RUN, options.faults - struck)
        faults, away = _drawn(random, count, wire, reference.messages)
        outcome = _run(wire, board, faults, away, 0, weights, inputs)
        outcomes.append((outcome, reference))
        struck += outcome.struck
    _print_outcomes(outcomes, struck, exact)
    _print_recoveries(recoveries.seconds)
    flipped = [
        (_run("serial", board, [], [], FLIPS_PER_RUN, weights, inputs), sound["serial", board])
        for board in range(1, BOARDS + 1)
    ]
    print(f"apart, {sum(run.struck for run, _ in flipped)} bytes flipped inside blocks:")
    _print_outcomes(flipped, sum(run.struck for run, _ in flipped), exact)


def _drawn(
    random: np.random.Generator, count: int, wire: LinkKind, messages: int
) -> tuple[list[dict[str, Any]], list[int]]:
    """Draw faults: a plan, and the messages at which a serial device goes away."""
    faults: list[dict[str, Any]] = []
    away: list[int] = []
    for index in range(count):
        at = int(random.integers(1, messages))
        if index % 16 == 0:
            faults.append({"kind": "power_cycle", "at_operation": at})
        elif wire == "serial" and index % 8 == 1:
            away.append(at)
        else:
            kind = REPLY_KINDS[random.integers(len(REPLY_KINDS))]
            fault = {"kind": kind, "at_operation": at}
            if kind == "reply_delayed" or (kind == "reply_torn" and random.random() < 0.5):
                fault["delay_seconds"] = float(random.uniform(*LATE_SECONDS))
            faults.append(fault)
    return faults, sorted(away)


def _run(
    wire: LinkKind,
    board: int,
    faults: list[dict[str, Any]],
    away: list[int],
    flips: int,
    weights: NDArray[np.float64],
    inputs: NDArray[np.float64],
) -> Outcome:
    plan = FaultPlan.model_validate({"seed": board, "fault": faults})
    answered, stopped_by = None, ""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        served = stack.enter_context(serve_bench(load_preset(PRESET), board, (wire,), faults=plan))
        resource, relay = served.resources["board"][wire], None
        if wire == "serial":
            device = resource.removeprefix("ASRL").removesuffix("::INSTR")
            relay = stack.enter_context(_relayed(device, folder / "board", away, flips, board))
            resource = f"ASRL{folder / 'board'}::INSTR"
        path = folder / "bench.toml"
        path.write_text(
            f"{bench_toml(resource)}timeout_seconds = {TIMEOUT_SECONDS}\n"
            f"reconnect_seconds = {RECONNECT_SECONDS}\n"
        )
        try:
            with open_bench(path) as bench:
                answered = inputs @ bench.program(weights)
        except InstrumentError as error:
            stopped_by = str(error)
        assert not served.crossbar.outputs_on
        counted = served.crossbar.faults
        struck = sum(strikes.count for strikes in counted.strikes)
        struck += relay.struck if relay else 0
        return Outcome(answered, stopped_by, struck, counted.operations)


class Relay:
    """A serial device that a host opens by a lasting name; it may go away, or flip bytes."""

    def __init__(self, device: str, name: Path, away: list[int], flips: int, seed: int) -> None:
        self.struck = 0
        self._random = np.random.default_rng(seed)
        self._name, self._away = name, list(away)
        # One reading in so many, spread over a run.
        self._flips_left, self._every = flips, 20
        self._messages = self._blocks = 0
        self._board = os.open(device, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._board)
        self._stopping = threading.Event()
        self._come()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._go()
        os.close(self._board)

    def _come(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._name.symlink_to(os.ttyname(self._slave))

    def _go(self) -> None:
        self._name.unlink()
        os.close(self._master)
        os.close(self._slave)

    def _carry(self) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._master, self._board], [], [], 0.02)
            if self._master in ready:
                data = os.read(self._master, 1 << 16)
                _write(self._board, data)
                self._messages += data.endswith(b"\n")
                if self._away and self._messages >= self._away[0]:
                    self._away.pop(0)
                    self.struck += 1
                    self._go()
                    self._stopping.wait(float(self._random.uniform(*AWAY_SECONDS)))
                    self._come()
            if self._board in ready:
                data = os.read(self._board, 1 << 16)
                _write(self._master, self._flipped(data))

    def _flipped(self, data: bytes) -> bytes:
        """Flip a bit of a block of readings now and then."""
        if not self._flips_left or data[:1] != b"#":
            return data
        start = 2 + int(data[1:2])
        end = min(len(data), start + int(data[2:start]))
        self._blocks += 1
        if self._blocks % self._every or end - start < 16:
            return data
        self._flips_left -= 1
        self.struck += 1
        at = int(self._random.integers(start, end))
        bit = 1 << int(self._random.integers(8))
        return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


@contextmanager
def _relayed(device: str, name: Path, away: list[int], flips: int, seed: int) -> Iterator[Relay]:
    relay = Relay(device, name, away, flips, seed)
    try:
        yield relay
    finally:
        relay.stop()


def _write(descriptor: int, data: bytes) -> None:
    with suppress(OSError):  # the host may have gone
        while data:
            data = data[os.write(descriptor, data) :]


def _bits(answered: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    return -math.log2(float(np.linalg.norm(answered - exact) / np.linalg.norm(exact)))


def _print_outcomes(
    outcomes: list[tuple[Outcome, Outcome]], struck: int, exact: NDArray[np.float64]
) -> None:
    stopped = Counter(run.stopped_by for run, _ in outcomes if run.stopped_by)
    finished = [
        (run.answered, sound.answered)
        for run, sound in outcomes
        if run.answered is not None and sound.answered is not None
    ]
    print(
        f"{struck} faults in {len(outcomes)} runs: {len(finished)} finished by themselves, "
        f"{sum(stopped.values())} stopped"
    )
    for text, count in stopped.items():
        print(f"  {count} × {text}")
    if not finished:
        return
    bits = [_bits(answered, exact) - _bits(sound, exact) for answered, sound in finished]
    apart = [
        float(np.abs(answered - sound).max() / np.abs(exact).max()) for answered, sound in finished
    ]
    print(
        f"bits against the undisturbed run: median {median(bits):+.2f}, from {min(bits):+.2f} to "
        f"{max(bits):+.2f}; largest difference of a product {max(apart):.1e} of the largest product"
    )


def _print_recoveries(seconds: Mapping[str, list[float]]) -> None:
    print("recoveries      count    median s   maximum s")
    for kind, spent in sorted(seconds.items()):
        print(f"{kind:<12} {len(spent):8d} {median(spent):11.3f} {max(spent):11.3f}")


if __name__ == "__main__":
    main()
