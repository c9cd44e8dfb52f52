"""How much a driver asks for in one exchange, and how long it waits for the answer.

Bounded exchanges let Ctrl-C be answered within seconds, keep slow wires usable, and lose little
where one is cut short.
"""

from collections.abc import Iterator

import numpy as np

_MAX_EXCHANGE_BYTES = 2 << 20
# What an exchange that was cut short has measured is measured again.
_MAX_EXCHANGE_SECONDS = 2.0
_MAX_EXCHANGE_ITEMS = 65_535
# Board time may be wall time, and a USB full-speed port moves about 0.5 MB/s.
_TIME_MARGIN = 1.5
_SLOW_WIRE_BYTES_PER_SECOND = 500_000.0


POINT = np.dtype([("row", "<u2"), ("branch", "<u2"), ("volts", "<f4")])
"""A point of a scan, as it is sent."""


def scan_parts(
    points: int,
    columns: int,
    *,
    readings: int,
    delay_seconds: float,
    aperture_seconds: float,
    watchdog_seconds: float,
) -> Iterator[slice]:
    """Yield the parts of a scan of `points`, each of which is one exchange."""
    item_bytes = POINT.itemsize + 4 * readings * columns
    item_seconds = delay_seconds + readings * aperture_seconds
    return exchange_parts(points, item_bytes, item_seconds, watchdog_seconds)


def vector_parts(
    vectors: int,
    rows: int,
    columns: int,
    *,
    delay_seconds: float,
    aperture_seconds: float,
    watchdog_seconds: float,
) -> Iterator[slice]:
    """Yield the parts of a batch of vectors, each of which is one exchange."""
    item_seconds = delay_seconds + aperture_seconds
    return exchange_parts(vectors, 4 * (rows + columns), item_seconds, watchdog_seconds)


def exchange_parts(
    count: int, item_bytes: int, item_seconds: float, watchdog_seconds: float
) -> Iterator[slice]:
    """Yield slices of `count` items, each of which is one exchange of bounded size and duration.

    `item_bytes` is what one item moves over the wire, `item_seconds` what it takes on the board's
    clock. A part takes at most half the watchdog's interval, because a board may count its own work
    as silence of the host. A single item that exceeds a bound is a part of its own.
    """
    part_size = min(_MAX_EXCHANGE_BYTES // item_bytes, _MAX_EXCHANGE_ITEMS)
    if item_seconds > 0:
        max_seconds = min(_MAX_EXCHANGE_SECONDS, watchdog_seconds / 2)
        part_size = min(part_size, int(max_seconds / item_seconds))
    part_size = max(1, part_size)
    for start in range(0, count, part_size):
        yield slice(start, min(start + part_size, count))


def allowed_seconds(link_seconds: float, board_seconds: float, moved_bytes: int) -> float:
    """Return the wall time that an exchange may take, s.

    `link_seconds` is the timeout of an exchange that takes no time on the board and moves little,
    `board_seconds` the time on the board's clock, `moved_bytes` the size of message and response.
    """
    return link_seconds + _TIME_MARGIN * board_seconds + moved_bytes / _SLOW_WIRE_BYTES_PER_SECOND
