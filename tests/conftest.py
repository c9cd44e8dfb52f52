"""What all tests share: how hypothesis searches, and that signals arrive."""

import os
import signal

import pytest
from hypothesis import settings

# A run that decides over a change must decide the same twice; at the desk the search is new each
# time. No law is broken by a machine that has other work.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

# There is a worker for each processor. Threads of OpenBLAS, which spin while they wait, would take
# the processors from the other workers. It reads this when numpy is imported: here, not before.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _signals_interrupt() -> None:
    """Python ignores signals where it was started so: in the background of a shell, under nohup,
    by some CI.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
