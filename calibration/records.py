"""The base of dataclasses that hold arrays: their text, and when two of them are equal.

The methods that @dataclass writes would print every element, and would raise where they compare
arrays.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


class Record:
    """Base of a dataclass of arrays, which is declared with eq=False, repr=False."""

    def __repr__(self) -> str:
        """Return one line: arrays as shapes, records as types, other values in full."""
        values = (f"{name}={_shown(getattr(self, name))}" for name in _names(self))
        return f"{type(self).__name__}({', '.join(values)})"

    def __eq__(self, other: object) -> bool:
        """Return whether another record has the same type and equal fields; NaN equals NaN.

        Fields with compare=False do not count.
        """
        if type(self) is not type(other):
            return NotImplemented
        names = _names(self, compared=True)
        return all(_equal(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]  # arrays have none either


def _names(record: Any, *, compared: bool = False) -> list[str]:
    return [field.name for field in fields(record) if field.compare or not compared]


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.shape == right.shape and np.array_equal(
            left, right, equal_nan=left.dtype.kind in "fc"
        )
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left is right or bool(left == right)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {value.shape}>"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}(…)"
    if isinstance(value, tuple) and len(value) > 4:
        return f"<{len(value)} × {type(value[0]).__name__}>"
    return repr(value)
