"""Dataclasses that hold arrays: how they are shown, and when two of them are equal.

The methods that @dataclass writes would print every element, and raise where it compares arrays.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


class Record:
    """What a dataclass of arrays derives from, made with eq=False, repr=False."""

    def __repr__(self) -> str:
        """Return one line: arrays by their shapes, records within by their types, the rest as it
        is.
        """
        values = (f"{name}={_shown(getattr(self, name))}" for name in _names(self))
        return f"{type(self).__name__}({', '.join(values)})"

    def __eq__(self, other: object) -> bool:
        """Say whether another record is of the same type and all that counts in it is equal; NaN
        equals NaN.
        """
        if type(self) is not type(other):
            return NotImplemented
        names = _names(self, compared=True)
        return all(_equal(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]  # arrays have none either


def _names(record: Any, *, compared: bool = False) -> list[str]:
    return [field.name for field in fields(record) if field.compare or not compared]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and np.array_equal(
            one, other, equal_nan=one.dtype.kind in "fc"
        )
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one is other or bool(one == other)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {value.shape}>"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}(…)"
    if isinstance(value, tuple) and len(value) > 4:
        return f"<{len(value)} × {type(value[0]).__name__}>"
    return repr(value)
