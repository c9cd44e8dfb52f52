"""The link between an instrument and its driver: whole exchanges, deadlines, recovery, a trace.

An exchange is one message and, if the message is a query, the one response to it. A link is dirty
from the start of an exchange until the exchange ends well. A timeout, a garbled answer or Ctrl-C
cuts an exchange short and leaves the link dirty; the next exchange first recovers, so that no
answer is ever taken for the answer to another query.
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
from drivers.errors import (
    InstrumentError,
    LinkGarbled,
    LinkLost,
    LinkTimeout,
    WrongInstrument,
)
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
    and the bytes of every message.

    `recognize`, unless it is None, is called with the answer to *IDN? after the resource was opened
    again, before anything else is sent; it raises WrongInstrument where another instrument answers.
    `greeting`, unless it is None, is a message without a query. It is sent ahead of all others
    after every recovery, so that it is the first message that a new session obeys.
    """

    def __init__(
        self,
        resource: str,
        *,
        timeout_seconds: float = 5.0,
        trace: Trace | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Open the resource.

        `check` is called before every exchange; an exception that it raises ends the exchange.
        Raises LinkLost if no instrument is there, InstrumentError if the name is not that of a raw
        socket or a serial port.
        """
        self.resource = resource
        self.timeout_seconds = timeout_seconds
        self.lock = threading.RLock()
        self.bytes_sent = 0
        self.bytes_received = 0
        self.exchanges = 0
        self.greeting: bytes | None = None
        self.recognize: Callable[[str], None] | None = None
        # Held for one exchange; `lock` may be held for as long as its holder computes.
        self._exchanging = threading.Lock()
        self._trace = trace
        self._check = check
        self._closed = False
        self._busy_until = 0.0
        self._unsent_bytes = 0
        self._nonce = 1 + secrets.randbelow(255)
        self._stream: ByteStream | None = open_stream(resource, time.monotonic() + timeout_seconds)
        self.session_lasts = not self._stream.new_session_when_reopened
        self._recognized = True  # whoever opens the link asks who answers
        # A serial port may still carry answers to a program that has ended.
        self._dirty = self.session_lasts

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
        """Send a message without a query. Raises LinkTimeout, LinkLost."""
        self._exchange(message, timeout_seconds, answered=False)

    def query(self, message: str | bytes, *, timeout_seconds: float | None = None) -> str:
        """Send a message, return the response as text.

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
        """Send a message, return the elements of the response: text as str, blocks as bytes.

        Raises LinkTimeout, LinkLost, LinkGarbled.
        """
        return self._exchange(message, timeout_seconds, answered=True)

    def garbled(self, text: str) -> LinkGarbled:
        """Return the error for an answer that makes no sense, and mark the link dirty."""
        self._dirty = True
        return LinkGarbled(self.resource, text)

    @property
    def answers_by(self) -> float:
        """The time of time.monotonic(), s, by which a query sent now should be answered.

        The instrument may first have to finish an exchange that was cut short.
        """
        return max(time.monotonic(), self._busy_until) + self.timeout_seconds

    @property
    def closed(self) -> bool:
        """Whether the link was closed for good."""
        return self._closed

    def check(self) -> None:
        """Raise what ends every exchange, if there is such a thing by now (see __init__)."""
        self._check()

    def feed(self, message: bytes, *, timeout_seconds: float) -> None:
        """Send a query between two exchanges, whoever holds `lock`; do nothing during an exchange.

        For the thread that shows the instrument that this host lives. The exchange is not counted
        and raises nothing: a failure leaves the link dirty, and the next exchange reports it.
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
        """Close the byte stream; the link cannot be used afterwards. May be called again."""
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
            stream, deadline = self._ready_stream(allowed_seconds)
            self._dirty = True
            self._busy_until = deadline
            self._send(stream, data, deadline)
            elements = self._receive_response(stream, deadline) if answered else []
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
        """Return a byte stream on which nothing is under way, and the deadline of the exchange."""
        if self._closed:
            raise LinkLost(self.resource, "the link is closed: open the bench again")
        now = time.monotonic()
        if self._stream is not None and not self._dirty and not self._stream.has_unread():
            return self._stream, now + allowed_seconds
        # The instrument may work on an interrupted exchange until that exchange's deadline.
        deadline = max(now, self._busy_until) + allowed_seconds
        self._dirty = True
        if self._stream is not None and self._stream.new_session_when_reopened:
            self._drop_stream()
        if self._stream is None:
            self._stream = open_stream(self.resource, deadline)
            self._recognized = False
        if not self._stream.new_session_when_reopened:
            self._resynchronize(self._stream, deadline)
        self._unsent_bytes = 0
        if not self._recognized and self.recognize is not None:
            self._ask_identity(self._stream, self.recognize, deadline)
        if self.greeting is not None:
            self._send(self._stream, self.greeting + b"\n", deadline)
        return self._stream, deadline

    def _ask_identity(
        self, stream: ByteStream, recognize: Callable[[str], None], deadline: float
    ) -> None:
        """Ask who answers on a stream that was opened again. Raises WrongInstrument."""
        for last in (False, True):
            self._send(stream, b"*IDN?\n", deadline)
            answer = self._receive_response(stream, deadline)
            try:
                recognize(";".join(element for element in answer if isinstance(element, str)))
            except WrongInstrument:
                # A byte of the first answer may have been damaged.
                if last:
                    self._drop_stream()
                    raise
            else:
                self._recognized = True
                return

    def _resynchronize(self, stream: ByteStream, deadline: float) -> None:
        """Query a number that no earlier query asked for, and drop all bytes that come before it.

        The instrument may be in the middle of a block whose rest was never sent. As many line feeds
        as bytes are missing complete the block; behind the end of a message they are empty
        messages. The errors that this queues belong to a message that has already been reported as
        failed: they are cleared.
        """
        self._nonce = (self._nonce + secrets.randbelow(254)) % 255 + 1
        clear = "*CLS;" if self._unsent_bytes else ""
        query = f"{clear}*ESE?;*ESE {self._nonce};*ESE?\n".encode()
        self._send(stream, b"\n" * self._unsent_bytes + query, deadline)
        tail = b""
        while (numbers := _TWO_NUMBERS.search(tail)) is None or float(numbers[2]) != self._nonce:
            data = stream.receive(deadline)
            self.bytes_received += len(data)
            self._record("received", data)
            tail = (tail + data)[-_NONCE_ANSWER_BYTES:]
        self._send(stream, b"*ESE %d\n" % float(numbers[1]), deadline)

    def _send(self, stream: ByteStream, data: bytes, deadline: float) -> None:
        self._record("sent", data)
        # Counted down piece by piece, so that it is never less than the bytes that are missing.
        self._unsent_bytes = len(data)
        view = memoryview(data)
        for start in range(0, len(data), _PIECE_BYTES):
            piece = view[start : start + _PIECE_BYTES]
            stream.send(piece, deadline)
            self._unsent_bytes -= len(piece)
            self.bytes_sent += len(piece)

    def _receive_response(self, stream: ByteStream, deadline: float) -> list[str | bytes]:
        received = bytearray()

        def fill() -> None:
            received.extend(stream.receive(deadline))

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
                self._record("received", bytes(received))

    def _record(self, direction: Literal["sent", "received"], data: bytes) -> None:
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug(
                "%s %s %d bytes: %r", self.resource, direction, len(data), data[:_MAX_LOGGED_BYTES]
            )
        if self._trace is not None:
            self._trace(direction, time.monotonic(), bytes(data))

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _framed(message: str | bytes) -> bytes:
    """Return the bytes of a program message, with its line feed.

    Raises ValueError for text with a line feed, which would begin a second message.
    """
    if isinstance(message, bytes):
        return message + b"\n"
    if "\n" in message:
        raise ValueError(f"a line feed inside a message: {message!r}")
    return message.encode("ascii") + b"\n"
