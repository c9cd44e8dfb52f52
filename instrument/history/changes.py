"""Calibrations of one board, one after another: what has changed, and which branches by themselves.

The conductance of a branch holds the gain of its row's DAC and of its column's amplifier. Its
relative change since the first calibration is taken apart by medians, which a few failing branches
do not move:

    g / g_first − 1 − α ΔT = common + row + column + own,

with α the branch's measured temperature coefficient and ΔT the change of the board's temperature.
The uncertainty of the own part is that of both calibrations, and that of α ΔT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.branches import BranchStatus
from instrument.board_calibration import Calibration, load_calibration
from instrument.errors import UsageError
from instrument.history.folders import KeptRun
from instrument.history.trend_records import (
    MAX_BRANCHES,
    MOVED_SIGMAS,
    CalibrationPoint,
    Changes,
    MovedBranch,
)
from instrument.run_files import CALIBRATION_FILE

PPM = 1e6
MEDIAN_OF_NORMAL = 0.6745
"""Median of the absolute value of a standard normal variable."""
SIGMA_OF_MEDIAN = 1.2533
"""Standard deviation of the median of many normal values, over that of their mean."""
SWEEPS = 10
"""Turns of the medians of rows and columns: they move by less than 1e-3 ppm in the last."""


@dataclass(frozen=True)
class _Read:
    """A calibration, and the run that measured it."""

    run: KeptRun
    calibration: Calibration


@dataclass(frozen=True)
class _Parts:
    """Relative changes of conductances since the first calibration, taken apart."""

    common: float
    rows: Floats
    columns: Floats
    own: Floats
    """(rows, columns, branches); NaN where a branch did not work in both."""
    uncertainty: Floats
    """(rows, columns, branches): standard uncertainty of `own`."""


def changes_of(runs: Sequence[KeptRun]) -> Changes:
    """Return what the calibrations of runs of one board say, in the order of their dates."""
    read, skipped = _calibrations(runs)
    if not read:
        return Changes((), (), 0, None, tuple(skipped))
    first = read[0].calibration
    parts = [_take_apart(first, point.calibration) for point in read]
    points = tuple(_point(point, part) for point, part in zip(read, parts, strict=True))
    if len(read) < 2:
        return Changes(points, (), 0, None, tuple(skipped))
    own = np.array([part.own for part in parts])
    uncertainty = np.array([part.uncertainty for part in parts])
    sigmas = np.abs(own[1:]) / uncertainty[1:]
    status = np.array([point.calibration.branches.status for point in read])
    stopped = (status[:-1] == BranchStatus.OK).any(axis=0) & (status[-1] != BranchStatus.OK)
    typical = _typical(sigmas[-1])
    largest = np.where(np.isnan(sigmas), 0.0, sigmas).max(axis=0)
    moved = stopped | (largest > MOVED_SIGMAS * max(typical or 1.0, 1.0))
    # What has stopped comes first, whatever it did before.
    order = np.lexsort((-largest.ravel(), ~stopped.ravel()))[:MAX_BRANCHES]
    places = np.array(np.unravel_index(order, largest.shape)).T
    return Changes(
        points,
        tuple(
            MovedBranch(
                row=row,
                column=column,
                branch=branch,
                change_ppm=_ppm_or_none(own[:, row, column, branch]),
                uncertainty_ppm=_ppm_or_none(uncertainty[:, row, column, branch]),
                status=tuple(
                    BranchStatus(value).name.lower()
                    for value in status[:, row, column, branch].tolist()
                ),
                sigmas=float(largest[row, column, branch]),
                moved=bool(moved[row, column, branch]),
            )
            for row, column, branch in places.tolist()
        ),
        int(moved.sum()),
        typical,
        tuple(skipped),
    )


def _calibrations(runs: Sequence[KeptRun]) -> tuple[list[_Read], list[str]]:
    """Read the calibrations that runs have measured, each once, in the order of their dates.

    Returns them and a line for each that cannot be used.
    """
    read: list[_Read] = []
    skipped = []
    for run in runs:
        path = run.path / CALIBRATION_FILE
        if not path.exists():
            continue
        try:
            calibration = load_calibration(path)
        except UsageError as error:
            skipped.append(f"{error}: skipped")
            continue
        if calibration.board.serial != run.board_serial:
            skipped.append(f"{path}: skipped: of {calibration.board}")
        elif all(other.calibration.made_at != calibration.made_at for other in read):
            read.append(_Read(run, calibration))
    read.sort(key=lambda point: point.calibration.made_at)
    if read:
        board = read[-1].calibration.board
        skipped += [
            f"{point.calibration.source}: skipped: of {point.calibration.board}, and the newest "
            f"calibration is of {board}"
            for point in read
            if point.calibration.board != board
        ]
        read = [point for point in read if point.calibration.board == board]
    return read, skipped


def _take_apart(first: Calibration, later: Calibration) -> _Parts:
    before, after = first.branches, later.branches
    both = before.usable & after.usable
    kelvin = after.reference_kelvin - before.reference_kelvin
    conductance = np.where(both, before.branch_siemens, np.nan)
    of_temperature = later.temperature.per_kelvin * kelvin
    uncertain = np.hypot(before.uncertainty_siemens, after.uncertainty_siemens) / conductance
    return _Parts(
        *_by_medians(after.branch_siemens / conductance - 1 - of_temperature),
        np.hypot(uncertain, later.temperature.uncertainty_per_kelvin * kelvin),
    )


def _by_medians(change: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Take a change (rows, columns, branches) apart: common, of rows, of columns, own."""
    rows, columns = np.zeros(change.shape[0]), np.zeros(change.shape[1])
    common = _median(change)
    own = change - common
    for _ in range(SWEEPS):
        of_rows = np.array([_median(row) for row in own])
        own = own - of_rows[:, None, None]
        of_columns = np.array([_median(own[:, column]) for column in range(len(columns))])
        own = own - of_columns[:, None]
        rows, columns = rows + of_rows, columns + of_columns
    return common, rows, columns, own


def _point(point: _Read, parts: _Parts) -> CalibrationPoint:
    calibration = point.calibration
    offsets = calibration.converters.offsets
    working = ~np.isnan(parts.own)
    scatter = _median(np.abs(parts.own)) / MEDIAN_OF_NORMAL * SIGMA_OF_MEDIAN
    low, high = np.quantile(parts.own[working], (0.05, 0.95)) if working.any() else (0.0, 0.0)
    return CalibrationPoint(
        run=point.run.claim.id,
        folder=str(point.run.path),
        made_at=calibration.made_at,
        board_kelvin=calibration.board_kelvin,
        common_ppm=PPM * parts.common,
        row_gain_ppm=_numbers(PPM * parts.rows),
        column_gain_ppm=_numbers(PPM * parts.columns),
        row_gain_uncertainty_ppm=PPM * scatter / _typical_count(working, (1, 2)),
        column_gain_uncertainty_ppm=PPM * scatter / _typical_count(working, (0, 2)),
        own_ppm=(PPM * float(low), PPM * float(high)),
        row_offset_volts=_numbers(offsets.row_volts),
        column_offset_volts=_numbers(offsets.column_volts),
        zero_amperes=_numbers(offsets.zero_amperes),
        row_offset_uncertainty_volts=float(np.median(offsets.row_uncertainty_volts)),
        column_offset_uncertainty_volts=float(np.median(offsets.column_uncertainty_volts)),
        zero_uncertainty_amperes=float(np.median(offsets.zero_uncertainty_amperes)),
    )


def _typical_count(working: Bools, axes: tuple[int, int]) -> float:
    """Return the root of the median number of working branches on a line."""
    return float(np.sqrt(max(np.median(working.sum(axis=axes)), 1.0)))


def _typical(sigmas: Floats) -> float | None:
    """Return the scatter of changes over their uncertainty, as that of a normal distribution."""
    return _median(sigmas) / MEDIAN_OF_NORMAL if (~np.isnan(sigmas)).any() else None


def _median(values: Floats) -> float:
    """Return the median of what is no NaN; 0 where nothing is."""
    finite = values[~np.isnan(values)]
    return float(np.median(finite)) if finite.size else 0.0


def _numbers(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(map(float, values))


def _ppm_or_none(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else PPM * float(value) for value in values)
