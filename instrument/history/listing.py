"""Which runs there are: filters, and the document that lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import PurePath
from typing import Any

from instrument.errors import UsageError
from instrument.history.folders import KeptRun
from instrument.runs import iso

MIN_SHA256_CHARACTERS = 6
"""Beginning of a SHA-256 that names a matrix; fewer characters may be the name of one."""


@dataclass(frozen=True)
class Wanted:
    """Properties of the runs to list; None where any will do."""

    board: str | None = None
    """Serial number or type."""
    matrix: str | None = None
    """Name as it was given, name of the file without its folder, or beginning of the SHA-256."""
    since: datetime | None = None
    until: datetime | None = None
    """Start of the run, both ends included; with a time zone."""
    ok: bool | None = None
    """True for runs within specification, False for finished runs that missed it."""

    def holds(self, run: KeptRun) -> bool:
        """Return whether a run is wanted."""
        started = run.claim.started
        return (
            (self.board is None or self.board in (run.board_serial, run.board_type))
            and (self.matrix is None or _is_of(run, self.matrix))
            and (self.since is None or started >= self.since)
            and (self.until is None or started <= self.until)
            and (self.ok is None or run.ok is self.ok)
        )


def runs_document(runs: Iterable[KeptRun]) -> dict[str, Any]:
    """Return runs as a document: {"runs": [one entry for each run, in the same order]}."""
    return {"runs": [summary(run) for run in runs]}


def summary(run: KeptRun) -> dict[str, Any]:
    """Return what a list says of a run; None for what it does not have (yet)."""
    result = run.result
    matrix = None if result is None else result.run.matrix
    validation = None if result is None else result.validation
    return {
        "id": run.claim.id,
        "folder": str(run.path),
        "command": run.claim.command,
        "board": run.board_serial,
        "board_type": run.board_type,
        "matrix": None if matrix is None else matrix.name,
        "started": iso(run.claim.started),
        "finished": None if result is None else iso(result.run.finished),
        "ok": run.ok,
        "bits": run.bits,
        "worst_bits": None if validation is None else validation.worst_bits,
    }


def moment_of(text: str, option: str, *, end: bool) -> datetime:
    """Return a date, or a date and a time, in ISO 8601.

    Without a time zone it is this computer's. A date alone is the beginning of the day, its end
    with `end`. Raises UsageError, which names the option, where the text is no date.
    """
    try:
        parsed = datetime.fromisoformat(text)
        if len(text) <= len("2026-01-31"):
            parsed = datetime.combine(parsed, time.max if end else time.min)
        return parsed.astimezone() if parsed.tzinfo is None else parsed
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option}: {text} is no date; write 2026-01-31, or 2026-01-31T14:30"
        ) from error


def _is_of(run: KeptRun, wanted: str) -> bool:
    matrix = None if run.result is None else run.result.run.matrix
    if matrix is None:
        return False
    of_sha256 = len(wanted) >= MIN_SHA256_CHARACTERS and matrix.sha256.startswith(wanted.lower())
    return of_sha256 or wanted in (matrix.name, PurePath(matrix.name).name)
