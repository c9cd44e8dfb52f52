"""How much a driver asks for in one exchange, and how long it waits for the answer.

Bounded exchanges let Ctrl-C be answered within seconds and keep slow wires usable.
"""

from collections.abc import Iterator

_MAX_EXCHANGE_BYTES = 2 << 20
_MAX_EXCHANGE_SECONDS = 10.0
_MAX_EXCHANGE_ITEMS = 65_535
# Board time may be wall time, and a USB full-speed port moves about 0.5 MB/s.
_TIME_MARGIN = 1.5
_SLOW_WIRE_BYTES_PER_SECOND = 500_000.0


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
