"""Progress of a step, told to whoever watches: a bar on a terminal, else lines."""

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
    """Show how far one step is: as a bar on a terminal, else as a line when it is done and one in
    each minute before. What is yielded takes (done, total), and hears signals that were lost.
    """
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    began = said = time.monotonic()
    watched = _STDERR.is_terminal
    with Progress(*columns, console=_STDERR, disable=not watched) as bars:
        task = bars.add_task(name, total=None)

        def report(done: int, total: int) -> None:
            nonlocal said
            interruption.check()
            bars.update(task, completed=done, total=total)
            now = time.monotonic()
            if now - said >= REPORT_INTERVAL_SECONDS and not watched:
                said = now
                _log.info("%s: %.0f %% after %.0f s", name, 100 * done / total, now - began)

        yield report
        # A step that counts nothing, or ended early, is done all the same.
        done = bars.tasks[task].completed or 1
        bars.update(task, total=done, completed=done)
    seconds = time.monotonic() - began
    _log.log(logging.DEBUG if watched else logging.INFO, "%s: done in %.1f s", name, seconds)


def say(line: str) -> None:
    """Tell a person who watches why a command takes longer than it will the next time."""
    if _STDERR.is_terminal:
        _STDERR.print(line, markup=False, highlight=False)
