"""Dataclasses as named arrays, and back: how results are kept in .npz files.

A field's name is its key; nested records put their name and a dot before it. Records in a tuple are
stacked, field by field, along a leading axis. None is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def pack(record: Any, path: str = "") -> Arrays:
    """Return every array, number and word of a dataclass by its name."""
    return pack_all({field.name: getattr(record, field.name) for field in fields(record)}, path)


def pack_all(values: Mapping[str, Any], path: str = "") -> Arrays:
    """Return every array, number and word of several values and dataclasses by its name."""
    packed: Arrays = {}
    for key, value in values.items():
        name = f"{path}{key}"
        if is_dataclass(value):
            packed |= pack(value, f"{name}.")
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            records = [pack(record, f"{name}.") for record in value]
            packed |= {key: np.stack([record[key] for record in records]) for key in records[0]}
        elif value is not None:
            packed[name] = np.asarray(value)
    return packed


def unpack(kind: Any, arrays: Mapping[str, NDArray[Any]], path: str = "") -> Any:
    """Return a dataclass of this type from the arrays that `pack` returned.

    Raises LookupError, ValueError or TypeError where arrays are missing or of another type.
    """
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        inside = f"{path}{name}"
        wanted, optional = _without_none(hint)
        if optional and not any(key == inside or key.startswith(f"{inside}.") for key in arrays):
            values[name] = None
        else:
            values[name] = _value(wanted, arrays, inside)
    return kind(**values)


def _value(hint: Any, arrays: Mapping[str, NDArray[Any]], name: str) -> Any:
    if is_dataclass(hint):
        return unpack(hint, arrays, f"{name}.")
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        if is_dataclass(inner):
            stacked = {key: array for key, array in arrays.items() if key.startswith(f"{name}.")}
            count = len(next(iter(stacked.values())))
            return tuple(
                unpack(inner, {key: array[index] for key, array in stacked.items()}, f"{name}.")
                for index in range(count)
            )
        return tuple(arrays[name].tolist())
    if hint in (int, float, str, bool):
        return hint(arrays[name].item())
    return arrays[name]


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Return a type without its None, and whether it had one."""
    if get_origin(hint) is UnionType:
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        return kinds[0], len(kinds) < len(get_args(hint))
    return hint, False
