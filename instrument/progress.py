"""Progress of a step on a terminal: a bar, or lines of the log where there is no terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from calibration.crossbar import Progress as Report
from instrument import interruption

_log = logging.getLogger(__name__)


REPORT_INTERVAL_SECONDS = 60.0


# Progress and errors go to stderr: stdout carries the result alone.
_STDERR = Console(stderr=True)


@contextmanager
def step(name: str) -> Iterator[Report]:
    """Show the progress of one step: a bar on a terminal, else a line at its end.

    A long step without a terminal adds a line each minute. The yielded function takes (done, total)
    and raises Interrupted for a signal that was dropped.
    """
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    began = reported = time.monotonic()
    watched = _STDERR.is_terminal
    with Progress(*columns, console=_STDERR, disable=not watched) as bars:
        task = bars.add_task(name, total=None)

        def report(done: int, total: int) -> None:
            nonlocal reported
            interruption.check()
            bars.update(task, completed=done, total=total)
            now = time.monotonic()
            if now - reported >= REPORT_INTERVAL_SECONDS and not watched:
                reported = now
                _log.info("%s: %.0f %% after %.0f s", name, 100 * done / total, now - began)

        yield report
        # A step that counts nothing, or ends early, is complete as well.
        done = bars.tasks[task].completed or 1
        bars.update(task, total=done, completed=done)
    seconds = time.monotonic() - began
    _log.log(logging.DEBUG if watched else logging.INFO, "%s: done in %.1f s", name, seconds)


def say(line: str) -> None:
    """Print a line on the terminal, if there is one, such as why a command takes longer now."""
    if _STDERR.is_terminal:
        _STDERR.print(line, markup=False, highlight=False)
