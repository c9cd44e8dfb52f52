"""The parser of program messages: units, headers, parameter elements (IEEE 488.2, chapter 7)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.scpi.blocks import block_span
from simulator.scpi.errors import ScpiError

MAX_KEYWORD_CHARACTERS = 12
_MAX_DIGITS = 255
_MAX_EXPONENT = 32_000

_SPACE = rb"[\x00-\x09\x0b-\x20]*"
_SPACES = re.compile(_SPACE)
_UNIT_STOPS = re.compile(rb"[;\"'#]")
_HEADER_RUN = re.compile(rb"[^\x00-\x09\x0b-\x20]*")
_HEADER_ALIEN = re.compile(rb"[^A-Za-z0-9_:*?]")
_HEADER = re.compile(rb"(:?)((?:\*[A-Za-z]\w*)|(?:[A-Za-z]\w*(?::[A-Za-z]\w*)*))(\??)")
_WORD = re.compile(rb"[A-Za-z]\w*")
_NUMERAL = re.compile(
    rb"([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:" + _SPACE + rb"[eE]" + _SPACE + rb"([+-]?)(\d+))?"
)
_UNIT = re.compile(_SPACE + rb"([A-Za-z][A-Za-z0-9]*)")
_ELEMENT_END = re.compile(rb"[\x00-\x09\x0b-\x20,]|\Z")
_NON_DECIMAL = re.compile(rb"#([HhQqBb])(\w*)")
_BASES = {"H": 16, "Q": 8, "B": 2}


@dataclass(frozen=True)
class Keyword:
    """One node of a header as received: upper case, and its numeric suffix if it has one."""

    name: str
    suffix: int | None


@dataclass(frozen=True)
class Header:
    """A unit's header. `absolute`: begins at the root; `common`: one of the `*` commands."""

    keywords: tuple[Keyword, ...]
    query: bool
    absolute: bool
    common: bool


@dataclass(frozen=True)
class Number:
    """Numeric data: mantissa, exponent of ten, and the unit in upper case or empty."""

    mantissa: str
    """As written, without leading zeros."""
    exponent: int
    unit: str

    def real(self, power: int = 0) -> float:
        """Return the value times 10^power, rounded once; infinite beyond binary64."""
        return float(f"{self.mantissa}E{self.exponent + power}")

    def whole(self) -> int | None:
        """Return the value if it is an integer, None otherwise."""
        if self.exponent == 0 and "." not in self.mantissa:
            return int(self.mantissa)
        value = self.real()
        return int(value) if value.is_integer() else None


@dataclass(frozen=True)
class Word:
    """Character data, such as ON or MAXimum, as written."""

    text: str


@dataclass(frozen=True)
class Quoted:
    """String data; no parameter is a string, so that its text is not kept."""


@dataclass(frozen=True)
class Data:
    """The bytes of a block."""

    payload: bytes


Element = Number | Word | Quoted | Data


def split_units(message: bytes) -> Iterator[bytes]:
    """Yield the units of a message, cut at each `;` outside strings and blocks."""
    start = position = 0
    while stop := _UNIT_STOPS.search(message, position):
        if stop[0] == b";":
            yield message[start : stop.start()]
            start = position = stop.end()
        elif stop[0] == b"#":
            position = _behind_block(message, stop.start())
        else:
            closing = message.find(stop[0], stop.end())
            position = closing + 1 if closing >= 0 else len(message)
    yield message[start:]


def parse_unit(unit: bytes) -> tuple[Header, bytes]:
    """Return a unit's header and unparsed parameters. Raises ScpiError on a malformed header."""
    start = _end_of(_SPACES, unit, 0)
    end = _end_of(_HEADER_RUN, unit, start)
    return _parse_header(unit[start:end]), unit[end:]


def parse_elements(text: bytes) -> list[Element]:
    """Return the parameters of a unit, in order. Raises ScpiError at the first malformed one."""
    elements: list[Element] = []
    position = _end_of(_SPACES, text, 0)
    if position == len(text):
        return elements
    while True:
        element, position = _parse_element(text, position)
        elements.append(element)
        position = _end_of(_SPACES, text, position)
        if position == len(text):
            return elements
        if text[position : position + 1] != b",":
            raise ScpiError(-103, f"comma expected before {_shown(text[position:])}")
        position = _end_of(_SPACES, text, position + 1)


def is_blank(text: bytes) -> bool:
    """Return whether a text is empty or white space alone."""
    return _end_of(_SPACES, text, 0) == len(text)


def _end_of(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _shown(text: bytes) -> str:
    return text[:40].decode("latin-1")


def _behind_block(message: bytes, position: int) -> int:
    if message[position + 1 : position + 2] == b"0":
        return len(message)  # indefinite: lasts to the end of the message
    span = block_span(message, position)
    return min(span.end, len(message)) if span else position + 1


def _parse_header(text: bytes) -> Header:
    if not text:
        raise ScpiError(-102, "empty unit")
    if alien := _HEADER_ALIEN.search(text):
        number = -103 if alien[0] == b"," else -101
        raise ScpiError(number, f"in the header {_shown(text)}")
    match = _HEADER.fullmatch(text)
    if match is None or (match[1] and match[2].startswith(b"*")):
        raise ScpiError(-110, _shown(text))
    keywords = tuple(_parse_keyword(part) for part in match[2].decode("ascii").upper().split(":"))
    return Header(
        keywords=keywords,
        query=bool(match[3]),
        absolute=bool(match[1]),
        common=match[2].startswith(b"*"),
    )


def _parse_keyword(text: str) -> Keyword:
    name = text.rstrip("0123456789")
    if len(name.lstrip("*")) > MAX_KEYWORD_CHARACTERS:
        raise ScpiError(-112, text[:40])
    digits = text[len(name) :]
    # Ten digits exceed every limit, and int() refuses thousands of digits.
    return Keyword(name, int(digits.lstrip("0")[:10] or "0") if digits else None)


def _parse_element(text: bytes, position: int) -> tuple[Element, int]:
    first = text[position : position + 1]
    if first in (b"", b","):
        raise ScpiError(-102, "empty parameter")
    if first in b"\"'":
        return _parse_quoted(text, position)
    if first == b"#":
        return _parse_hash(text, position)
    if first in b"0123456789+-.":
        return _parse_decimal(text, position)
    word = _WORD.match(text, position)
    if word is None:
        raise ScpiError(-101, _shown(text[position:]))
    return Word(word[0].decode("ascii")), word.end()


def _parse_quoted(text: bytes, position: int) -> tuple[Quoted, int]:
    quote = text[position : position + 1]
    end = position
    # A quote inside is written twice, as if a further string began where one ends.
    while text[end : end + 1] == quote:
        closing = text.find(quote, end + 1)
        if closing < 0:
            raise ScpiError(-151, "no closing quote")
        end = closing + 1
    if not text[position:end].isascii():
        raise ScpiError(-101, "in a string")
    return Quoted(), end


def _parse_hash(text: bytes, position: int) -> tuple[Element, int]:
    if based := _NON_DECIMAL.match(text, position):
        return _parse_non_decimal(based), based.end()
    span = block_span(text, position)
    if span is None:
        raise ScpiError(-161, _shown(text[position:]))
    if span.end > len(text):
        raise ScpiError(-161, f"{span.end - len(text)} bytes missing")
    return Data(text[span.start : span.end]), span.end


def _parse_non_decimal(match: re.Match[bytes]) -> Number:
    base = _BASES[match[1].decode("ascii").upper()]
    digits = match[2].decode("ascii")
    if _digits(digits) > _MAX_DIGITS or "_" in digits:
        raise ScpiError(-120, _shown(match[0]))
    try:
        value = int(digits, base)
    except ValueError:
        raise ScpiError(-120, _shown(match[0])) from None
    return Number(str(value), 0, "")


def _parse_decimal(text: bytes, position: int) -> tuple[Number, int]:
    numeral = _NUMERAL.match(text, position)
    if numeral is None or _digits(numeral[2].decode("ascii")) > _MAX_DIGITS:
        raise ScpiError(-120, _shown(text[position:]))
    unit = _UNIT.match(text, numeral.end())
    end = unit.end() if unit else numeral.end()
    if _ELEMENT_END.match(text, end) is None:
        raise ScpiError(-120, _shown(text[position:]))
    sign, mantissa, exponent_sign, exponent = (part.decode("ascii") for part in numeral.groups(b""))
    # Python converts no thousands of decimal digits, leading zeros among them.
    mantissa = sign + (mantissa.lstrip("0") if mantissa.strip("0.") else "0")
    # Beyond ±32000 (the standard's limit) a binary64 is zero or infinite anyway.
    power = min(_MAX_EXPONENT, int(exponent.lstrip("0")[:6] or "0"))
    name = unit[1].decode("ascii").upper() if unit else ""
    return Number(mantissa, -power if exponent_sign == "-" else power, name), end


def _digits(numeral: str) -> int:
    """Return the number of digits without leading zeros, as IEEE 488.2, 7.7.2.4.1 counts them."""
    return len(numeral.replace(".", "").lstrip("0"))
