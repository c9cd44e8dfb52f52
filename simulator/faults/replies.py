"""Faults of replies: late, torn, garbled, dropped, duplicated, reset."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from simulator.faults.plan import FaultPlan, LateReply, ReplyFault, SpoiledReply, TornReply
from simulator.faults.timing import Strikes, lasts
from simulator.random_streams import random_stream
from simulator.servers import ConnectionCut, Send

Now = Callable[[], tuple[float, int]]
"""Seconds on the bench's clock, and the number of the program message that was last executed."""


class FaultyReplies:
    """Sends replies as the faults of a plan leave them."""

    def __init__(self, plan: FaultPlan, now: Now, strikes: Sequence[Strikes]) -> None:
        """Prepare the reply faults of a plan; `strikes` records them, one for each fault of it."""
        self._now = now
        self._faults = [
            (fault, random_stream(plan.seed, name), struck)
            for fault, name, struck in zip(plan.fault, plan.stream_names(), strikes, strict=True)
            if isinstance(fault, ReplyFault)
        ]

    def deliver(self, reply: bytes, send: Send) -> Awaitable[None]:
        """Send a reply, or what a fault leaves of it. Raises ConnectionCut where it ends the wire.

        Which fault strikes is decided at once, not when the result is awaited: replies count in the
        order in which their messages were executed.
        """
        seconds, operation = self._now()
        struck = [self._strikes(*entry, seconds, operation) for entry in self._faults]
        for (fault, random, strikes), strikes_now in zip(self._faults, struck, strict=True):
            if strikes_now:
                strikes.note(seconds, operation)
                return _spoil(fault, random, reply, send)
        return send(reply)

    @staticmethod
    def _strikes(
        fault: ReplyFault,
        random: np.random.Generator,
        strikes: Strikes,
        seconds: float,
        operation: int,
    ) -> bool:
        if not lasts(fault, seconds, operation):
            return False
        if fault.probability is not None:
            return bool(random.random() < fault.probability)
        if not strikes.count:
            return True
        if fault.every_operations is None:
            return False
        return operation >= strikes.last_operation + fault.every_operations


async def _spoil(fault: ReplyFault, random: np.random.Generator, reply: bytes, send: Send) -> None:
    match fault:
        case LateReply():
            await asyncio.sleep(fault.delay_seconds)
            await send(reply)
        case TornReply():
            part = int(random.integers(1, len(reply)))
            await send(reply[:part])
            if fault.delay_seconds is not None:
                await asyncio.sleep(fault.delay_seconds)
                await send(reply[part:])
        case SpoiledReply(kind="reply_garbled"):
            await send(_garbled(reply, random))
        case SpoiledReply(kind="reply_duplicated"):
            await send(reply + reply)
        case SpoiledReply(kind="connection_reset"):
            raise ConnectionCut
        case SpoiledReply(kind="reply_dropped"):
            pass


def _garbled(reply: bytes, random: np.random.Generator) -> bytes:
    """Return a reply whose beginning is overwritten with bytes that are not ASCII.

    At most the line feed at its end is left.
    """
    length = int(random.integers(1, max(2, len(reply))))
    return random.integers(0x80, 0x100, length, dtype=np.uint8).tobytes() + reply[length:]
