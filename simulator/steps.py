"""Work in steps: whoever does something that takes long gives back control often."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TypeVar, cast

T = TypeVar("T")
Steps = Generator[float | None, None, T]
"""Work that ends with a T. It yields how many seconds of wall time it owes before it goes on: 0 in
virtual time; or None where the messages of others may come first. Closed at a yield, it is
abandoned.
"""


def finish(steps: Steps[T]) -> T:
    """Carry out all steps, waiting where wall time is owed; return what they end with."""
    while True:
        try:
            owed_seconds = next(steps)
        except StopIteration as done:
            return cast(T, done.value)
        if owed_seconds:
            time.sleep(owed_seconds)
