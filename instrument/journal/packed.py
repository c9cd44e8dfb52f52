"""Requests and answers as bytes: a line of JSON for names, numbers and shapes, then the arrays.

Currents and voltages are kept as binary32, which is what crosses the wire; patterns as bits.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Value: TypeAlias = "bool | int | float | str | NDArray[np.generic] | None"
Values: TypeAlias = Mapping[str, Value]
MAX_UNPACKED_BYTES = 1 << 28
"""Maximum size of one request or answer: a damaged file must not fill the memory."""
_LENGTH = struct.Struct("<I")
_BITS, _KINDS = "bits", ("<f4", "<f8", "<i8")
_PLAIN, _DEFLATED = b"p", b"d"
# Requests repeat themselves: 1 packs them nearly as well as 9, at several times its speed.
_EFFORT = 1


def pack(values: Values, *, deflated: bool = True) -> bytes:
    """Return scalars and arrays as bytes.

    Arrays are bool, whole numbers or floats. Floats that binary32 holds exactly are kept in it.
    Readings are mostly noise, which does not get smaller: they are not to be deflated.
    """
    header: dict[str, object] = {}
    arrays: list[bytes] = []
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            kind, data = _array_bytes(value)
            header[name] = {"kind": kind, "shape": value.shape}
            arrays.append(data)
        else:
            header[name] = value
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    whole = _LENGTH.pack(len(head)) + head + b"".join(arrays)
    return _DEFLATED + zlib.compress(whole, _EFFORT) if deflated else _PLAIN + whole


def unpack(data: bytes) -> dict[str, Value]:
    """Return what `pack` was given; floats as float64.

    Raises ValueError where the bytes are not of `pack`, or unpack to more than the limit.
    """
    try:
        whole = data[1:] if data[:1] == _PLAIN else _inflated(data)
        (length,) = _LENGTH.unpack_from(whole)
        start = _LENGTH.size + length
        header = json.loads(whole[_LENGTH.size : start])
        values: dict[str, Value] = {}
        for name, entry in header.items():
            if isinstance(entry, dict):
                values[name], start = _array(whole, start, entry)
            else:
                values[name] = entry
        if start != len(whole):
            raise ValueError("bytes are left over")
    except (zlib.error, struct.error, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"not what a journal holds ({error})") from error
    return values


def _inflated(data: bytes) -> bytes:
    if data[:1] != _DEFLATED:
        raise ValueError("of an unknown kind")
    inflater = zlib.decompressobj()
    whole = inflater.decompress(data[1:], MAX_UNPACKED_BYTES)
    if inflater.unconsumed_tail or not inflater.eof:
        raise ValueError("cut short, or too large")
    return whole


def _array_bytes(array: NDArray[np.generic]) -> tuple[str, bytes]:
    if array.dtype == np.bool_:
        return _BITS, np.packbits(array.astype(np.bool_)).tobytes()
    if np.issubdtype(array.dtype, np.integer):
        return "<i8", array.astype("<i8").tobytes()
    wide = array.astype("<f8")
    with np.errstate(over="ignore"):
        narrow = wide.astype("<f4")
    exact = np.array_equal(narrow.astype("<f8"), wide, equal_nan=True)
    return ("<f4", narrow.tobytes()) if exact else ("<f8", wide.tobytes())


def _array(whole: bytes, start: int, entry: Mapping[str, object]) -> tuple[Value, int]:
    """Return the array that begins at `start`, and where it ends."""
    kind, shape = entry["kind"], entry["shape"]
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"a shape of {shape}")
    count = math.prod(shape)
    if kind == _BITS:
        end = start + (count + 7) // 8
        bits = np.unpackbits(np.frombuffer(whole[start:end], np.uint8), count=count)
        return bits.astype(bool).reshape(shape), end
    if kind not in _KINDS:
        raise ValueError(f"an array of {kind}")
    dtype = np.dtype(str(kind))
    end = start + count * dtype.itemsize
    array = np.frombuffer(whole[start:end], dtype)
    wide = array.astype(np.int64 if dtype.kind == "i" else np.float64)
    return wide.reshape(shape), end


def same(now: Values, then: Values) -> bool:
    """Return whether two requests or answers hold the same values; NaN equals NaN.

    Not their bytes are compared: another version of zlib packs the same values otherwise.
    """
    return list(now) == list(then) and all(_equal(now[name], then[name]) for name in now)


def difference(wanted: Values, recorded: Values) -> str:
    """Return in words how a request differs from the recorded one, each value by its name."""
    words = []
    for name in dict.fromkeys([*wanted, *recorded]):
        now, then = wanted.get(name), recorded.get(name)
        if isinstance(now, np.ndarray) and isinstance(then, np.ndarray):
            if now.shape != then.shape:
                words.append(f"{name} has the shape {now.shape}, {then.shape} is recorded")
            elif not _equal(now, then):
                words.append(_array_difference(name, now, then))
        elif not _equal(now, then):
            words.append(f"{name} is {_shown(now)}, {_shown(then)} is recorded")
    return "; ".join(words) or "nothing that can be shown"


def _array_difference(name: str, now: NDArray[np.generic], then: NDArray[np.generic]) -> str:
    unlike = now != then
    if now.dtype.kind == then.dtype.kind == "f":
        unlike &= ~(np.isnan(now) & np.isnan(then))
    where = np.argwhere(unlike)
    count = f"{len(where)} of {now.size} values of {name} differ"
    first = tuple(int(index) for index in where[0])
    if now.dtype == np.bool_:
        return f"{count}, the first at {first}"
    largest = float(np.nanmax(np.abs(now.astype(np.float64) - then.astype(np.float64))))
    return f"{count}, at most by {largest:.3g}, the first at {first}: {now[first]}, {then[first]}"


def _equal(now: Value, then: Value) -> bool:
    if isinstance(now, np.ndarray) and isinstance(then, np.ndarray):
        return np.array_equal(now, then, equal_nan=now.dtype.kind == then.dtype.kind == "f")
    if isinstance(now, np.ndarray) or isinstance(then, np.ndarray):
        return False
    return now == then


def _shown(value: Value) -> str:
    return f"{value.shape}" if isinstance(value, np.ndarray) else repr(value)
