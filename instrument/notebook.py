"""Progress of a step in a notebook: a bar below the cell.

Scripts stay quiet; they may pass a `progress` of their own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

from calibration.crossbar import Progress, no_progress

UPDATE_SECONDS = 0.25


@contextmanager
def shown(name: str, progress: Progress | None) -> Iterator[Progress]:
    """Yield the progress function of a step: `progress` if given, else a bar in a notebook.

    Outside a notebook nothing is shown.
    """
    if progress is not None or not _in_notebook():
        yield progress or no_progress
        return
    from IPython.display import display

    began = time.monotonic()
    bar = display(_bundle(name, "", 0, 1), raw=True, display_id=True)
    shown_at = began

    def tell(done: int, total: int) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if now - shown_at >= UPDATE_SECONDS:
            shown_at = now
            bar.update(_bundle(name, f"{now - began:.0f} s", done, total), raw=True)

    ended = "stopped"
    try:
        yield tell
        ended = "done"
    finally:
        bar.update(_bundle(name, f"{ended} after {time.monotonic() - began:.1f} s"), raw=True)


def _in_notebook() -> bool:
    """Return whether a notebook's kernel, which loads IPython, runs this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _bundle(name: str, status: str, done: int = 0, total: int = 0) -> dict[str, str]:
    """Return a line as a notebook shows it; with a bar if there is a total."""
    bar = f'<progress value="{done}" max="{total}"></progress> ' if total else ""
    share = f"{100 * done / total:.0f} %, " if total else ""
    text = f"{name}: {share}{status}".rstrip(", ")
    return {"text/html": f"{bar}{escape(text)}", "text/plain": text}
