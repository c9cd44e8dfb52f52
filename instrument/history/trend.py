"""A board over all of its runs: what its products, its converters and its branches have done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from instrument.errors import UsageError
from instrument.history.folders import KeptRun
from instrument.history.listing import summary
from instrument.history.trend_records import Changes, MovedBranch
from instrument.runs import iso, named


@dataclass(frozen=True)
class Trend:
    """A board over its runs, the newest last."""

    board: str
    board_type: str | None
    runs: tuple[KeptRun, ...]
    changes: Changes

    @property
    def words(self) -> list[str]:
        """Sentences that say which branches have moved."""
        return list(_in_words(self.changes))

    def document(self) -> dict[str, Any]:
        """Return the trend as JSON holds it; rows, columns and branches count from 0."""
        return {
            "board": self.board,
            "board_type": self.board_type,
            "words": self.words,
            "runs": [summary(run) | {"predicted_bits": _predicted(run)} for run in self.runs],
            "calibrations": [
                asdict(point) | {"made_at": iso(point.made_at)} for point in self.changes.points
            ],
            "branches": [asdict(branch) for branch in self.changes.branches],
            "moved": self.changes.moved,
            "typical_sigmas": self.changes.typical_sigmas,
        }


def follow_board(runs: Sequence[KeptRun], board: str) -> Trend:
    """Return the trend of the board of this serial number over the runs that are its own.

    `runs` are ordered by their start. Each calibration counts once, in the run that measured it.
    Raises UsageError where none of the runs is of this board.
    """
    own = tuple(run for run in runs if run.board_serial == board)
    if not own:
        known = sorted({run.board_serial for run in runs if run.board_serial is not None})
        raise UsageError(
            f"{board}: no run of a board with this serial number; "
            + (f"there are runs of {named(known)}" if known else "there are no runs")
            + "; --in names another folder of runs"
        )
    from instrument.history.changes import changes_of  # late: it loads what reads calibrations

    return Trend(board, own[-1].board_type, own, changes_of(own))


def _predicted(run: KeptRun) -> float | None:
    budget = None if run.result is None else run.result.budget
    return None if budget is None else budget.predicted_bits


def _in_words(changes: Changes) -> Iterator[str]:
    if len(changes.points) < 2:
        yield (
            "Changes of the board need two runs that have calibrated it; there "
            f"{'is one' if changes.points else 'is none'}."
        )
        return
    for branch in changes.branches:
        if not branch.moved:
            continue
        first, last = branch.status[0], branch.status[-1]
        if last != first:
            since = changes.points[_since(branch.status)].made_at.astimezone()
            yield f"{_at(branch)} was {first} and is {last} since {since:%Y-%m-%d %H:%M}."
        else:
            at, change = _largest(branch)
            when = changes.points[at].made_at.astimezone()
            yield (
                f"{_at(branch)} had moved by {change:+.0f} ppm at {when:%Y-%m-%d %H:%M}: "
                f"{branch.sigmas:.0f} times its uncertainty."
            )
    listed = sum(branch.moved for branch in changes.branches)
    if changes.moved > listed:
        yield f"{changes.moved - listed} more branches have moved."
    if not changes.moved:
        yield "No branch has moved by more than its uncertainty and chance explain."
    if changes.typical_sigmas is not None:
        yield f"A typical branch has moved by {changes.typical_sigmas:.1f} times its uncertainty."


def _at(branch: MovedBranch) -> str:
    return str(branch).capitalize()


def _since(status: Sequence[str]) -> int:
    """Return the index from which the status is what it is at last."""
    return max(index for index, name in enumerate(status) if name != status[-1]) + 1


def _largest(branch: MovedBranch) -> tuple[int, float]:
    """Return the index and the value of the largest change."""
    changes = [change or 0.0 for change in branch.change_ppm]
    at = max(range(len(changes)), key=lambda index: abs(changes[index]))
    return at, changes[at]
