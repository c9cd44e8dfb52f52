"""One host's conversation with an instrument, whatever the wire."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from simulator.scpi import Framer, Overrun

CHUNK_BYTES = 2**16

_logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[None]]
Deliver = Callable[[bytes, Send], Awaitable[None]]
"""Sends a reply by `Send`, soundly or not; raises WireCut to end the connection."""


class WireCut(Exception):
    """The connection is to end now, and not in an orderly way."""


class Instrument(Protocol):
    """What a server needs of an instrument; several sessions share one."""

    @property
    def power_ons(self) -> int:
        """How often it has been switched on; what it received before has gone."""

    def execute(self, message: bytes) -> bytes:
        """Carries out a program message; the response with its line feed, or nothing."""

    def overrun(self) -> None:
        """Takes note that a message was too long and has been thrown away (-363)."""


async def send_as_it_is(reply: bytes, send: Send) -> None:
    """Delivers a reply over a sound wire."""
    await send(reply)


async def converse(
    instrument: Instrument, receive: Receive, send: Send, deliver: Deliver = send_as_it_is
) -> None:
    """Executes what `receive` brings and sends the answers, until the host has gone.

    `receive` gives b"" at the end of the stream; both may raise OSError on a broken wire. While
    `send` waits for a slow host nothing is received, so what is held for it stays bounded. The
    commands of a host that has gone are carried out all the same. A faulty wire is a `deliver`
    that delays, tears or garbles. Raises WireCut where that does.
    """
    framer, power_ons = Framer(), instrument.power_ons
    try:
        while data := await receive():
            if instrument.power_ons != power_ons:
                framer, power_ons = Framer(), instrument.power_ons
            for message in framer.feed(data):
                if isinstance(message, Overrun):
                    instrument.overrun()
                    continue
                response = instrument.execute(message)
                if response:
                    with suppress(OSError):  # the host may have gone; its other commands count
                        await deliver(response, send)
                if instrument.power_ons != power_ons:
                    break  # what had been received behind it has gone
            await asyncio.sleep(0)  # a host that never pauses must not keep the others waiting
    except WireCut:
        raise
    except OSError as error:
        _logger.debug("the host has gone: %s", error)
    except Exception:
        _logger.exception("a fault in the instrument ended a session")
