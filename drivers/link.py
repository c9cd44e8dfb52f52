"""One wire between an instrument and its driver: whole exchanges, deadlines, recovery, a trace.

An exchange is one message and, if it asks, the one response to it. A link is dirty from the moment
an exchange begins until it ends well; whatever cuts an exchange short (a timeout, rubbish,
Ctrl-C) leaves it dirty, and the next exchange first recovers, so that no answer ever goes to
another question than its own.
"""

import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from drivers.byte_streams import ByteStream, open_stream
from drivers.errors import InstrumentError, LinkGarbled, LinkLost, LinkTimeout
from drivers.response import read_response

Trace = Callable[[Literal["sent", "received"], float, bytes], None]

_log = logging.getLogger(__name__)
_MAX_LOGGED_BYTES = 160
_PIECE_BYTES = 1 << 15
_NONCE_ANSWER_BYTES = 64
# Two numbers of up to 255, as IEEE 488.2 may write them: `32`, `+32`, `32.0`, `3.2E+1`.
_SMALL_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?"
_TWO_NUMBERS = re.compile(rb"(?:\A|[^0-9.eE+-])(%b); ?(%b)\r?\n\Z" % (_SMALL_NUMBER, _SMALL_NUMBER))


class Link:
    """A VISA resource as a sequence of exchanges; threads may share it.

    Hold `lock` to make several exchanges one. `exchanges`, `bytes_sent` and `bytes_received` count,
    recovery included. `trace` is called with the direction, the time of time.monotonic() in seconds
    and the bytes of every message. `greeting`, if there is one, is a message that asks nothing and
    goes ahead of all others after every recovery, so that it is the first that a new session hears.
    """

    def __init__(
        self,
        resource: str,
        *,
        timeout_seconds: float = 5.0,
        trace: Trace | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Opens the resource. `check` is called before every exchange; what it raises ends it.

        Raises LinkLost if nobody is there, InstrumentError if the name is not that of a raw socket
        or a serial port.
        """
        self.resource = resource
        self.timeout_seconds = timeout_seconds
        self.lock = threading.RLock()
        self.bytes_sent = 0
        self.bytes_received = 0
        self.exchanges = 0
        self.greeting: bytes | None = None
        # Held for one exchange, where `lock` may be held for as long as its holder computes.
        self._exchanging = threading.Lock()
        self._trace = trace
        self._check = check
        self._closed = False
        self._busy_until = 0.0
        self._unsent_bytes = 0
        self._nonce = 1 + secrets.randbelow(255)
        self._stream: ByteStream | None = open_stream(resource, time.monotonic() + timeout_seconds)
        # A serial port may still carry answers to a program that has gone.
        self._dirty = not self._stream.new_session_when_reopened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, message: str | bytes, *, timeout_seconds: float | None = None) -> None:
        """Sends a message that asks nothing. Raises LinkTimeout, LinkLost."""
        self._exchange(message, timeout_seconds, answered=False)

    def query(self, message: str | bytes, *, timeout_seconds: float | None = None) -> str:
        """Sends a message, returns the response as text.

        Raises LinkTimeout, LinkLost, LinkGarbled.
        """
        with self.lock:
            elements = self._exchange(message, timeout_seconds, answered=True)
            texts = [element for element in elements if isinstance(element, str)]
            if len(texts) < len(elements):
                raise self.garbled("a block where text was asked for")
            return ";".join(texts)

    def query_elements(
        self, message: str | bytes, *, timeout_seconds: float | None = None
    ) -> list[str | bytes]:
        """Sends a message, returns the elements of the response: text as str, blocks as bytes.

        Raises LinkTimeout, LinkLost, LinkGarbled.
        """
        return self._exchange(message, timeout_seconds, answered=True)

    def garbled(self, text: str) -> LinkGarbled:
        """Returns the error for an answer that makes no sense, and has the link recover."""
        self._dirty = True
        return LinkGarbled(self.resource, text)

    @property
    def answers_by(self) -> float:
        """When the instrument should have answered what it is asked now, a time of
        time.monotonic(): it may still be at work on what was cut short.
        """
        return max(time.monotonic(), self._busy_until) + self.timeout_seconds

    def feed(self, message: bytes, *, timeout_seconds: float) -> None:
        """Asks something in between, whoever holds `lock`, unless an exchange is under way.

        For a thread that keeps the instrument from taking this host for dead. Neither counted nor
        raised: after what fails the link is dirty, and the next exchange finds out.
        """
        if not self._exchanging.acquire(blocking=False):
            return
        counted = self.bytes_sent, self.bytes_received
        try:
            if not self._closed:
                self._exchange_now(message + b"\n", timeout_seconds, answered=True)
        except InstrumentError:
            pass
        finally:
            self.bytes_sent, self.bytes_received = counted
            self._exchanging.release()

    def close(self) -> None:
        """Closes the wire; the link cannot be used afterwards. May be called again."""
        with self.lock, self._exchanging:
            self._closed = True
            self._drop_stream()

    def _exchange(
        self, message: str | bytes, timeout_seconds: float | None, *, answered: bool
    ) -> list[str | bytes]:
        self._check()
        data = _framed(message)
        allowed = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        with self.lock, self._exchanging:
            elements = self._exchange_now(data, allowed, answered=answered)
            self.exchanges += 1
            return elements

    def _exchange_now(
        self, data: bytes, allowed_seconds: float, *, answered: bool
    ) -> list[str | bytes]:
        try:
            wire, deadline = self._ready_stream(allowed_seconds)
            self._dirty = True
            self._busy_until = deadline
            self._send(wire, data, deadline)
            elements = self._receive_response(wire, deadline) if answered else []
        except LinkTimeout as error:
            text = f"{error.text} within {allowed_seconds:g} s"
            raise LinkTimeout(self.resource, text) from error
        except LinkLost:
            self._drop_stream()
            raise
        self._dirty = False
        self._busy_until = 0.0
        return elements

    def _ready_stream(self, allowed_seconds: float) -> tuple[ByteStream, float]:
        """Returns a wire on which nothing is under way, and the deadline of the exchange."""
        if self._closed:
            raise LinkLost(self.resource, "the link is closed: open the bench again")
        now = time.monotonic()
        if self._stream is not None and not self._dirty and not self._stream.has_unread():
            return self._stream, now + allowed_seconds
        # The instrument may be at work on what was cut short for as long as that had.
        deadline = max(now, self._busy_until) + allowed_seconds
        self._dirty = True
        if self._stream is not None and self._stream.new_session_when_reopened:
            self._drop_stream()
        if self._stream is None:
            self._stream = open_stream(self.resource, deadline)
        if not self._stream.new_session_when_reopened:
            self._resynchronize(self._stream, deadline)
        self._unsent_bytes = 0
        if self.greeting is not None:
            self._send(self._stream, self.greeting + b"\n", deadline)
        return self._stream, deadline

    def _resynchronize(self, wire: ByteStream, deadline: float) -> None:
        """Asks for a number nobody else has asked for, and drops all that comes before it.

        The instrument may be in the middle of a block of which the rest was never sent: as many
        line feeds as are missing end it, and behind a message's end they are empty messages. The
        errors this queues tell of a message whose sender knows that it failed: they are cleared.
        """
        self._nonce = (self._nonce + secrets.randbelow(254)) % 255 + 1
        clear = "*CLS;" if self._unsent_bytes else ""
        asking = f"{clear}*ESE?;*ESE {self._nonce};*ESE?\n".encode()
        self._send(wire, b"\n" * self._unsent_bytes + asking, deadline)
        last = b""
        while (found := _TWO_NUMBERS.search(last)) is None or float(found[2]) != self._nonce:
            data = wire.receive(deadline)
            self.bytes_received += len(data)
            self._tell("received", data)
            last = (last + data)[-_NONCE_ANSWER_BYTES:]
        self._send(wire, b"*ESE %d\n" % float(found[1]), deadline)

    def _send(self, wire: ByteStream, data: bytes, deadline: float) -> None:
        self._tell("sent", data)
        # Counted down piece by piece, so that it is never less than what is missing.
        self._unsent_bytes = len(data)
        view = memoryview(data)
        for start in range(0, len(data), _PIECE_BYTES):
            piece = view[start : start + _PIECE_BYTES]
            wire.send(piece, deadline)
            self._unsent_bytes -= len(piece)
            self.bytes_sent += len(piece)

    def _receive_response(self, wire: ByteStream, deadline: float) -> list[str | bytes]:
        received = bytearray()

        def fill() -> None:
            received.extend(wire.receive(deadline))

        try:
            return read_response(received, fill)
        except ValueError as error:
            raise LinkGarbled(self.resource, f"no valid answer: {error}") from error
        except LinkTimeout as error:
            if not received:
                raise
            text = f"only {len(received)} bytes of an answer"
            raise LinkTimeout(self.resource, text) from error
        finally:
            self.bytes_received += len(received)
            if received:
                self._tell("received", bytes(received))

    def _tell(self, direction: Literal["sent", "received"], data: bytes) -> None:
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug(
                "%s %s %d bytes: %r", self.resource, direction, len(data), data[:_MAX_LOGGED_BYTES]
            )
        if self._trace is not None:
            self._trace(direction, time.monotonic(), bytes(data))

    def _drop_stream(self) -> None:
        wire, self._stream = self._stream, None
        if wire is not None:
            wire.close()


def _framed(message: str | bytes) -> bytes:
    """The bytes of a program message. A line feed in text would begin a second message."""
    if isinstance(message, bytes):
        return message + b"\n"
    if "\n" in message:
        raise ValueError(f"a line feed inside a message: {message!r}")
    return message.encode("ascii") + b"\n"
