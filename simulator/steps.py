"""Work in steps: generators that give back control often, so that sessions can interleave."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TypeVar, cast

T = TypeVar("T")
Steps = Generator[float | None, None, T]
"""Work that returns a T. It yields the wall time, s, to wait before it goes on (0 in virtual time),
or None where messages of other sessions may be executed first. Closing it at a yield abandons it.
"""


def finish(steps: Steps[T]) -> T:
    """Carry out all steps, waiting where wall time is owed; return their result."""
    while True:
        try:
            owed_seconds = next(steps)
        except StopIteration as done:
            return cast(T, done.value)
        if owed_seconds:
            time.sleep(owed_seconds)
