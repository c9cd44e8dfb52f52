"""Framing: a byte stream as program messages. A line feed ends one, except inside a block."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 16 * 2**20
MAX_MESSAGE_TEXT_BYTES = 2**16
"""Maximum bytes of a message outside its blocks: parsing text takes time, all of it at once."""

_LF = b"\n"
_TEXT_STOPS = re.compile(rb"[\n\"']|#(?=[0-9]|\Z)")
_REST_STOPS = re.compile(rb"\n")
# A string ends at the line feed too: one forgotten quote must not swallow the messages behind it.
_QUOTED_STOPS = {b'"': re.compile(rb"[\n\"]"), b"'": re.compile(rb"[\n']")}


@dataclass(frozen=True)
class Overrun:
    """The place of a message that was longer than a limit and has been discarded."""


class Framer:
    """Collects the bytes of one connection; the work is linear in the bytes, however torn.

    A block longer than the limit is skipped by its stated length, since its bytes may hold line
    feeds. A stated length of more than 16 limits is ignored, because one garbled digit would deafen
    the connection for a gigabyte: that message ends at the next line feed.
    """

    def __init__(
        self, limit: int = MAX_MESSAGE_BYTES, text_limit: int = MAX_MESSAGE_TEXT_BYTES
    ) -> None:
        self._limit = limit
        self._text_limit = text_limit
        self._begin_message()

    def feed(self, data: bytes) -> Iterator[bytes | Overrun]:
        """Yield the messages that `data` completes, in order, without LF or CR LF.

        `data` is consumed as the messages are requested.
        """
        position = 0
        while position < len(data):
            if self._block_left:
                position = self._take_block(data, position)
            elif self._header:
                position = self._take_header(data, position)
            else:
                stop = self._stops.search(data, position)
                end = stop.end() if stop else len(data)
                if stop and stop[0] == _LF:
                    self._keep_text(data[position : end - 1])
                    message = self._message_or_overrun()
                    self._begin_message()
                    position = end
                    yield message
                else:
                    self._keep_text(data[position:end])
                    if stop:
                        self._enter(stop[0])
                position = end

    def _begin_message(self) -> None:
        self._message = bytearray()
        self._text_bytes = 0
        self._too_long = False
        self._stops = _TEXT_STOPS
        self._header = b""  # a block's header as far as it has come
        self._block_left = 0
        self._block_end = 0

    def _keep_text(self, chunk: bytes) -> None:
        self._text_bytes += len(chunk)
        if self._text_bytes > self._text_limit:
            self._overflow()
        self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        if not self._too_long:
            self._message += chunk
            if len(self._message) > self._limit:
                self._overflow()

    def _overflow(self) -> None:
        self._too_long = True
        self._message = bytearray()

    def _enter(self, stop: bytes) -> None:
        if stop == b"#":
            self._header = stop
        elif self._stops is _TEXT_STOPS:
            self._stops = _QUOTED_STOPS[stop]
        else:
            self._stops = _TEXT_STOPS

    def _take_header(self, data: bytes, position: int) -> int:
        byte = data[position : position + 1]
        if self._header == b"#" and byte == b"0":
            self._header = b""
            self._stops = _REST_STOPS  # indefinite: only the end of the message ends it
            return position
        if not byte.isdigit():
            self._header = b""  # no block after all; the byte is looked at as text
            return position
        self._keep_text(byte)
        self._header += byte
        if len(self._header) == 2 + int(self._header[1:2]):
            self._begin_block(int(self._header[2:]))
        return position + 1

    def _begin_block(self, length: int) -> None:
        self._header = b""
        if not self._too_long and len(self._message) + length > self._limit:
            self._overflow()
        if length > 16 * self._limit:
            self._stops = _REST_STOPS
        else:
            self._block_left = length
            self._block_end = len(self._message) + length

    def _take_block(self, data: bytes, position: int) -> int:
        end = min(position + self._block_left, len(data))
        self._block_left -= end - position
        self._keep(data[position:end])
        return end

    def _message_or_overrun(self) -> bytes | Overrun:
        if self._too_long:
            return Overrun()
        if self._message.endswith(b"\r") and len(self._message) > self._block_end:
            del self._message[-1:]
        return bytes(self._message)
