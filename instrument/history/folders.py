"""Folders of runs: read, looked through, found by id.

There is no index: what has been done is what the folders say. A folder may be moved, copied or
deleted, and nothing has to be told of it.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from instrument.errors import UsageError
from instrument.files import as_usage_error, text_in
from instrument.history.documents import Claim, Result, read_claim, read_result
from instrument.run_files import CALIBRATION_FILE, JOURNAL_FILE, RESULT_FILE, RESULTS
from instrument.runs import CLAIM_FILE, named

MAX_ABOUT_BYTES = 1 << 20
DESIGN = "ohmsum design"
"""A command that keeps its files in the same way, and is no run."""


@dataclass(frozen=True)
class KeptRun:
    """A run as its folder tells it."""

    path: Path
    claim: Claim
    result: Result | None
    """None while the run is under way, and after it was cut short."""
    board_type: str | None
    board_serial: str | None
    """None where nothing in the folder names the board yet."""

    @property
    def bits(self) -> float | None:
        """Bits of its products; None where none were validated."""
        if self.result is None or self.result.validation is None:
            return None
        return self.result.validation.bits

    @property
    def ok(self) -> bool | None:
        """Whether it met its specification; None while it has no result."""
        return None if self.result is None else self.result.ok

    def finished_result(self) -> Result:
        """Return the result.

        Raises UsageError, which says what there is, where the run has none.
        """
        if self.result is None:
            kept = [file.name for file in files_of(self.path) if file.name != CLAIM_FILE]
            raise UsageError(
                f"{self.path}: this run has no {RESULT_FILE}: it was cut short, or is under way "
                f"(in its folder: {named(kept) or 'nothing else'}); {self._way_out(kept)}"
            )
        return self.result

    def _way_out(self, kept: list[str]) -> str:
        if JOURNAL_FILE in kept:
            return f"`{shlex.join(['ohmsum', 'resume', str(self.path)])}` goes on with it"
        return "`ohmsum runs` lists those that have one"


@dataclass(frozen=True)
class Found:
    """The runs of a folder, the newest last, and what was passed over."""

    runs: tuple[KeptRun, ...]
    skipped: tuple[str, ...]
    """A line for each folder that is no run, or is damaged: its name, and why."""


def claim_of(folder: Path) -> Claim:
    """Return the claim of the run that a folder holds.

    Raises UsageError, which names the file, where it holds none or a damaged one.
    """
    if not os.path.isdir(folder):
        raise UsageError(f"{folder}: no such folder; `ohmsum runs` lists the runs that are kept")
    if not _holds(folder, CLAIM_FILE):
        raise UsageError(
            f"{folder}: no run: there is no {CLAIM_FILE} in it; `ohmsum runs {folder}` looks for "
            "runs inside"
        )
    claim = read_claim(folder)
    if claim.command.startswith(DESIGN):
        raise UsageError(f"{folder}: of `{DESIGN}`, which runs no board")
    return claim


def read_run(folder: Path) -> KeptRun:
    """Return the run that a folder holds.

    Raises UsageError, which names the file, where it holds none or a damaged one.
    """
    claim = claim_of(folder)
    result = read_result(folder) if _holds(folder, RESULT_FILE) else None
    if result is not None:
        return KeptRun(folder, claim, result, result.board.preset, result.board.serial)
    return KeptRun(folder, claim, None, *_board_of_calibration(folder / CALIBRATION_FILE))


def runs_in(folder: Path) -> Found:
    """Return the runs in a folder of runs, ordered by their start; a run's own folder gives it.

    Raises UsageError where there is no such folder, or it cannot be read.
    """
    runs, skipped = [], []
    for path in _folders(folder):
        try:
            runs.append(read_run(path))
        except UsageError as error:
            skipped.append(_why_skipped(path, error))
    runs.sort(key=lambda run: (run.claim.started, run.claim.id))
    return Found(tuple(runs), tuple(skipped))


def find_run(name: str, results: Path = RESULTS) -> KeptRun:
    """Return a run by its folder, or by its id or the beginning of it among the runs of `results`.

    Raises UsageError where nothing is so called, or more than one run is.
    """
    return read_run(find_folder(name, results))


def find_folder(name: str, results: Path = RESULTS) -> Path:
    """Return the folder of a run, named as in `find_run`; raises as `find_run`."""
    if os.path.isdir(name):
        return Path(name)
    if os.path.exists(name):
        raise UsageError(
            f"{name}: a run is named by its folder or its id, and this is a file; `ohmsum runs` "
            "lists both"
        )
    claims = list(_claims_in(results)) if os.path.isdir(results) else []
    whole = [path for path, claim in claims if name in (claim.id, path.name)]
    matching = whole or [path for path, claim in claims if name and claim.id.startswith(name)]
    if not matching:
        raise UsageError(
            f"{name}: no such folder, and no run in {results} has this id; `ohmsum runs` lists "
            "them, --in names another folder of runs"
        )
    if len(matching) > 1:
        folders = named([str(path) for path in matching])
        raise UsageError(
            f"{name}: the id of {len(matching)} runs: {folders}; name its folder instead"
            if whole
            else f"{name}: the ids of {len(matching)} runs begin so: {folders}; give more of it"
        )
    return matching[0]


@dataclass(frozen=True)
class KeptFile:
    """A file in a run's folder."""

    name: str
    bytes: int


def files_of(folder: Path) -> list[KeptFile]:
    """Return the files in a run's folder by name.

    Raises UsageError where the folder cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        return [KeptFile(path.name, path.stat().st_size) for path in paths]
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({error.strerror or error})") from error


def _holds(folder: Path, name: str) -> bool:
    """Return whether a folder holds a file; one that cannot be looked into holds none."""
    return os.path.exists(folder / name)  # that of Path raises where looking is not permitted


def _folders(folder: Path) -> list[Path]:
    """Return the folders that may hold runs: a run's own folder itself, or those inside."""
    if not os.path.isdir(folder):
        if os.path.exists(folder):
            raise UsageError(f"{folder}: is no folder; name the folder that holds the runs")
        raise UsageError(
            f"{folder}: no such folder; runs are kept in {RESULTS}/ where `ohmsum run` was "
            "started: go there, or name the folder"
        )
    if _holds(folder, CLAIM_FILE):
        return [folder]
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({error.strerror or error})") from error


def _claims_in(folder: Path) -> Iterator[tuple[Path, Claim]]:
    for path in _folders(folder):
        with suppress(UsageError):  # what is damaged has no id
            yield path, read_claim(path)


def _why_skipped(path: Path, error: UsageError) -> str:
    if not _holds(path, CLAIM_FILE):
        return f"{path}: skipped: no run, there is no {CLAIM_FILE} in it"
    return f"{error}: skipped"


def _board_of_calibration(path: Path) -> tuple[str | None, str | None]:
    """Return type and serial number of the board that a calibration names; None without one."""
    try:
        with as_usage_error(path, "not a calibration file"):
            board = json.loads(text_in(path, "about", MAX_ABOUT_BYTES))["board"]
            return str(board["type"]), str(board["serial"])
    except UsageError:
        return None, None
