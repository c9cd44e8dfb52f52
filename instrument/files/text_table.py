"""Tables of numbers in text, as programs, spreadsheets and people write them.

A file does not state its delimiter or its decimal sign. Every dialect that could be meant is tried;
a file that two dialects read as different numbers is refused.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from calibration.arrays import Floats


class Dialect(NamedTuple):
    """How a table is written: its delimiter and its decimal sign."""

    delimiter: str | None
    """Separator of columns; a blank stands for any number of blanks; None for a single column."""
    decimal: str

    def __str__(self) -> str:
        between = (
            "one column" if self.delimiter is None else f"{_NAMES[self.delimiter]} between columns"
        )
        return between + (", decimal comma" if self.decimal == "," else "")


@dataclass(frozen=True)
class TextTable:
    """Numbers read from a text, and what was ignored or is doubtful."""

    values: Floats
    """(rows, columns)"""
    dialect: Dialect
    left_out: tuple[str, ...]
    """Parts of the text beside the numbers, in words."""
    doubt: str | None
    """Why the table may mean something else, with advice; None if it is unambiguous."""

    def __str__(self) -> str:
        rows, columns = self.values.shape
        how = self.dialect if columns > 1 else Dialect(None, self.dialect.decimal)
        return ", ".join([f"{rows} × {columns} numbers", str(how), *self.left_out])


class _NotSo(ValueError):
    """A text is not written in this dialect; `numbers` is the share of fields that are numbers."""

    def __init__(self, text: str, numbers: float) -> None:
        super().__init__(text)
        self.numbers = numbers


_Line = tuple[int, str]
"""Number of the line in the text, from 1, and its content."""

_NAMES = {
    ",": "commas",
    ";": "semicolons",
    "\t": "tabs",
    "|": "bars",
    " ": "blanks",
    ", ": "commas and blanks",
}
_DIALECTS = [Dialect(delimiter, decimal) for delimiter in (*_NAMES, None) for decimal in ".,"]
_EXPONENT_OR_NONE = r"(?:[eE][+-]?[0-9]+)?|[+-]?(?i:nan|inf|infinity)"
_NUMBER = {
    ".": re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)" + _EXPONENT_OR_NONE),
    ",": re.compile(r"[+-]?[0-9]+(?:,[0-9]+)?" + _EXPONENT_OR_NONE),
}
_NAME = re.compile(r"[^-+.,0-9][^;\t|]*")
"""A field that holds another dialect's delimiter is more than one field."""
_WHOLE = re.compile(r"[0-9]+")
_VALUES = {
    *("na", "n/a", "nv", "nan", "null", "none", "missing", "inf", "infinity"),
    *("true", "false", "wahr", "falsch", "vrai", "faux"),
}
"""Words that stand for values: a column of them is no column of names."""
_GROUPED = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,2}(?:[.,][0-9]{3})?)")
"""A number that could be a whole one with a thousands separator."""
_COMMENT = r"(?:^|(?<=\s))#(?!(?:[A-ZÀ-Ý/0-9]+[!?]|N/?[AVD])(?:[\s,;|]|$)|#+[,;|\t])"
"""A # at a line's start or after a blank, unless it begins one of a spreadsheet's errors: #DIV/0!,
#N/A, #NV, #NAME?, ####.
"""
_BEFORE_COMMENT = re.compile(rf'(?:"[^"]*"|(?!{_COMMENT}).)*')
_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SAMPLE_LINES = 30
_SHOWN_CHARACTERS = 30


def decoded(data: bytes) -> str:
    """Return bytes as text: UTF-8, UTF-16 or UTF-32 with a byte order mark, else Windows' Latin.

    Raises ValueError where the bytes are no text.
    """
    marked = next((code for mark, code in _BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    if marked is None and b"\0" in data[:64]:
        # Text without a mark: every other byte of a digit is zero.
        marked = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        text = data.decode(marked or "utf-8")
    except UnicodeDecodeError:
        if marked is not None:
            raise ValueError("it is no text") from None
        text = data.decode("latin-1")
    if any(ord(character) < 32 and character not in "\t\r\n\f" for character in text[:4096]):
        raise ValueError("it is no text")
    return text


def read_table(text: str) -> TextTable:
    """Read a table of numbers, without blank lines and comments behind a #.

    Raises ValueError, which names line and column from 1, where a field is no number, and where the
    text has more than one reading.
    """
    lines, delimiter = _lines(text)
    if not lines:
        raise ValueError("no numbers in it")
    named = delimiter is not None
    possible = [
        dialect
        for dialect in _DIALECTS
        if delimiter in (None, dialect.delimiter)
        and (dialect.delimiter is None or any(dialect.delimiter in line for _, line in lines))
    ]
    if not possible:  # one column, whose first line names a delimiter for nothing
        possible = [Dialect(None, decimal) for decimal in ".,"]
    tables, refusals = _tried(possible, lines[:_SAMPLE_LINES], named=named)
    if tables and len(lines) > _SAMPLE_LINES:
        tables, refusals = _tried([table.dialect for table in tables], lines, named=named)
    if not tables:
        # The dialect in which the largest share are numbers is the intended one.
        dialect, refusal = max(refusals.items(), key=lambda item: item[1].numbers)
        raise ValueError(f"{refusal} ({dialect})")
    table, *others = tables
    for other in others:
        if not np.array_equal(table.values, other.values, equal_nan=True):
            raise ValueError(
                f"it could be {table} or {other}: say which by a first line sep=, or sep=; or "
                "write decimal points and more than one digit"
            )
    if table.doubt is not None:
        raise ValueError(table.doubt)
    return table


def _lines(text: str) -> tuple[list[_Line], str | None]:
    """Return the lines with content, and the delimiter if the first line names it."""
    text = text.removeprefix("\ufeff").replace("−", "-")
    numbered = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    without = [(number, _without_comment(line)) for number, line in numbered]
    # A spreadsheet writes its empty rows as delimiters alone.
    lines = [(number, line) for number, line in without if line.strip(' \t\f,;|"')]
    named = _SEPARATOR.fullmatch(lines[0][1].strip(" ")) if lines else None
    return (lines, None) if named is None else (lines[1:], named[1])


def _without_comment(line: str) -> str:
    if "#" not in line:
        return line
    before = _BEFORE_COMMENT.match(line)
    return before.group() if before else line


def _tried(
    dialects: Sequence[Dialect], lines: Sequence[_Line], *, named: bool
) -> tuple[list[TextTable], dict[Dialect, _NotSo]]:
    tables: list[TextTable] = []
    refusals: dict[Dialect, _NotSo] = {}
    for dialect in dialects:
        try:
            tables.append(_read(dialect, lines, named=named))
        except _NotSo as refusal:
            refusals[dialect] = refusal
    return tables, refusals


def _read(dialect: Dialect, lines: Sequence[_Line], *, named: bool) -> TextTable:
    """Read lines in one dialect.

    Raises _NotSo where they are not written in it.
    """
    number = _NUMBER[dialect.decimal]
    rows = [_fields(dialect.delimiter, line) for line in lines]
    # A spreadsheet writes its empty columns as well.
    while min(map(len, rows)) > 1 and all(row[-1] == "" for row in rows[1:] or rows):
        rows = [row[:-1] if row[-1] == "" else row for row in rows]
    numbers = [[number.fullmatch(field) is not None for field in row] for row in rows]
    share = sum(map(sum, numbers)) / sum(map(len, rows))
    left_out: list[str] = []

    first = rows[0]
    # As pandas (from 0) and R (from 1) name columns without names.
    numbered = first[0] == "" and (_counts(first[1:], 0) or _counts(first[1:], 1))
    names = not any(numbers[0]) and any(first) and all(_is_name(name) for name in first if name)
    header = len(rows) > 1 and (numbered or names)
    if header:
        if dialect.delimiter is None and any(sign in first[0] for sign in _NAMES if sign != " "):
            raise _NotSo(f"line {lines[0][0]}: names of more than one column", share)
        left_out.append("a header line left out")
        lines, rows, numbers = lines[1:], rows[1:], numbers[1:]
    width = len(rows[0])
    for (at, _), row in zip(lines, rows, strict=True):
        if len(row) != width:
            text = f"line {at} has {len(row)} columns, line {lines[0][0]} has {width}"
            raise _NotSo(text, share / 2)

    labels = width > 1 and (
        all(_is_name(row[0]) for row in rows)
        or (header and first[0] == "" and len(first) == width)
        or (header and len(first) == width - 1 and _counts([row[0] for row in rows], 1))
    )
    if header and len(first) != width - (labels and len(first) < width):
        raise _NotSo(f"{len(first)} names over {width} columns", share / 2)
    begin = int(labels)
    if labels:
        left_out.append("row labels left out")
    for (at, _), row, are in zip(lines, rows, numbers, strict=True):
        if not all(are[begin:]):
            column = are.index(False, begin)
            raise _NotSo(f"line {at}, column {column + 1}: {_shown(row[column])}", share)
    cells = [row[begin:] for row in rows]
    if dialect.decimal == ",":
        values = [[float(field.replace(",", ".")) for field in row] for row in cells]
    else:
        values = [[float(field) for field in row] for row in cells]
    doubt = _doubt(cells, dialect, header=header, labels=labels, first_line=lines[0][0])
    if (
        dialect == Dialect(None, ",")
        and not (named or header)
        and any("," in row[0] for row in cells)
    ):
        doubt = (
            "is it one column with decimal commas, or are rows of unlike length? Say sep=; in a "
            "first line for the one; mend the rows for the other"
        )
    return TextTable(np.array(values, dtype=np.float64), dialect, tuple(left_out), doubt)


def _fields(delimiter: str | None, line: _Line) -> list[str]:
    at, text = line
    if delimiter is None and '"' not in text:
        return [text.strip()]
    if delimiter == " " and "\t" in text:
        raise _NotSo(f"line {at} has a tab between its blanks", 0.0)
    if delimiter == " " and '"' not in text:
        return text.split()
    if delimiter == ", " and '"' not in text:
        return [field.strip() for field in re.split(r",\s+", text)]
    if '"' not in text:
        return [field.strip() for field in text.split(delimiter)]
    # A quoted text is one field. A single column gets a delimiter that no text contains.
    sign = "," if delimiter == ", " else delimiter or "\x1f"
    try:
        (fields,) = csv.reader(
            [text.strip(" ")], delimiter=sign, skipinitialspace=True, strict=True
        )
    except (csv.Error, ValueError) as error:
        raise _NotSo(f"line {at}: {error}", 0.0) from error
    return [field.strip() for field in fields]


def _doubt(
    cells: Sequence[Sequence[str]],
    dialect: Dialect,
    *,
    header: bool,
    labels: bool,
    first_line: int,
) -> str | None:
    """Return a reason to doubt the reading of a table; None if there is none.

    The first line may look like names, the first column like labels, or decimals like thousands,
    though all of them are numbers.
    """
    if all(_WHOLE.fullmatch(field.lstrip("+-")) for row in cells for field in row):
        return None
    # Where a comma is no delimiter, either sign may stand for either.
    foreign = dialect.decimal == "," or dialect.delimiter == ";"
    if foreign and all(_GROUPED.fullmatch(field) for row in cells for field in row):
        sign = dialect.decimal
        return (
            f"every number has three digits behind its sign: is 1{sign}234 one thousand or a "
            f"little more than one? Write 1234, or 1{sign}2340"
        )
    first = cells[0]
    if not header and len(cells) > 1 and (_counts(first, 0) or _counts(first, 1, least=3)):
        return (
            f"line {first_line} counts its columns: are these their names, or numbers? Delete it, "
            "or write 0.0, 1.0, …"
        )
    column = [row[0] for row in cells]
    counting = _counts(column, 0, least=3) or _counts(column, 1, least=3)
    if not labels and len(first) > 1 and counting:
        return (
            "column 1 counts the rows: is it an index, or numbers? Delete it, leave its name in "
            "the header line empty, or write 0.0, 1.0, …"
        )
    return None


def _is_name(field: str) -> bool:
    """Return whether a field is the name of a column or a row, and no number in any dialect."""
    return (
        any(map(str.isalpha, field))
        and _NAME.fullmatch(field) is not None
        and field.lower() not in _VALUES
    )


def _counts(fields: Sequence[str], start: int, least: int = 2) -> bool:
    """Return whether there are at least `least` fields, whole numbers that count from `start`."""
    return len(fields) >= least and all(
        field == str(number) for number, field in enumerate(fields, start)
    )


def _shown(field: str) -> str:
    if not field:
        return "nothing where a number should be"
    cut = field if len(field) <= _SHOWN_CHARACTERS else field[:_SHOWN_CHARACTERS] + "…"
    return f"{cut!r} is not a number"
