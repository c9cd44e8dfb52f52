"""What all tests share: how hypothesis searches, and that Ctrl-C can be pressed."""

import os
import signal

import pytest
from hypothesis import settings

# A run that decides over a change must decide the same twice; at the desk the search is new each
# time. No law is broken by a machine that has other work.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_interrupts() -> None:
    """Python ignores SIGINT where it was started so: in the background of a shell, by some CI."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
