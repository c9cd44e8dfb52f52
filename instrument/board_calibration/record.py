"""The record of a board's calibration, and whether it still holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from calibration.arrays import Floats
from calibration.branches import BranchCalibration, SettleTime
from calibration.converters import Converters, RangeGains
from calibration.noise import NoiseSurvey
from calibration.records import Record
from calibration.temperature import Coefficients, with_earlier
from instrument.arguments import file_path
from instrument.board import Board
from instrument.clocks import ClockReading
from instrument.display import as_html, as_text
from instrument.errors import UsageError


@dataclass(frozen=True)
class BoardIdentity:
    """Identity of a board: type, serial number and shape."""

    type: str
    serial: str
    rows: int
    columns: int
    branches: int

    def __str__(self) -> str:
        return f"board {self.type} {self.serial} ({self.rows} × {self.columns} × {self.branches})"


def identity_of(board: Board) -> BoardIdentity:
    """Return the identity of a board."""
    return BoardIdentity(
        board.type, board.identity.serial, board.rows, board.columns, board.branches
    )


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Record):
    """Measured branches and converters of a board, and how they were measured."""

    board: BoardIdentity
    branches: BranchCalibration
    converters: Converters
    ranges: RangeGains
    noise: NoiseSurvey
    settling: SettleTime
    temperature: Coefficients
    """Temperature coefficients of the branches, as far as this and earlier calibrations resolve
    them.
    """
    bytes_moved: int
    """Bytes sent to and received from the board."""
    bench_seconds: float
    """Time that the measurement took on the board's clock, seconds."""
    converter_seconds: float
    """Part of `bench_seconds` that converters and range gains took."""
    board_kelvin: float
    """Temperature that the board's sensor showed when the measurement ended, kelvin."""
    wall_seconds: float
    made_at: datetime
    """Date at which the measurement ended, by the host's clock; with its time zone."""
    versions: dict[str, str]
    """Versions of ohmsum and of the board's firmware."""
    joined: tuple[datetime, ...] = ()
    """Dates at which the earlier calibrations ended that have improved this one."""
    nominal_ohms: Floats | None = None
    """(branches,): the nominal resistances that the board states, ohms; None in files of format 5.
    """
    run: str = ""
    """Id of the run that measured it; empty if no run of the command line did."""
    source: str = field(default="the calibration", compare=False)
    """Name that messages about it begin with: the file it was read from."""
    ended: ClockReading | None = field(default=None, compare=False)
    """What the clocks showed when the measurement ended; None if another session made it."""

    def __repr__(self) -> str:
        return as_text("Calibration", self._figures())

    def _repr_html_(self) -> str:
        return as_html("Calibration", self._figures())

    def _figures(self) -> dict[str, str]:
        counts = self.branches.status_counts()
        faults = ", ".join(
            f"{count} {name}" for name, count in counts.items() if count and name != "ok"
        )
        return {
            "of": str(self.board),
            "branches": f"{self.branches.status.size:,} ({faults or 'all ok'})",
            "made": f"{self.made_at:%Y-%m-%d %H:%M} UTC",
            "at": f"{self.board_kelvin - 273.15:.1f} °C",
        }

    def save(self, path: str | Path) -> None:
        """Write it to a .npz file.

        Raises FileNotWritten where that fails.
        """
        from instrument.board_calibration.file import save_calibration

        save_calibration(self, file_path(path))

    @staticmethod
    def load(path: str | Path) -> Calibration:
        """Read a calibration from a .npz file.

        Raises UsageError, which names the file, where it holds none.
        """
        from instrument.board_calibration.file import load_calibration

        return load_calibration(file_path(path))

    def require(self, board: BoardIdentity) -> None:
        """Raise UsageError unless this is a calibration of that board."""
        if self.board != board:
            raise UsageError(f"{self.source}: of {self.board}, but on the bench is {board}")

    def with_earlier(self, earlier: Sequence[Calibration]) -> Calibration:
        """Return this calibration improved by earlier ones of the same board at other temperatures.

        The branches and their temperature coefficients become better known. Raises UsageError where
        one is of another board, and where a measurement would count twice: by itself, or within a
        calibration that it has improved before.
        """
        counted = {self.made_at, *self.joined}
        for calibration in earlier:
            calibration.require(self.board)
            measured_at = {calibration.made_at, *calibration.joined}
            again = counted & measured_at
            if again:
                raise UsageError(
                    f"{calibration.source}: the measurement of {min(again):%Y-%m-%d %H:%M:%S} UTC "
                    "is given twice, by itself or within another file, and would count twice"
                )
            counted |= measured_at
        branches, temperature = with_earlier(
            self.branches, [calibration.branches for calibration in earlier], self.noise.warming
        )
        joined = tuple(sorted(counted - {self.made_at}))
        return replace(self, branches=branches, temperature=temperature, joined=joined)
