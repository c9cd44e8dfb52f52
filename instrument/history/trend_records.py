"""Records of a board over its calibrations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MOVED_SIGMAS = 6.0
"""Change over its uncertainty, and over the typical ratio of the two on the board, beyond which a
branch is said to have moved: chance reaches it once in 10⁹.
"""
MAX_BRANCHES = 10
"""Branches that are listed: those that have moved most."""


@dataclass(frozen=True)
class CalibrationPoint:
    """A calibration of the board, and what has changed since the first one.

    Relative changes are in ppm. Those of conductances are taken apart into one that is common to
    the board, one for each row, one for each column, and the branch's own.
    """

    run: str
    folder: str
    made_at: datetime
    board_kelvin: float
    common_ppm: float
    """Of all conductances together; the known effect of temperature is taken out first."""
    row_gain_ppm: tuple[float, ...]
    column_gain_ppm: tuple[float, ...]
    """Beside the common change: gains of the rows' DACs, and of the columns' amplifiers and ADCs.
    """
    row_gain_uncertainty_ppm: float
    column_gain_uncertainty_ppm: float
    """Standard uncertainty of each, from the scatter of the branches' own changes."""
    own_ppm: tuple[float, float]
    """Interval that holds 90 % of the branches' own changes."""
    row_offset_volts: tuple[float, ...]
    column_offset_volts: tuple[float, ...]
    zero_amperes: tuple[float, ...]
    """Offsets as they are, not their changes."""
    row_offset_uncertainty_volts: float
    column_offset_uncertainty_volts: float
    zero_uncertainty_amperes: float
    """Median standard uncertainty."""


@dataclass(frozen=True)
class MovedBranch:
    """A branch and its own change since the first calibration, one entry for each calibration."""

    row: int
    column: int
    branch: int
    """Counted from 0."""
    change_ppm: tuple[float | None, ...]
    """None where the branch did not work."""
    uncertainty_ppm: tuple[float | None, ...]
    """Standard uncertainty of the change: of both calibrations, and of the effect of temperature.
    """
    status: tuple[str, ...]
    sigmas: float
    """Largest change over its uncertainty."""
    moved: bool
    """Whether that is more than chance explains, or the branch has stopped working."""

    def __str__(self) -> str:
        return f"row {self.row + 1}, column {self.column + 1}, branch {self.branch + 1}"


@dataclass(frozen=True)
class Changes:
    """What calibrations of one board say when they are read one after another."""

    points: tuple[CalibrationPoint, ...]
    branches: tuple[MovedBranch, ...]
    """Those that have moved most, the worst first."""
    moved: int
    """Branches that have moved by more than chance explains, listed or not."""
    typical_sigmas: float | None
    """What the change of a typical branch is over its uncertainty: 1 where uncertainties are right;
    None with fewer than two calibrations.
    """
    skipped: tuple[str, ...]
    """A line for each calibration that was passed over, and why."""
