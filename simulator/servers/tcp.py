"""Serves an instrument on a TCP socket: a raw byte stream, one session per connection."""

import asyncio
import ipaddress
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from simulator.servers.session import CHUNK_BYTES, Instrument, converse

_RETRY_SECONDS = 0.1

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TcpServer:
    """A listening server; `close` also ends the sessions."""

    port: int
    _task: asyncio.Task[None]

    async def close(self) -> None:
        """Stops listening and closes every connection."""
        self._task.cancel()
        await asyncio.wait([self._task])


async def serve_tcp(instrument: Instrument, *, host: str = "127.0.0.1", port: int = 0) -> TcpServer:
    """Listens on a loopback address; port 0 takes a free one.

    Raises ValueError if `host` is no loopback address (the simulator asks for no password),
    OSError if the port is taken.
    """
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"{host} is no loopback address: the simulator serves this machine only")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    listener = socket.create_server((str(address), port), family=family, backlog=128)
    listener.setblocking(False)
    task = asyncio.create_task(_accept(instrument, listener))
    # Not in the task: one that is cancelled before it first runs closes nothing.
    task.add_done_callback(lambda _: listener.close())
    return TcpServer(listener.getsockname()[1], task)


async def _accept(instrument: Instrument, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as sessions:
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:  # out of descriptors, or the client has gone again
                _logger.warning("accepting a connection: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            session = sessions.create_task(_serve(instrument, connection))
            session.add_done_callback(partial(_close, connection))


async def _serve(instrument: Instrument, connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()

    async def receive() -> bytes:
        return await loop.sock_recv(connection, CHUNK_BYTES)

    async def send(response: bytes) -> None:
        await loop.sock_sendall(connection, response)

    with suppress(OSError):  # some systems refuse it when the client has gone again
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await converse(instrument, receive, send)


def _close(connection: socket.socket, _session: asyncio.Task[None]) -> None:
    connection.close()
