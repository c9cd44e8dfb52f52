"""Definite-length arbitrary blocks: `#`, a digit d, d digits of length, bytes (488.2, 7.7.6)."""

import re
from typing import NamedTuple

_HEADER = re.compile(rb"#([1-9])")


class BlockSpan(NamedTuple):
    """The place of a block's bytes in a message; `end` may lie behind the end of a torn message."""

    start: int
    end: int


def block_span(message: bytes, position: int) -> BlockSpan | None:
    """Return the span of the definite-length block that begins at `position`, None without one."""
    header = _HEADER.match(message, position)
    if header is None:
        return None
    start = header.end() + int(header[1])
    length = message[header.end() : start]
    if start > len(message) or not length.isdigit():
        return None
    return BlockSpan(start, start + int(length))


def encode_block(payload: bytes) -> bytes:
    """Return the payload as a definite-length block. Raises ValueError for 10^9 bytes or more."""
    length = str(len(payload))
    if len(length) > 9:
        raise ValueError(f"{length} bytes do not fit into one block")
    return f"#{len(length)}{length}".encode("ascii") + payload
