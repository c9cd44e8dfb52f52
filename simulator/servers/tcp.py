"""The server of an instrument on a TCP socket: a raw stream, one session per connection."""

import asyncio
import ipaddress
import logging
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from simulator.servers.session import (
    CHUNK_BYTES,
    ConnectionCut,
    Deliver,
    Instrument,
    converse,
    send_as_it_is,
)

_RETRY_SECONDS = 0.1
MAX_SESSIONS = 64

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TcpServer:
    """A listening server; `close` also ends the sessions."""

    port: int
    _task: asyncio.Task[None]
    _sessions: dict[asyncio.Task[None], socket.socket]

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def reset(self) -> None:
        """Reset every connection, as a power cycle does."""
        for session, connection in self._sessions.items():
            _reset_when_closed(connection)
            session.cancel()


async def serve_tcp(
    instrument: Instrument,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    deliver: Deliver = send_as_it_is,
    max_sessions: int = MAX_SESSIONS,
) -> TcpServer:
    """Listen on a loopback address; port 0 takes a free port.

    A connection beyond `max_sessions` at once is closed as soon as it is accepted.

    Raises ValueError if `host` is no loopback address (the simulator asks for no password),
    OSError if the port is taken.
    """
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"{host} is no loopback address: the simulator serves this machine only")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    listener = socket.create_server((str(address), port), family=family, backlog=128)
    listener.setblocking(False)
    sessions: dict[asyncio.Task[None], socket.socket] = {}
    task = asyncio.create_task(_accept(instrument, listener, deliver, sessions, max_sessions))
    # Not in the task: a task that is cancelled before it first runs would close nothing.
    task.add_done_callback(lambda _: listener.close())
    return TcpServer(listener.getsockname()[1], task, sessions)


async def _accept(
    instrument: Instrument,
    listener: socket.socket,
    deliver: Deliver,
    sessions: dict[asyncio.Task[None], socket.socket],
    max_sessions: int,
) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        while True:
            try:
                connection = await _next_connection(loop, listener)
            except OSError as error:  # out of descriptors, or the client has left again
                _logger.warning("accepting a connection: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if len(sessions) >= max_sessions:
                _logger.warning("refused a connection beyond %d", max_sessions)
                connection.close()
                continue
            session = group.create_task(_serve(instrument, connection, deliver))
            sessions[session] = connection
            session.add_done_callback(partial(_close, sessions))


async def _next_connection(
    loop: asyncio.AbstractEventLoop, listener: socket.socket
) -> socket.socket:
    """Return the next connection, which is never lost: not even where the server ends as it comes.

    Raises OSError as accept() does.
    """
    accepting = asyncio.ensure_future(loop.sock_accept(listener))
    try:
        connection, _ = await asyncio.shield(accepting)
    except asyncio.CancelledError:
        await asyncio.sleep(0)  # what has been accepted arrives in this turn of the loop
        if accepting.done() and not accepting.exception():
            accepting.result()[0].close()
        accepting.cancel()
        raise
    return connection


async def _serve(instrument: Instrument, connection: socket.socket, deliver: Deliver) -> None:
    loop = asyncio.get_running_loop()

    async def receive() -> bytes:
        return await loop.sock_recv(connection, CHUNK_BYTES)

    async def send(response: bytes) -> None:
        await loop.sock_sendall(connection, response)

    with suppress(OSError):  # some systems refuse it when the client has left again
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await converse(instrument, receive, send, deliver)
    except ConnectionCut:
        _reset_when_closed(connection)


def _reset_when_closed(connection: socket.socket) -> None:
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    with suppress(OSError):  # it is closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def _close(sessions: dict[asyncio.Task[None], socket.socket], session: asyncio.Task[None]) -> None:
    sessions.pop(session).close()
