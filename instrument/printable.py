"""Text of files, boards and people in a form that is safe to print on a terminal."""

from __future__ import annotations

import unicodedata
from typing import Any

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Categories of control and format characters (escape sequences, reversed writing) and of halves of
characters.
"""


def printable(text: str) -> str:
    """Return text with every invisible character written as Python would escape it."""
    if text.isprintable():
        return text
    return "".join(
        ascii(character)[1:-1] if unicodedata.category(character) in _UNSEEN else character
        for character in text
    )


def printable_values(document: Any) -> Any:
    """Return a document of dictionaries, lists and values with every text in it printable."""
    if isinstance(document, str):
        return printable(document)
    if isinstance(document, dict):
        return {printable_values(key): printable_values(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [printable_values(value) for value in document]
    return document
