"""Scans of sixteen merged lists whose entries hold two sums.

An entry of `abreast.py` is split into words: the main sum above, by which the list is sorted,
and the rider below. Entries target - b carry a mark of half of what the lower word counts to, and
one. The lower word of a difference of two kinds of entry is thus far from zero, the farther the
nearer the rider is to its target, and that of a difference within one kind is nearer to zero than
all of those. So its absolute value scores a pair: above TWO_KINDS, the higher the better.

Each scan tells of every lane the best key, the block of rows in which its pair begins, and the
best key of all other blocks.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from calibration.arrays import Ints
from calibration.selection.nearest import LANES, Ints32
from kirchhoff.compiled import uncounted

BEYOND = 5 << 28  # an upper word farther above every entry's than any window is wide
TWO_KINDS = 1 << 30  # pairs of two kinds score above, of one kind below
NO_KEY = -(1 << 31) + 1

# Eight rows with three rows further and further on: so far the compiler unrolls the loops over rows
# to make vectors of that over lanes. What a scan does with each block's key is written out in each,
# because a function for it, even inlined, takes long.
ROWS, _LATER = 8, 3
BLOCK = ROWS * LANES


class Words(NamedTuple):
    """A merged list, row by row; two blocks of BEYOND at the end."""

    upper: Ints32
    lower: Ints32


class Best(NamedTuple):
    """What a scan finds."""

    key: Ints32  # (lanes,)
    next_key: Ints32  # (lanes,)
    start: Ints  # (lanes,), place of the block's first row
    blocks: Ints32  # (blocks, lanes), flat: the best key of each


@njit(nogil=True, inline="always")
def block_keys(blocks: Ints32, start: int) -> Ints32:
    """Return the keys of the block of rows that begins at `start`."""
    at = start // ROWS
    return blocks[at : at + LANES]


class Limits(NamedTuple):
    """What the pairs of a cell have to keep to, in units of words."""

    widest: int  # difference of upper words: more is outside the window
    surely_widest: int  # up to this is inside, whatever was rounded
    least: int  # score: less is outside
    surely_least: int
    margin: int  # by which rounding may lower one key and raise another


@njit(nogil=True, inline="always")
def pair_key(words: Words, i: int, j: int, least: int, outward: bool) -> int:
    """Return the key of entries i and, later, j.

    The key is the score or, to go outward, the negative difference of the main sums; NO_KEY where
    the score is too low.
    """
    score = int(abs(np.int32(words.lower[j] - words.lower[i])))
    key = int(words.upper[i]) - int(words.upper[j]) if outward else score
    return key if score >= least else NO_KEY


@uncounted
def entry_at(words: Words, i: int, j: int) -> tuple[int, int]:
    """Of a pair of two kinds, the entry that is a sum, and the one that is a remainder."""
    first = (int(words.upper[i]) << 32) + (int(words.lower[i]) & 0xFFFFFFFF)
    second = (int(words.upper[j]) << 32) + (int(words.lower[j]) & 0xFFFFFFFF)
    return (second, first) if first & 1 else (first, second)


@uncounted
def nearest_riders(words: Words, widest: Ints32, best: Best) -> None:
    """Key: the score, of pairs whose main sums differ by at most `widest` (lanes,)."""
    upper, lower = words
    key, next_key, from_row, blocks = best
    key[:] = NO_KEY
    next_key[:] = NO_KEY
    end = upper.size - 2 * BLOCK
    for start in range(0, end, BLOCK):
        x_upper, x_lower = upper[start : start + BLOCK], lower[start : start + BLOCK]
        keys = block_keys(blocks, start)
        for i in range(LANES):
            keys[i] = -1
        for later in range(start + LANES, end, _LATER * LANES):
            y_upper = upper[later : later + 2 * BLOCK]
            y_lower = lower[later : later + 2 * BLOCK]
            farthest = np.int32(-1)
            for i in range(LANES):
                within = widest[i]
                high = keys[i]
                far = np.int32(-1)
                for row in range(ROWS):
                    limit = np.int32(x_upper[i + row * LANES] + within)
                    x = x_lower[i + row * LANES]
                    for k in range(_LATER - 1):
                        j = i + (row + k) * LANES
                        score = np.int32(abs(np.int32(y_lower[j] - x)))
                        high = max(high, score if y_upper[j] <= limit else np.int32(0))
                    j = i + (row + _LATER - 1) * LANES
                    score = np.int32(abs(np.int32(y_lower[j] - x)))
                    far = max(far, score if y_upper[j] <= limit else np.int32(-1))
                keys[i] = max(high, far)
                farthest = max(farthest, far)
            if farthest < 0:
                break
        for i in range(LANES):
            here = keys[i]
            from_row[i] = start if here > key[i] else from_row[i]
            next_key[i] = max(next_key[i], min(key[i], here))
            key[i] = max(key[i], here)


@uncounted
def nearest_mains(words: Words, widest: Ints32, least: Ints32, margin: int, best: Best) -> None:
    """Key: the main sums' difference, negative, of pairs that score at least `least` (lanes,).

    A key below -widest (lanes,) is of no meaning; nor is one that is more than the margin below
    the best. `widest` comes down to that.
    """
    upper, lower = words
    key, next_key, from_row, blocks = best
    key[:] = NO_KEY
    next_key[:] = NO_KEY
    end = upper.size - 2 * BLOCK
    for start in range(0, end, BLOCK):
        x_upper, x_lower = upper[start : start + BLOCK], lower[start : start + BLOCK]
        keys = block_keys(blocks, start)
        for i in range(LANES):
            keys[i] = NO_KEY
        for later in range(start + LANES, end, _LATER * LANES):
            y_upper = upper[later : later + 2 * BLOCK]
            y_lower = lower[later : later + 2 * BLOCK]
            farthest = np.int32(-1)
            for i in range(LANES):
                enough = least[i]
                breadth = np.uint32(-2 * enough)
                high = keys[i]
                far = np.int32(NO_KEY)
                for row in range(ROWS):
                    x_main = x_upper[i + row * LANES]
                    x = np.int32(x_lower[i + row * LANES] + enough)
                    nearer = np.int32(0)
                    for k in range(_LATER):
                        j = i + (row + k) * LANES
                        # At least `enough` or at most its negative, in one comparison.
                        beyond = np.uint32(y_lower[j] - x)
                        nearer = np.int32(x_main - y_upper[j])
                        high = max(high, nearer if beyond <= breadth else np.int32(NO_KEY))
                    far = max(far, nearer)
                keys[i] = high
                farthest = max(farthest, np.int32(far + widest[i]))
            if farthest < 0:
                break
        for i in range(LANES):
            here = keys[i]
            from_row[i] = start if here > key[i] else from_row[i]
            next_key[i] = max(next_key[i], min(key[i], here))
            key[i] = max(key[i], here)
        for i in range(LANES):
            widest[i] = min(widest[i], margin - key[i])


@uncounted
def nearest_neighbours(words: Words, best: Best) -> None:
    """Key: the main sums' difference, negative, of neighbours of two kinds."""
    upper, lower = words
    key, next_key, from_row, blocks = best
    key[:] = NO_KEY
    next_key[:] = NO_KEY
    for start in range(0, upper.size - 2 * BLOCK, BLOCK):
        x_upper = upper[start : start + BLOCK + LANES]
        x_lower = lower[start : start + BLOCK + LANES]
        keys = block_keys(blocks, start)
        for i in range(LANES):
            high = np.int32(NO_KEY)
            for row in range(ROWS):
                j = i + row * LANES
                score = np.int32(abs(np.int32(x_lower[j + LANES] - x_lower[j])))
                nearer = np.int32(x_upper[j] - x_upper[j + LANES])
                high = max(high, nearer if score > TWO_KINDS else np.int32(NO_KEY))
            keys[i] = high
        for i in range(LANES):
            here = keys[i]
            from_row[i] = start if here > key[i] else from_row[i]
            next_key[i] = max(next_key[i], min(key[i], here))
            key[i] = max(key[i], here)
