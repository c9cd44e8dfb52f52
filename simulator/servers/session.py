"""One host's conversation with an instrument, whatever the wire."""

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
"""After so much work the event loop has its turn: wires, timers, the watchdog."""

_logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[None]]
Deliver = Callable[[bytes, bytes, Send], Awaitable[None]]
"""Sends the reply to a message (message, reply, how), soundly or not; raises ConnectionCut to end
the connection.
"""


class ConnectionCut(Exception):
    """The connection is to end now, and not in an orderly way."""


class Session(Protocol):
    """One host's conversation with an instrument, as the instrument sees it."""

    def message_came(self) -> None:
        """Takes note that a message has arrived and waits for its turn."""

    def needs_turn(self, message: bytes) -> bool:
        """Tells whether a message must wait until no other is being executed."""

    def steps(self, message: bytes) -> Steps[bytes]:
        """Carries out a program message; the response with its line feed, or nothing."""

    def overrun(self) -> None:
        """Takes note that a message was too long and has been thrown away (-363)."""

    def end(self) -> None:
        """Takes note that the host sends nothing more; it may still be answered."""

    def close(self) -> None:
        """Ends the session."""


class Instrument(Protocol):
    """What a server needs of an instrument; several sessions share one."""

    @property
    def power_ons(self) -> int:
        """How often it has been switched on; what it received before has gone."""

    @property
    def turn(self) -> asyncio.Lock:
        """Held by the session whose message is carried out: one at a time, in turns."""

    def open_session(self) -> Session:
        """Begins a conversation."""


async def send_as_it_is(_message: bytes, reply: bytes, send: Send) -> None:
    """Delivers a reply over a sound wire."""
    await send(reply)


async def converse(
    instrument: Instrument, receive: Receive, send: Send, deliver: Deliver = send_as_it_is
) -> None:
    """Executes what `receive` brings and sends the answers, until the host has gone.

    `receive` gives b"" at the end of the stream; both may raise OSError on a broken wire. One
    chunk is received ahead, so that a host that has gone is noticed at once. While
    `send` waits for a slow host nothing more is received, so what is held for it stays bounded. The
    commands of a host that has gone are carried out all the same. A faulty wire is a `deliver`
    that delays, tears or garbles. Raises ConnectionCut where that does.
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
                    with suppress(OSError):  # the host may have gone; its other commands count
                        await deliver(message, response, send)
                if instrument.power_ons != power_ons:
                    break  # what had been received behind it has gone
                await asyncio.sleep(0)  # whoever else has sent something comes first
    except ConnectionCut:
        raise
    except OSError as error:
        _logger.debug("the host has gone: %s", error)
    except Exception:
        _logger.exception("a fault in the instrument ended a session")
    finally:
        session.close()
        ahead.cancel()
        await asyncio.wait([ahead])  # it holds on to the wire, which is closed next


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
    """Carry out a message when it has its turn; empty where the power has failed meanwhile."""
    session.message_came()
    power_ons, steps = instrument.power_ons, session.steps(message)
    try:
        if not session.needs_turn(message):
            return finish(steps)
        while True:
            async with instrument.turn:
                if instrument.power_ons != power_ons:
                    return b""  # what had been received has gone
                response = await _work(instrument, steps)
            if response is not None:
                return response
            await asyncio.sleep(0)
    finally:
        steps.close()


async def _work(instrument: Instrument, steps: Steps[bytes]) -> bytes | None:
    """Carry out steps to the response, or until others may come first, and let the event loop live
    meanwhile.
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
                return b""  # another session's message met the end of the power
