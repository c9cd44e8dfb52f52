"""Waiting for what another thread brings about: a condition with a deadline, never a fixed time."""

import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.005


def wait_until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds; fail after PATIENCE_SECONDS."""
    pause = threading.Event()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition never came to hold"
        pause.wait(_POLL_SECONDS)
