"""Sessions of a journal: the processes that have worked on a run, and the board they met."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from drivers import CrossbarBoard
from instrument.bench_file import BenchConfig
from instrument.errors import UsageError
from instrument.journal.facts import BoardFacts
from instrument.journal.file import Journal, State
from instrument.journal.recorded_board import RecordedBoard
from instrument.provenance import host_name, versions

DONE = "done"
"""Outcome of a session that no error has ended."""


_STATE = TypeAdapter(State)


@dataclass(frozen=True)
class Session:
    """A process that has worked on a run, and how it found the board."""

    host: str
    process: int
    """Number of the process on its host."""
    versions: dict[str, str | None]
    config: BenchConfig
    board: BoardFacts
    state: State
    """The board as it was when the session began."""
    began: str
    """ISO 8601."""
    ended: str | None
    """ISO 8601; None where the process was killed, or works still."""
    outcome: str | None
    """How it ended, in words."""


def record_exchanges(
    journal: Journal, board: CrossbarBoard, config: BenchConfig, *, simulated: bool
) -> RecordedBoard:
    """Return an open board whose exchanges are kept in the journal; begin a session in it.

    `simulated` is a board that this process has made: what the journal holds is carried out on it
    as well.

    Raises UsageError where the journal is of another board, or damaged.
    """
    facts = BoardFacts.of(board)
    state = State(
        range_amperes=board.range_amperes,
        aperture_seconds=board.aperture_seconds,
        delay_seconds=board.delay_seconds,
        pattern_crc=board.held_crc,
        bytes_moved=0,
        board_seconds=0.0,
        board_kelvin=None,
    )
    first = next(iter(sessions_of(journal)), None)
    if first is not None and (differences := facts.differences(first.board)):
        raise UsageError(
            f"{journal.path}: not a run of the board on the bench, {facts.identity.serial}: "
            f"{differences}"
        )
    journal.open_session(
        _now(),
        {
            "host": host_name(),
            "process": os.getpid(),
            "versions": dict(versions()),
            "config": config.model_dump(mode="json"),
            "board": facts.document(),
            "state": asdict(state),
        },
    )
    begun = state if first is None else first.state
    return RecordedBoard(
        journal,
        facts,
        begun,
        board,
        watchdog_seconds=(config if first is None else first.config).board.watchdog_seconds,
        begun_anew=simulated and first is not None,
    )


def replay_exchanges(journal: Journal) -> tuple[RecordedBoard, BenchConfig]:
    """Return the board of a journal, which answers from it alone, and the bench's configuration.

    Raises UsageError where the journal holds nothing, or is damaged.
    """
    first = next(iter(sessions_of(journal)), None)
    if first is None:
        raise UsageError(
            f"{journal.path}: nothing is recorded: the run ended before its bench was open"
        )
    config = first.config
    watchdog_seconds = config.board.watchdog_seconds
    return (
        RecordedBoard(journal, first.board, first.state, None, watchdog_seconds=watchdog_seconds),
        config,
    )


def close_session(journal: Journal, error: BaseException | None) -> None:
    """Note in the journal how this process has ended: by an error, or done.

    Raises FileNotWritten where that fails.
    """
    journal.close_session(_now(), DONE if error is None else str(error) or type(error).__name__)


def sessions_of(journal: Journal) -> list[Session]:
    """Return the processes that have worked on the run, the first one first.

    Raises UsageError where the journal is damaged.
    """
    return [_session(journal, noted) for noted in journal.sessions()]


def _session(journal: Journal, noted: dict[str, Any]) -> Session:
    try:
        return Session(
            host=str(noted["host"]),
            process=int(noted["process"]),
            versions=dict(noted["versions"]),
            config=BenchConfig.model_validate(noted["config"]),
            board=BoardFacts.of_document(noted["board"]),
            state=_STATE.validate_python(noted["state"]),
            began=noted["began"],
            ended=noted["ended"],
            outcome=noted["outcome"],
        )
    except (ValidationError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"{journal.path}: damaged: a session cannot be read ({error})") from error


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
