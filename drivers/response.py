"""The response message: where it ends, and the elements it consists of.

A response is a list of elements separated by `;` and ends with line feed. An element is text or a
definite-length block (IEEE 488.2, 8.7.9); inside a block the stated length alone counts.
"""

import re
from collections.abc import Callable

# The protocol limits an answer to 16 MiB; block headers, text and further elements add a little.
MAX_RESPONSE_BYTES = (16 << 20) + (64 << 10)

_TEXT_DELIMITER = re.compile(rb'[;"\n]')
_PRINTABLE = re.compile(r"[\t -~]*")


def read_response(received: bytearray, fill: Callable[[], None]) -> list[str | bytes]:
    """Read one response message and return its elements: text as str, blocks as bytes.

    `fill` appends at least one byte to `received`, or raises an exception that passes through.
    Raises ValueError, which says what is wrong, for bytes that are no response message, for more
    than MAX_RESPONSE_BYTES, and for bytes behind the end of the message.
    """
    elements: list[str | bytes] = []
    at = 0

    def need(size: int) -> None:
        if size > MAX_RESPONSE_BYTES:
            raise ValueError(f"an answer of more than {MAX_RESPONSE_BYTES} bytes")
        while len(received) < size:
            fill()

    while True:
        need(at + 1)
        if received[at] == ord("#"):
            need(at + 2)
        if received[at] == ord("#") and received[at + 1 : at + 2].isdigit():
            at, block = _read_block(received, at, need)
            elements.append(block)
        else:
            at, text = _read_text(received, at, need)
            elements.append(text)
        if received[at] == ord("\n"):
            break
        at += 1
    if len(received) > at + 1:
        raise ValueError(f"{len(received) - at - 1} bytes behind the end of the answer")
    return elements


def _read_block(received: bytearray, at: int, need: Callable[[int], None]) -> tuple[int, bytes]:
    """Read the block that starts at `at`; return the place of its separator, and its data."""
    digits = received[at + 1] - ord("0")
    if digits == 0:
        raise ValueError("a block of indefinite length")
    start = at + 2 + digits
    need(start)
    stated = bytes(received[at + 2 : start])
    if not stated.isdigit():
        raise ValueError(f"a block whose length reads {stated!r}")
    end = start + int(stated)
    need(end + 1)
    separator = end
    if received[separator] == ord("\r"):
        need(end + 2)
        separator += 1
    if received[separator] not in b";\n":
        raise ValueError(f"a block of {int(stated)} bytes that does not end there")
    return separator, bytes(memoryview(received)[start:end])


def _read_text(received: bytearray, at: int, need: Callable[[int], None]) -> tuple[int, str]:
    """Read the text that starts at `at`; return the place of its separator, and the text."""
    scan, quoted = at, False
    while True:
        delimiter = _TEXT_DELIMITER.search(received, scan)
        if delimiter is None:
            scan = len(received)
            need(scan + 1)
            continue
        mark, end = delimiter.group(), delimiter.start()
        if mark == b'"':
            quoted = not quoted
        elif mark == b"\n" or not quoted:
            break
        scan = end + 1
    if quoted:
        raise ValueError("a string that does not end")
    text = received[at:end].decode("latin-1").removesuffix("\r")
    if not _PRINTABLE.fullmatch(text):
        raise ValueError(f"characters that are no text: {text[:40]!r}")
    return end, text
