"""Text of files, boards and people, as it may be shown: nothing in it commands a terminal."""

from __future__ import annotations

import unicodedata
from typing import Any

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Control and format characters (escape sequences, reversed writing), halves of characters."""


def printable(text: str) -> str:
    """Return text with every character that is no visible one written as Python would escape it."""
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
