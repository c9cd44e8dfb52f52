"""The pattern block: one bit per switch, branch fastest, most significant bit first."""

import math
import zlib

import numpy as np
from numpy.typing import NDArray


def pack_pattern(pattern: NDArray[np.bool_]) -> bytes:
    """Return the block of a pattern (rows, columns, branches), bool."""
    return np.packbits(pattern.reshape(-1)).tobytes()


def unpack_pattern(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return the pattern (rows, columns, branches), bool, that a block holds.

    Raises ValueError for a block of another length, or with a bit set behind the last switch.
    """
    switches = math.prod(shape)
    if len(data) != (switches + 7) // 8:
        raise ValueError(f"a pattern of {len(data)} bytes for {switches} switches")
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).astype(np.bool_)
    if bits[switches:].any():
        raise ValueError("a pattern with bits behind its last switch")
    return bits[:switches].reshape(shape)


def pattern_crc(pattern: NDArray[np.bool_]) -> int:
    """Return the CRC-32 of a pattern's block, as the board computes it."""
    return zlib.crc32(pack_pattern(pattern))
