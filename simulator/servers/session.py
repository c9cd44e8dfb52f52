"""One host's conversation with an instrument, whatever the wire: turns, order, cancellation."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, cast

from simulator.scpi import Framer, Overrun
from simulator.steps import Steps, finish

CHUNK_BYTES = 2**14
MAX_WORK_SECONDS = 0.005
"""Work, s, after which the event loop has its turn: wires, timers, the watchdog."""

_logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[None]]
Deliver = Callable[[bytes, bytes, Send], Awaitable[None]]
"""Sends a reply, perhaps spoiled: called with message, reply and a function that sends bytes.

It raises ConnectionCut to end the connection.
"""


class ConnectionCut(Exception):
    """The connection must end at once, without an orderly close."""


class Session(Protocol):
    """The instrument's side of one host's conversation."""

    def message_came(self) -> None:
        """Note that a message has arrived and waits for its turn."""

    def needs_turn(self, message: bytes) -> bool:
        """Return whether a message must wait until no other message is being executed."""

    def steps(self, message: bytes) -> Steps[bytes]:
        """Execute a program message; return the response with its line feed, or nothing."""

    def overrun(self) -> None:
        """Report a message that was too long and has been discarded (-363)."""

    def end(self) -> None:
        """Note that the host sends nothing more; it may still be answered."""

    def close(self) -> None:
        """End the session."""


class Instrument(Protocol):
    """An instrument as a server needs it; several sessions share one."""

    @property
    def power_ons(self) -> int:
        """Number of times it was switched on; each one drops all that was received before."""

    @property
    def turn(self) -> asyncio.Lock:
        """Held by the session whose message is executed: one message at a time, in turns."""

    def open_session(self) -> Session:
        """Begin a session."""


async def send_as_it_is(_message: bytes, reply: bytes, send: Send) -> None:
    """Send a reply over a faultless wire."""
    await send(reply)


async def converse(
    instrument: Instrument, receive: Receive, send: Send, deliver: Deliver = send_as_it_is
) -> None:
    """Execute the messages that `receive` brings and send the answers, until the host leaves.

    `receive` returns b"" at the end of the stream; it and `send` may raise OSError on a broken
    wire. One chunk is received ahead, so that the end of the stream is noticed at once. While
    `send` waits for a slow host nothing more is received, so that memory stays bounded. The
    messages of a host that has left are still executed. A faulty wire is a `deliver` that delays,
    tears or garbles. Raises ConnectionCut where `deliver` does.
    """
    framer, power_ons = Framer(), instrument.power_ons
    session = instrument.open_session()
    ahead = _receive_ahead(receive, session)
    try:
        while data := await ahead:
            ahead = _receive_ahead(receive, session)
            if instrument.power_ons != power_ons:
                framer, power_ons = Framer(), instrument.power_ons
            for message in framer.feed(data):
                if isinstance(message, Overrun):
                    session.overrun()
                    continue
                response = await _carry_out(instrument, session, message)
                if response:
                    with suppress(OSError):  # the host may have left; its other messages count
                        await deliver(message, response, send)
                if instrument.power_ons != power_ons:
                    break  # the messages received behind it are lost
                await asyncio.sleep(0)  # other sessions with a waiting message come first
    except ConnectionCut:
        raise
    except OSError as error:
        _logger.debug("the host has gone: %s", error)
    except Exception:
        _logger.exception("a fault in the instrument ended a session")
    finally:
        session.close()
        ahead.cancel()
        await asyncio.wait([ahead])  # it uses the wire, which is closed next


def _receive_ahead(receive: Receive, session: Session) -> asyncio.Task[bytes]:
    ahead = asyncio.create_task(_received(receive))
    ahead.add_done_callback(partial(_notice_end, session))
    return ahead


async def _received(receive: Receive) -> bytes:
    return await receive()


def _notice_end(session: Session, ahead: asyncio.Task[bytes]) -> None:
    if ahead.cancelled() or ahead.exception() or not ahead.result():
        session.end()


async def _carry_out(instrument: Instrument, session: Session, message: bytes) -> bytes:
    """Execute a message in its turn; return nothing where the power has failed meanwhile."""
    session.message_came()
    power_ons, steps = instrument.power_ons, session.steps(message)
    try:
        if not session.needs_turn(message):
            return finish(steps)
        while True:
            async with instrument.turn:
                if instrument.power_ons != power_ons:
                    return b""  # the messages received before are lost
                response = await _work(instrument, steps)
            if response is not None:
                return response
            await asyncio.sleep(0)
    finally:
        steps.close()


async def _work(instrument: Instrument, steps: Steps[bytes]) -> bytes | None:
    """Carry out steps until the response, or until other sessions may come first (None).

    The event loop has its turn in between.
    """
    worked_since, power_ons = time.monotonic(), instrument.power_ons
    while True:
        try:
            owed_seconds = next(steps)
        except StopIteration as done:
            return cast(bytes, done.value)
        if owed_seconds is None:
            return None
        if owed_seconds or time.monotonic() - worked_since > MAX_WORK_SECONDS:
            await asyncio.sleep(owed_seconds)
            worked_since = time.monotonic()
            if instrument.power_ons != power_ons:
                return b""  # the power failed during another session's message
