"""The wall clock as the board sees it, moved by hand."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def wall(monkeypatch):
    """Stands still unless a test moves it."""
    clock = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr("simulator.watchdog.time", SimpleNamespace(monotonic=lambda: clock.seconds))
    return clock
