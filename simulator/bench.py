"""A simulated bench: one clock and its instruments, served over real wires.

An event loop in a thread of its own serves them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from kirchhoff import Wire, column_currents, transfer_matrix
from simulator.board import SimulatedBoard
from simulator.clock import Clock
from simulator.command_set import is_keep_alive
from simulator.electronics import SimulatedCrossbar
from simulator.faults import FaultPlan, FaultyReplies
from simulator.preset import Preset
from simulator.servers import MAX_SESSIONS, Send, serve_pty, serve_tcp
from simulator.truth import save_truth

LinkKind = Literal["socket", "serial"]
Answer = TypeVar("Answer")
WATCHDOG_CHECK_SECONDS = 0.1


@dataclass(frozen=True)
class SimulatedBench:
    """The instruments of a simulated bench, and the resources at which they answer."""

    crossbar: SimulatedCrossbar
    board: SimulatedBoard
    resources: Mapping[str, Mapping[LinkKind, str]]
    """VISA resource of each instrument on each kind of link."""


@contextmanager
def serve_bench(
    preset: Preset,
    seed: int,
    wires: tuple[LinkKind, ...],
    *,
    port: int = 0,
    max_sessions: int = MAX_SESSIONS,
    realtime: bool = False,
    faults: FaultPlan | None = None,
    truth: Path | None = None,
) -> Iterator[SimulatedBench]:
    """Serve a bench drawn from `seed` on loopback until the context ends.

    `port` is the TCP port of the board's socket, 0 for a free one. The socket takes at most
    `max_sessions` connections at once. In `realtime` the board's clock keeps pace with the wall
    clock. `faults` is the plan of what goes wrong. `truth` is a file (.npz) for the ground truth,
    written when the bench is served and again when the context ends. Raises OSError where a port is
    taken, the platform has no pty or the file cannot be written, and PlanError where the board has
    no place for a fault.
    """
    _warm_up(preset)
    crossbar = SimulatedCrossbar(preset, seed, Clock(realtime), faults)
    if truth is not None:
        save_truth(crossbar, truth)
    board = SimulatedBoard(crossbar, serial=f"B{seed:06d}")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulated bench", daemon=True)
    thread.start()
    stack = AsyncExitStack()
    try:
        board_resources = _run(loop, _serve(board, stack, wires, port, max_sessions))
        yield SimulatedBench(crossbar, board, {"board": board_resources})
    finally:
        _run(loop, stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        if truth is not None:
            save_truth(crossbar, truth)


def _warm_up(preset: Preset) -> None:
    """Compile the network's solver before a host waits for an answer.

    The first compilation on a machine takes longer than a host's timeout.
    """
    siemens = np.full((preset.shape.rows, preset.shape.columns), 1e-6)
    segments = Wire(**preset.in_force().wire.model_dump())
    column_currents(siemens, np.ones((1, preset.shape.rows)), segments)
    transfer_matrix(siemens, segments)


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run_coroutine_threadsafe(work, loop).result()


async def _serve(
    board: SimulatedBoard,
    stack: AsyncExitStack,
    wires: tuple[LinkKind, ...],
    port: int,
    max_sessions: int,
) -> dict[LinkKind, str]:
    resources: dict[LinkKind, str] = {}
    crossbar, faults = board.crossbar, board.crossbar.faults
    replies = FaultyReplies(
        faults.plan, lambda: (crossbar.clock.seconds, faults.operations), faults.strikes
    )

    def deliver(message: bytes, reply: bytes, send: Send) -> Awaitable[None]:
        # The number of keep-alives depends on wall time, so faults must not count or strike them.
        return send(reply) if is_keep_alive(message) else replies.deliver(reply, send)

    if "socket" in wires:
        tcp = await serve_tcp(board, port=port, deliver=deliver, max_sessions=max_sessions)
        stack.push_async_callback(tcp.close)
        board.when_powered_on.append(tcp.reset)
        resources["socket"] = f"TCPIP::127.0.0.1::{tcp.port}::SOCKET"
    if "serial" in wires:
        pty = await serve_pty(board, deliver=deliver)
        stack.push_async_callback(pty.close)
        board.when_powered_on.append(pty.reset)
        resources["serial"] = f"ASRL{pty.path}::INSTR"
    watch = asyncio.create_task(_watch(board))
    stack.callback(watch.cancel)
    return resources


async def _watch(board: SimulatedBoard) -> None:
    while True:
        await asyncio.sleep(WATCHDOG_CHECK_SECONDS)
        board.watch()
