"""Answers as bytes on the wire (IEEE 488.2, chapter 8)."""

import math
from decimal import Decimal

from simulator.scpi.blocks import encode_block
from simulator.scpi.commands import Answer, AnswerPart


def encode_answer(answer: Answer) -> bytes:
    """Return a query's answer as bytes. Raises TypeError without one, ValueError for non-ASCII."""
    if isinstance(answer, tuple):
        return b",".join(_encode_part(part) for part in answer)
    return _encode_part(answer)


def format_real(value: float) -> str:
    """Return NR3 with the fewest digits that give the same binary64 back.

    Infinities and NaN are written as SCPI's 9.9E+37, -9.9E+37 and 9.91E+37.
    """
    if math.isnan(value):
        return "9.91E+37"
    if math.isinf(value):
        return "9.9E+37" if value > 0 else "-9.9E+37"
    mantissa, exponent = f"{Decimal(float.__repr__(value)).normalize():E}".split("E")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{exponent}"


def _encode_part(part: AnswerPart | None) -> bytes:
    match part:
        case bytes():
            return encode_block(part)
        case bool():
            return b"1" if part else b"0"
        case int():
            return b"%d" % part
        case float():
            return format_real(part).encode("ascii")
        case str():
            return part.encode("ascii")
        case _:
            raise TypeError(f"{type(part).__name__} is no answer")
