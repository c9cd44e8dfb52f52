"""Bitonic networks (Batcher, AFIPS 1968) on sixteen lists side by side.

A merge by two pointers waits at every step for the comparison before it. A network compares the
same places whatever the numbers are, so the lists lie side by side ("lanes"; a "row" is one entry
of all of them) and every comparison is a minimum and a maximum of vector registers.

Loops over one row have to be at least sixteen long for the compiler to use vector registers where
it cannot prove that two arrays do not overlap.
"""

from numba import njit

from calibration.arrays import Ints
from calibration.selection.nearest.sums import Ints32
from kirchhoff.compiled import uncounted

LANES = 16
_FAST_ROWS = 64  # stay in the fastest cache


@uncounted
def _halve(rows: Ints, span: int) -> None:
    """One network stage: split every bitonic run of `span` rows into its lower and upper half."""
    run = span // 2 * LANES
    for start in range(0, rows.size, 2 * run):
        low = rows[start : start + run]
        high = rows[start + run : start + 2 * run]
        for i in range(run):
            a = low[i]
            b = high[i]
            low[i] = min(a, b)
            high[i] = max(a, b)


@njit(nogil=True, inline="always")
def _thrice(x: Ints, i: int, run: int) -> tuple[int, int, int, int, int, int, int, int]:
    """Three stages on the eight numbers that lie `run` apart from x[i] on."""
    a, b, c, d = x[i], x[i + run], x[i + 2 * run], x[i + 3 * run]
    e, f, g, h = x[i + 4 * run], x[i + 5 * run], x[i + 6 * run], x[i + 7 * run]
    a, e = min(a, e), max(a, e)
    b, f = min(b, f), max(b, f)
    c, g = min(c, g), max(c, g)
    d, h = min(d, h), max(d, h)
    a, c = min(a, c), max(a, c)
    b, d = min(b, d), max(b, d)
    e, g = min(e, g), max(e, g)
    f, h = min(f, h), max(f, h)
    return min(a, b), max(a, b), min(c, d), max(c, d), min(e, f), max(e, f), min(g, h), max(g, h)


@njit(nogil=True, inline="always")
def _halve_thrice(rows: Ints, run: int) -> None:
    """Three stages in one pass over runs of 8 `run` numbers, to spare loads and stores."""
    for start in range(0, rows.size, 8 * run):
        x = rows[start : start + 8 * run]
        for i in range(run):
            a, b, c, d, e, f, g, h = _thrice(x, i, run)
            x[i], x[i + run], x[i + 2 * run], x[i + 3 * run] = a, b, c, d
            x[i + 4 * run], x[i + 5 * run], x[i + 6 * run], x[i + 7 * run] = e, f, g, h


# The compiler vectorizes three stages at once only where it knows their stride.
@uncounted
def _halve_8(rows: Ints) -> None:
    _halve_thrice(rows, LANES)


@uncounted
def _halve_64(rows: Ints) -> None:
    _halve_thrice(rows, 8 * LANES)


@uncounted
def _halve_512(rows: Ints) -> None:
    _halve_thrice(rows, 64 * LANES)


@uncounted
def _halve_until(rows: Ints, span: int, last: int) -> int:
    while span > last:
        if span == 512:
            _halve_512(rows)
            span = 64
        elif span == 64:
            _halve_64(rows)
            span = 8
        elif span == 8:
            _halve_8(rows)
            span = 1
        else:
            _halve(rows, span)
            span //= 2
    return span


@uncounted
def sort_bitonic(rows: Ints) -> None:
    """Make one bitonic run ascending, the last stages piece by piece inside the fast cache."""
    span = _halve_until(rows, rows.size // LANES, _FAST_ROWS)
    for start in range(0, rows.size, span * LANES):
        _halve_until(rows[start : start + span * LANES], span, 1)


@uncounted
def sort_bitonic_to_words(rows: Ints, high: Ints32, low: Ints32) -> None:
    """Sort as `sort_bitonic` does at least 8 rows, into the upper and lower 32 bits of each entry.

    What is left in `rows` is of no use.
    """
    span = _halve_until(rows, rows.size // LANES, _FAST_ROWS)
    for start in range(0, rows.size, span * LANES):
        piece = rows[start : start + span * LANES]
        _halve_until(piece, span, 8)
        _halve_8_to_words(piece, high[start:], low[start:])


@uncounted
def _halve_8_to_words(rows: Ints, high: Ints32, low: Ints32) -> None:
    for start in range(0, rows.size, 8 * LANES):
        x = rows[start : start + 8 * LANES]
        y = high[start : start + 8 * LANES]
        z = low[start : start + 8 * LANES]
        for i in range(LANES):
            a, b, c, d, e, f, g, h = _thrice(x, i, LANES)
            _write_words(y, z, i, a, b)
            _write_words(y, z, i + 2 * LANES, c, d)
            _write_words(y, z, i + 4 * LANES, e, f)
            _write_words(y, z, i + 6 * LANES, g, h)


@njit(nogil=True, inline="always")
def _write_words(high: Ints32, low: Ints32, i: int, entry: int, next_entry: int) -> None:
    high[i], low[i] = entry >> 32, entry
    high[i + LANES], low[i + LANES] = next_entry >> 32, next_entry
