"""SCPI over a Link, common to all instruments: identity, error queue, blocks, numbers."""

import math
import re
from dataclasses import dataclass

from drivers.errors import CommandRefused
from drivers.link import Link

_ERROR_ENTRY = re.compile(r'([^,"]{1,24}), ?"(.*)"')
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
_BOOLEANS = {"ON": True, "OFF": False}
_BLOCK_START = re.compile(rb"#([1-9])(?=\d)")
_MAX_SHOWN_CHARACTERS = 80
# Instruments keep some tens of entries; an instrument that never says "No error" is broken.
_MAX_QUEUE_ENTRIES = 1000
_ASK_ERROR = b";:SYST:ERR?"


@dataclass(frozen=True)
class Identity:
    """The four fields of *IDN? (IEEE 488.2, 10.14)."""

    manufacturer: str
    model: str
    serial: str
    firmware: str


def identity(link: Link) -> Identity:
    """Ask *IDN?. Raises LinkGarbled if the answer is not four fields, LinkTimeout, LinkLost."""
    return identity_in(link, link.query("*IDN?"))


def identity_in(link: Link, answer: str) -> Identity:
    """Read the answer to *IDN?. Raises LinkGarbled if it is not four fields."""
    fields = [field.strip() for field in answer.split(",")]
    if len(fields) != 4 or not (fields[0] and fields[1]) or len(answer) > 256:
        raise link.garbled(f"not an identity: {answer[:_MAX_SHOWN_CHARACTERS]!r}")
    return Identity(*fields)


def checked_write(
    link: Link, command: str | bytes, *, timeout_seconds: float | None = None
) -> None:
    """Send a command and ask for the error queue in the same message: one exchange.

    Raises CommandRefused if the queue holds anything, LinkTimeout, LinkLost, LinkGarbled.
    """
    if checked_query(link, command, timeout_seconds=timeout_seconds):
        raise link.garbled(f"an answer to {abbreviated(command)}, which asks nothing")


def checked_query(
    link: Link, command: str | bytes, *, timeout_seconds: float | None = None
) -> list[str | bytes]:
    """Send queries and ask for the error queue in the same message; return their answers.

    A query that is refused answers with the error alone, so that the host waits for no answer that
    never comes. Raises CommandRefused if the queue holds anything, LinkTimeout, LinkLost,
    LinkGarbled.
    """
    answers, refused = query_with_refusal(link, command, timeout_seconds=timeout_seconds)
    if refused is not None:
        raise refused
    return answers


def query_with_refusal(
    link: Link, command: str | bytes, *, timeout_seconds: float | None = None
) -> tuple[list[str | bytes], CommandRefused | None]:
    """Send queries; return the answers that came and the refusal, None if nothing was refused.

    Raises LinkTimeout, LinkLost, LinkGarbled.
    """
    message = (command.encode("ascii") if isinstance(command, str) else command) + _ASK_ERROR
    with link.lock:
        *answers, last = link.query_elements(message, timeout_seconds=timeout_seconds)
        first = _error_entry(link, last)
        if first is None:
            return answers, None
        later = tuple(drain(link))
    return answers, CommandRefused(link.resource, abbreviated(command), *first, later=later)


def checked_query_block(
    link: Link, command: str | bytes, *, timeout_seconds: float | None = None
) -> bytes:
    """Send a query that one block answers; return the block.

    Raises LinkGarbled for any other answer, and what checked_query raises.
    """
    with link.lock:
        answers = checked_query(link, command, timeout_seconds=timeout_seconds)
        if len(answers) != 1 or not isinstance(answers[0], bytes):
            raise link.garbled(f"no block in answer to {abbreviated(command)}")
        return answers[0]


def drain(link: Link) -> list[tuple[int, str]]:
    """Empty the error queue; return its entries, oldest first."""
    entries: list[tuple[int, str]] = []
    while (entry := _error_entry(link, link.query(":SYST:ERR?"))) is not None:
        entries.append(entry)
        if len(entries) > _MAX_QUEUE_ENTRIES:
            raise link.garbled("an error queue without end")
    return entries


def real(link: Link, text: str | bytes) -> float:
    """Read a finite decimal number. Raises LinkGarbled."""
    if isinstance(text, str) and _NUMBER.fullmatch(text.strip()):
        number = float(text)
        if math.isfinite(number):
            return number
    raise link.garbled(f"not a number: {text[:_MAX_SHOWN_CHARACTERS]!r}")


def positive(link: Link, text: str | bytes) -> float:
    """Read a decimal number above 0. Raises LinkGarbled."""
    number = real(link, text)
    if number <= 0:
        raise link.garbled(f"not a positive number: {text[:_MAX_SHOWN_CHARACTERS]!r}")
    return number


def integer(link: Link, text: str | bytes) -> int:
    """Read a whole decimal number. Raises LinkGarbled."""
    number = real(link, text)
    if not number.is_integer():
        raise link.garbled(f"not a whole number: {text!r}")
    return int(number)


def boolean(link: Link, text: str | bytes) -> bool:
    """Read ON, OFF, or a number that is 0 or 1, however it is written (`+0`, `0.0`, `1E0`).

    Raises LinkGarbled.
    """
    word = text.strip().upper() if isinstance(text, str) else ""
    if word in _BOOLEANS:
        return _BOOLEANS[word]
    number = real(link, text)
    if number not in (0.0, 1.0):
        raise link.garbled(f"neither 0 nor 1: {text[:_MAX_SHOWN_CHARACTERS]!r}")
    return number == 1.0


def encode_block(data: bytes) -> bytes:
    """Return bytes as a definite-length block: #, digits of the length, length, data.

    Raises ValueError for 10^9 bytes or more.
    """
    length = str(len(data))
    if len(length) > 9:
        raise ValueError(f"{length} bytes do not fit a block")
    return f"#{len(length)}{length}".encode() + data


def abbreviated(command: str | bytes) -> str:
    """Return a command as an error message shows it: blocks by their length, at most 80 characters.

    Characters are counted after the blocks have been replaced.
    """
    if isinstance(command, str):
        command = command.encode("ascii", "replace")
    parts: list[bytes] = []
    at = 0
    while (block := _BLOCK_START.search(command, at)) is not None:
        start = block.end() + int(block[1])
        length = command[block.end() : start]
        if not length.isdigit():
            break
        parts += [command[at : block.start()], b"<%d bytes>" % int(length)]
        at = start + int(length)
    text = b"".join([*parts, command[at:]]).decode("ascii", "replace")
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else text[:_MAX_SHOWN_CHARACTERS] + "…"


def _error_entry(link: Link, answer: str | bytes) -> tuple[int, str] | None:
    """Read one answer of SYSTem:ERRor?; None when the queue is empty."""
    entry = _ERROR_ENTRY.fullmatch(answer.strip()) if isinstance(answer, str) else None
    if entry is None:
        raise link.garbled(f"no entry of the error queue: {answer[:_MAX_SHOWN_CHARACTERS]!r}")
    number = integer(link, entry[1])
    return (number, entry[2].replace('""', '"')) if number else None
