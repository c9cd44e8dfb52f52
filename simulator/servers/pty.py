"""The server of an instrument on a pseudo-terminal, which a host opens like a serial port."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from simulator.servers.session import (
    CHUNK_BYTES,
    ConnectionCut,
    Deliver,
    Instrument,
    Send,
    converse,
    send_as_it_is,
)


class PtyUnavailableError(OSError):
    """The platform has no pseudo-terminals."""


@dataclass(frozen=True)
class PtyServer:
    """A serving pseudo-terminal; `path` is the device that a host opens."""

    path: str
    _task: asyncio.Task[None]
    _master: int

    def reset(self) -> None:
        """Drop the bytes that have come and were not read, as a power cycle does."""
        with suppress(BlockingIOError):
            while os.read(self._master, CHUNK_BYTES):
                pass

    async def close(self) -> None:
        """Hang up; the device disappears."""
        self._task.cancel()
        await asyncio.wait([self._task])


async def serve_pty(instrument: Instrument, *, deliver: Deliver = send_as_it_is) -> PtyServer:
    """Open a pseudo-terminal in raw mode and serve each host that opens its other end.

    Raises PtyUnavailableError where the platform has none.
    """
    if sys.platform == "win32":
        raise PtyUnavailableError("no pseudo-terminals on this platform: use the TCP link")
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    task = asyncio.create_task(_serve(instrument, master, deliver))
    # Not in the task: a task that is cancelled before it first runs would close nothing. The slave
    # stays open until then: otherwise a host that closes its end would end the line.
    task.add_done_callback(partial(_hang_up, master, slave))
    return PtyServer(os.ttyname(slave), task, master)


async def _serve(instrument: Instrument, master: int, deliver: Deliver) -> None:
    loop = asyncio.get_running_loop()

    async def receive() -> bytes:
        while True:
            try:
                return os.read(master, CHUNK_BYTES)
            except BlockingIOError:
                await _ready(master, loop.add_reader, loop.remove_reader)

    async def send(response: bytes) -> None:
        left = memoryview(response)
        while left:
            try:
                left = left[os.write(master, left) :]
            except BlockingIOError:
                await _ready(master, loop.add_writer, loop.remove_writer)

    async def deliver_or_drop(message: bytes, reply: bytes, send: Send) -> None:
        # A serial line has no connection to lose: its session lasts as long as the power.
        with suppress(ConnectionCut):
            await deliver(message, reply, send)

    await converse(instrument, receive, send, deliver_or_drop)


async def _ready(
    descriptor: int,
    watch: Callable[[int, Callable[[], None]], object],
    unwatch: Callable[[int], object],
) -> None:
    ready = asyncio.Event()
    watch(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        unwatch(descriptor)


def _hang_up(master: int, slave: int, _session: asyncio.Task[None]) -> None:
    os.close(master)
    os.close(slave)
