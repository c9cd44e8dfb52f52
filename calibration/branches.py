"""Characterize: the conductance of every branch, its standard uncertainty, and whether it works.

All branches of a row are measured in parallel over the columns. A crosspoint conducts

    G = G_open + Σ s_k · g_k,

`G_open` with every switch open (leakage, and whatever is stuck), `g_k` what closing switch k adds,
`s_k` the pattern. So each branch is read as a difference against its own crosspoint with all
switches open, which makes leakage drop out of the sum exactly. Every point is read with both
polarities, (I₊ − I₋) / 2V, which removes all that does not follow the row voltage: amplifier
offsets, and DAC offsets of this and all other rows.

Conductances are relative to the board's own converters: the gain of each row's DAC and of each
column's amplifier and ADC is part of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from calibration.crossbar import (
    NO_BRANCH,
    Crossbar,
    Progress,
    measuring_volts,
    no_progress,
    smallest_range,
)

RANGE_HEADROOM = 2.5
"""Over the largest nominal branch current: tolerance, and a stuck neighbour in the same crosspoint.
"""
OPEN_BELOW, STUCK_ABOVE = 0.25, 0.25
"""Fractions of the nominal conductance (of the branch; of the weakest branch) that tell a dead
branch from a live one.
"""
FIRST_READINGS = 2
MOST_READINGS = 64


class BranchStatus(IntEnum):
    """What characterization found a branch to be."""

    OK = 0
    OPEN = 1
    """Closing its switch adds nothing, and nothing conducts while it is open."""
    SHORT = 2
    """It conducts more than the range can read."""
    STUCK = 3
    """Closing its switch adds nothing, but the crosspoint conducts with all switches open."""


@dataclass(frozen=True)
class BranchCalibration:
    """What the board was measured to be; relative to its own converters."""

    branch_siemens: NDArray[np.float64]
    """(rows, columns, branches): what closing the switch adds; 0 where the branch is not ok."""
    uncertainty_siemens: NDArray[np.float64]
    """(rows, columns, branches): standard uncertainty (type A) of `branch_siemens`."""
    open_siemens: NDArray[np.float64]
    """(rows, columns): conductance with every switch open."""
    status: NDArray[np.int8]
    """(rows, columns, branches): BranchStatus."""
    readings: int
    """ADC readings taken, all columns counted."""
    range_amperes: float
    row_volts: float

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(rows, columns, branches): branches that can be selected."""
        return np.asarray(self.status == BranchStatus.OK)

    @property
    def open_uncertainty_siemens(self) -> NDArray[np.float64]:
        """(rows, columns): standard uncertainty (type A) of `open_siemens`, which every branch of
        the crosspoint has in common.

        Open and branch are read with one scatter, the open crosspoint m times as often, so that
        `u(branch)² = s² + s²/m` (see `characterize`).
        """
        opens = int((_sequence(self.status.shape[2]) == NO_BRANCH).sum())
        return np.asarray(self.uncertainty_siemens.max(axis=2) / np.sqrt(opens + 1))

    def status_counts(self) -> dict[str, int]:
        """Return how many branches have each status, by its name."""
        return {status.name.lower(): int((self.status == status).sum()) for status in BranchStatus}


@dataclass
class _Tally:
    """Sums of half differences (I₊ − I₋)/2 over the readings of each point, (rows, points,
    columns).
    """

    count: NDArray[np.int64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    def add(self, row: int, half_differences: NDArray[np.float64]) -> None:
        """Take in (points, readings, columns) of a row."""
        self.count[row] += half_differences.shape[1]
        self.total[row] += half_differences.sum(axis=1)
        self.squares[row] += (half_differences**2).sum(axis=1)

    def scatter(self) -> NDArray[np.float64]:
        """Return the standard deviation (columns,) of one half difference, pooled over rows and
        points.
        """
        count = self.count[..., None]
        within = self.squares - self.total**2 / count
        freedom = np.where(np.isfinite(within), count - 1, 0).sum(axis=(0, 1))
        pooled = np.nansum(np.maximum(within, 0), axis=(0, 1))
        return np.asarray(np.sqrt(pooled / np.maximum(freedom, 1)))


def characterize(
    board: Crossbar, *, wanted_bits: float = 18.0, progress: Progress = no_progress
) -> BranchCalibration:
    """Measure every branch of the board.

    Two readings of each polarity at first; more, on the rows that need it and up to 64, until each
    working branch is known to 2^−`wanted_bits` of a crosspoint's nominal total conductance.
    `progress` hears of rows done.

    Uncertainty, type A (JCGM 100:2008, 4.2): with s the pooled standard deviation of a half
    difference, n readings of the branch and n₀ of the open crosspoint, u = s / V · √(1/n + 1/n₀).
    The open crosspoint enters every difference, so it is read about √branches times as often as a
    branch, the best division of a given number of readings between a control and what is compared
    with it (Dunnett 1955).
    """
    volts = measuring_volts(board.row_volts_limit)
    range_amperes = smallest_range(
        board.ranges_amperes, RANGE_HEADROOM * volts / board.nominal_ohms.min()
    )
    board.configure(range_amperes=range_amperes)
    wanted_siemens = 2.0**-wanted_bits * (1 / board.nominal_ohms).sum()

    sequence = _sequence(board.branches)
    shape = board.rows, len(sequence), board.columns
    tally = _Tally(np.zeros(shape[:2], np.int64), np.zeros(shape), np.zeros(shape))
    todo = np.arange(board.rows)
    readings = FIRST_READINGS
    while len(todo):
        for done, row in enumerate(todo):
            tally.add(int(row), _read_row(board, int(row), sequence, volts, readings))
            progress(done + 1, len(todo))
        row_uncertainty = _uncertainties(tally, sequence, volts, board.branches).max(axis=(1, 2))
        short_by = np.where(np.isfinite(row_uncertainty), row_uncertainty, 0) / wanted_siemens
        todo = np.flatnonzero((short_by > 1) & (tally.count[:, 0] < MOST_READINGS))
        if len(todo):
            had = int(tally.count[todo, 0].min())
            needed = int(np.ceil(had * short_by.max() ** 2))
            readings = max(1, min(needed, MOST_READINGS) - had)

    branch_siemens, open_siemens = _differences(tally, sequence, volts, board.branches)
    reread = _reread_beside_shorts(board, branch_siemens, open_siemens, tally.count[:, 0], volts)
    status = _judge(branch_siemens, open_siemens, 1 / board.nominal_ohms)
    ok = status == BranchStatus.OK
    return BranchCalibration(
        branch_siemens=np.where(ok, branch_siemens, 0.0),
        uncertainty_siemens=np.where(
            ok, _uncertainties(tally, sequence, volts, board.branches), 0.0
        ),
        open_siemens=np.nan_to_num(open_siemens, nan=0.0),
        status=status,
        readings=int(2 * (tally.count.sum() + reread) * board.columns),
        range_amperes=range_amperes,
        row_volts=volts,
    )


def _sequence(branches: int) -> NDArray[np.int_]:
    """Return the order of probes of a row: every branch once, the open crosspoint spread evenly
    between them.
    """
    opens = max(2, round(np.sqrt(branches)))
    blocks = np.array_split(np.arange(branches), opens - 1)
    parts = [np.concatenate(([NO_BRANCH], block)) for block in blocks]
    return np.concatenate([*parts, [NO_BRANCH]]).astype(np.int_)


def _read_row(
    board: Crossbar, row: int, sequence: NDArray[np.int_], volts: float, readings: int
) -> NDArray[np.float64]:
    """Return half differences (points, readings, columns), ampere, of one row."""
    points = len(sequence)
    amperes = board.scan(
        np.full(2 * points, row),
        np.repeat(sequence, 2),
        np.tile([volts, -volts], points),
        readings,
    )
    return (amperes[0::2] - amperes[1::2]) / 2


def _differences(
    tally: _Tally, sequence: NDArray[np.int_], volts: float, branches: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return branch conductances (rows, columns, branches) and open ones (rows, columns); NaN where
    overloaded.
    """
    mean = tally.total / tally.count[..., None] / volts
    opened = mean[:, sequence == NO_BRANCH].mean(axis=1)
    order = np.argsort(sequence[sequence != NO_BRANCH])
    closed = mean[:, sequence != NO_BRANCH][:, order[:branches]]
    return np.moveaxis(closed - opened[:, None], 1, 2), opened


def _uncertainties(
    tally: _Tally, sequence: NDArray[np.int_], volts: float, branches: int
) -> NDArray[np.float64]:
    """Return standard uncertainties (rows, columns, branches), siemens."""
    count = tally.count[:, 0]  # the same for every point of a row
    opens = (sequence == NO_BRANCH).sum()
    per_row = np.sqrt(1 / count + 1 / (count * opens)) / volts
    each = per_row[:, None] * tally.scatter()[None, :]
    return np.repeat(each[:, :, None], branches, axis=2)


def _reread_beside_shorts(
    board: Crossbar,
    branch_siemens: NDArray[np.float64],
    open_siemens: NDArray[np.float64],
    count: NDArray[np.int64],
    volts: float,
) -> int:
    """Measure again, in place, the branches that were probed together with a short.

    A short draws so much current that the row's voltage drops along its wire, and all columns of
    that probe read low. The probe is repeated with the shorted switches left open, as often as the
    row was read before (`count`, (rows,)), so that its uncertainty stays as it was. Returns how
    many readings of each polarity that took.
    """
    shorted = np.isnan(branch_siemens) & np.isfinite(open_siemens)[:, :, None]
    probes = np.argwhere(shorted.any(axis=1))
    for row, branch in probes:
        pattern = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
        pattern[row, :, branch] = ~shorted[row, :, branch]
        board.apply(pattern)
        vectors = np.zeros((2 * count[row], board.rows))
        vectors[0::2, row], vectors[1::2, row] = volts, -volts
        amperes = board.column_currents(vectors)
        siemens = (amperes[0::2] - amperes[1::2]).mean(axis=0) / (2 * volts)
        again = pattern[row, :, branch]
        branch_siemens[row, again, branch] = (siemens - open_siemens[row])[again]
    return int(count[probes[:, 0]].sum())


def _judge(
    branch_siemens: NDArray[np.float64],
    open_siemens: NDArray[np.float64],
    nominal_siemens: NDArray[np.float64],
) -> NDArray[np.int8]:
    """Return the status (rows, columns, branches) of every branch."""
    dead = branch_siemens < OPEN_BELOW * nominal_siemens
    conducts = (open_siemens > STUCK_ABOVE * nominal_siemens.min())[:, :, None]
    status = np.full(branch_siemens.shape, BranchStatus.OK, dtype=np.int8)
    status[dead] = BranchStatus.OPEN
    status[dead & conducts] = BranchStatus.STUCK
    status[np.isnan(branch_siemens)] = BranchStatus.SHORT
    return status
