"""Characterize: the conductance of every branch, its covariance, and whether it works.

All branches of a row are measured in parallel over the columns. A crosspoint conducts

    G = G_open + Σ s_k · g_k,

`G_open` with every switch open (leakage, and whatever is stuck), `g_k` what closing switch k adds,
`s_k` the pattern. Each branch is found as a difference against its own crosspoint with all switches
open, so leakage drops out of the sum exactly. Every point is read with both polarities, (I₊ − I₋) /
2V, which removes everything that does not follow the row voltage: offsets of the amplifiers, and
offsets of the DACs of this row and all others.

The order is: settling, noise and a reference (`preliminaries`), the plan (`plan`), the passes over
the board (`passes`), outliers and noise (`polarity`), drift (`reference_drift`), generalized least
squares (`least_squares`), and the status of each branch.

Conductances are relative to the board's own converters: the gain of each row's DAC, and of each
column's amplifier and ADC in the range used, is part of them. They hold for the mean state of the
board over the readings of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.branches.least_squares import Unknowns, estimate_unknowns
from calibration.branches.passes import Pass, PassReader
from calibration.branches.plan import MAX_PASSES, Plan, candidates, predict, quickest
from calibration.branches.polarity import NoiseTally
from calibration.branches.preliminaries import measure_preliminaries
from calibration.branches.reference_drift import DriftTrack, Reference, track_drift
from calibration.crossbar import NO_BRANCH, Crossbar, Progress, measuring_volts, no_progress
from calibration.records import Record

MIN_BRANCH_SHARE, MAX_OPEN_SHARE = 0.25, 0.25
"""Conductance below which a branch is dead, over its nominal value; conductance of an open
crosspoint above which a switch is stuck, over that of the weakest branch.
"""
MAX_EXTRA_ROUNDS = 6
"""Further rounds over the rows that are less certain than planned."""
SHORT_SCAN_SECONDS = 1e-3
"""Aperture of the search for shorts, which precedes closing branches in groups."""


class BranchStatus(IntEnum):
    """Status of a branch after characterization."""

    OK = 0
    OPEN = 1
    """Closing its switch adds nothing, and nothing conducts while it is open."""
    SHORT = 2
    """The branch conducts more than the range can read."""
    STUCK = 3
    """Closing its switch adds nothing, but the crosspoint conducts with all switches open."""


@dataclass(frozen=True, eq=False, repr=False)
class BranchCalibration(Record):
    """The measured branches of a board, relative to its own converters."""

    branch_siemens: Floats
    """(rows, columns, branches): what closing the switch adds; 0 where the status is not OK."""
    uncertainty_siemens: Floats
    """(rows, columns, branches): standard uncertainty of `branch_siemens`; see `covariance`."""
    open_siemens: Floats
    """(rows, columns): conductance with every switch open."""
    status: NDArray[np.int8]
    """(rows, columns, branches): BranchStatus."""
    readings: int
    """ADC readings that the values use, all columns counted."""
    range_amperes: float
    row_volts: float
    design: str
    """Name of the measurement design."""
    groups: Bools
    """(points, branches): the branches that each point of the design closed."""
    noise_covariance: Floats
    """(rows, 1 + branches, 1 + branches): see `covariance`."""
    noise_variance_siemens2: Floats
    """(columns,): of one half difference over the row voltage, the part that does not grow with it.
    """
    signal_covariance_siemens2: Floats
    """(rows, 1 + branches, 1 + branches): of the part that grows with the signal, and of drift."""
    drift_covariance: Floats
    """(rows, rows), relative: covariance between rows of the uncertainty of the common drift, which
    is part of the covariances of crosspoints. All columns of a row share it.
    """
    wild_readings: NDArray[np.int_]
    """(rows, columns): pairs of readings that were outliers and were not used."""
    drift_ppm: float
    """Peak to peak of the common drift of all conductances during the run, which was removed."""
    reference_kelvin: float
    """Mean temperature of the sensor over the readings of the reference: where the values hold."""
    reference_seconds: float
    """Mean time of these readings, on the board's clock."""
    kelvin_range: Floats
    """(2,): lowest and highest temperature of the board's sensor during the run."""
    delay_seconds: float
    """Delay of the readings: measured settling, to a hundredth of the wanted uncertainty."""

    @property
    def usable(self) -> Bools:
        """(rows, columns, branches): branches that can be selected."""
        return np.asarray(self.status == BranchStatus.OK)

    @property
    def open_uncertainty_siemens(self) -> Floats:
        """(rows, columns): standard uncertainty of `open_siemens`."""
        noise = np.outer(self.noise_covariance[:, 0, 0], self.noise_variance_siemens2)
        return np.sqrt(noise + self.signal_covariance_siemens2[:, 0, 0, None])

    @property
    def dead_crosspoints(self) -> Bools:
        """(rows, columns): crosspoints without a working branch."""
        return np.asarray(~self.usable.any(axis=2))

    def covariance(self, rows: NDArray[np.int_], columns: NDArray[np.int_]) -> Floats:
        """Return the covariance of (open, branches) of crosspoints, siemens².

        `rows` and `columns` are indices (cells), of any shapes that broadcast; returns (cells, 1 +
        branches, 1 + branches). A pattern's conductance has the variance wᵀΣw with w = (1,
        pattern). With K the row's covariance for a reading variance of 1, v the column's reading
        variance, and P the covariance of what grows with the signal, Σ = v K + P.
        """
        variance = self.noise_variance_siemens2[columns][..., None, None]
        noise = variance * self.noise_covariance[rows]
        return np.asarray(noise + self.signal_covariance_siemens2[rows])

    def status_counts(self) -> dict[str, int]:
        """Return the number of branches with each status, by its name."""
        return {status.name.lower(): int((self.status == status).sum()) for status in BranchStatus}


def characterize(
    board: Crossbar,
    *,
    wanted_bits: float = 18.0,
    progress: Progress = no_progress,
) -> BranchCalibration:
    """Measure every branch of the board.

    The design is the quickest that is predicted to measure each working branch, and the sum of half
    of them, to 2^−`wanted_bits` of a crosspoint's nominal total conductance (standard uncertainty).
    Rows that are less certain than that are read again, up to 64 times in all. `progress` counts
    rows. The aperture is the board's; its delay is restored in the end.

    The covariance holds noise (type A, JCGM 100:2008, 4.2), the uncertainty of the drift that was
    removed, and the drift of branches apart from one another. A nonlinearity of the converters is
    not in it: the board is read through `calibration.converters.CorrectedCrossbar`.
    """
    volts = measuring_volts(board.row_volts_limit)
    siemens = 1 / board.nominal_ohms
    wanted = 2.0**-wanted_bits * float(siemens.sum())
    delay_before = board.delay_seconds
    preliminaries = measure_preliminaries(board, volts, wanted)
    plan = quickest(
        candidates(preliminaries.noise, preliminaries.conditions),
        preliminaries.noise,
        preliminaries.conditions,
        wanted,
    )
    board.configure(range_amperes=plan.range_amperes)
    shorted = None if plan.design.scannable else _find_shorts(board, volts)
    additive = (preliminaries.noise.range_fraction * plan.range_amperes) ** 2 / 2
    first_noise = np.full(board.columns, additive), preliminaries.noise.signal_fraction**2 / 2
    reader = PassReader(board, plan, volts, preliminaries.reference, first_noise, shorted)

    shape = board.rows, board.columns
    passes: list[Pass] = []
    readings = 0
    todo, more = np.arange(board.rows), plan.passes
    for _ in range(1 + MAX_EXTRA_ROUNDS):
        new_passes = [reader.read(todo, progress) for _ in range(more)]
        passes += new_passes
        if plan.design.scannable:
            reread = _read_again_beside_shorts(board, new_passes, plan, volts)
            if reread:
                reader.read_reference()
            readings += reread
        board.rest()
        noise = _pooled([one_pass.noise for one_pass in passes]).fit()
        drift = _drift(reader, noise, plan, preliminaries.reference, volts)
        unknowns = estimate_unknowns(plan, passes, drift, noise, siemens, volts, shape)
        passes_had = np.bincount(
            np.concatenate([one_pass.rows for one_pass in passes]), minlength=board.rows
        )
        reducible, lasting = unknowns.uncertainty()
        # Reducing the noise far below the lasting uncertainty is not worth the time.
        goal = np.maximum(wanted, lasting)
        todo = np.flatnonzero((reducible > goal) & (passes_had < MAX_PASSES))
        if not len(todo):
            break
        # If the board drifts faster than assumed, the reference is read more often.
        drifting = replace(
            preliminaries.conditions, drift_per_root_second=float(np.sqrt(drift.walk))
        )
        next_plan = predict(plan.design, preliminaries.noise, drifting, wanted)
        reader.bracket_seconds = next_plan.bracket_seconds
        missing = (1 / goal**2 - 1 / reducible**2)[todo].max()
        needed = missing * min(next_plan.uncertainty_siemens, float(reducible[todo].max())) ** 2
        # In steps: a single jump looks like a fast walk until more readings have come.
        max_more = min(passes_had[todo].max(), MAX_PASSES - passes_had[todo].min())
        more = int(np.clip(np.ceil(needed), 1, max(1, max_more)))
    board.configure(delay_seconds=delay_before)
    counted = (readings + reader.readings) * board.columns
    delay_seconds = preliminaries.conditions.delay_seconds
    return _calibration(
        plan, passes, drift, unknowns, shorted, siemens, volts, counted, delay_seconds
    )


def _calibration(
    plan: Plan,
    passes: list[Pass],
    drift: DriftTrack,
    unknowns: Unknowns,
    shorted: Bools | None,
    nominal_siemens: Floats,
    volts: float,
    readings: int,
    delay_seconds: float,
) -> BranchCalibration:
    """Return the result: the status of every branch, and all parts of the uncertainty."""
    opened, branches = unknowns.theta[:, :, 0], unknowns.theta[:, :, 1:]
    if shorted is not None:
        branches = np.where(shorted, np.nan, branches)
    status = _judge(branches, opened, nominal_siemens)
    ok = status == BranchStatus.OK
    signal_covariance = unknowns.signal_covariance + unknowns.own_covariance
    variance = np.diagonal(unknowns.noise_covariance, axis1=1, axis2=2)[:, None, 1:]
    variance = variance * unknowns.noise_variance[:, None]
    variance = variance + np.diagonal(signal_covariance, axis1=1, axis2=2)[:, None, 1:]
    wild = np.zeros(opened.shape, dtype=np.int_)
    for one_pass in passes:
        wild[one_pass.rows] += one_pass.wild
    return BranchCalibration(
        branch_siemens=np.where(ok, branches, 0.0),
        uncertainty_siemens=np.where(ok, np.sqrt(variance), 0.0),
        open_siemens=np.nan_to_num(opened, nan=0.0),
        status=status,
        readings=readings,
        range_amperes=plan.range_amperes,
        row_volts=volts,
        design=plan.design.name,
        groups=plan.design.groups,
        noise_covariance=unknowns.noise_covariance,
        noise_variance_siemens2=unknowns.noise_variance,
        signal_covariance_siemens2=signal_covariance,
        drift_covariance=unknowns.drift_covariance,
        wild_readings=wild,
        drift_ppm=1e6 * drift.peak_to_peak,
        reference_kelvin=float(drift.kelvin.mean()),
        reference_seconds=float(drift.seconds.mean()),
        kelvin_range=np.array([drift.kelvin.min(), drift.kelvin.max()]),
        delay_seconds=delay_seconds,
    )


def _pooled(tallies: list[NoiseTally]) -> NoiseTally:
    """Return the noise of all passes together."""
    weight = np.array([tally.freedom.sum(axis=1) for tally in tallies])
    signal = np.array([tally.signal for tally in tallies])
    return NoiseTally(
        squares=np.sum([tally.squares for tally in tallies], axis=0),
        freedom=np.sum([tally.freedom for tally in tallies], axis=0),
        signal=(weight * signal).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-300),
    )


def _drift(
    reader: PassReader,
    noise: tuple[Floats, float],
    plan: Plan,
    reference: Reference | None,
    volts: float,
) -> DriftTrack:
    """Return the drift of the board, from its reference."""
    if reference is None:
        return track_drift(reader.brackets, 0.0, 0.0, None)
    siemens = np.array([bracket.siemens[reference.columns] for bracket in reader.brackets])
    additive, relative = noise
    scale = 1 / (plan.pairs * (volts * float(np.nanmedian(siemens))) ** 2)
    own = float(np.sqrt(np.median(additive[reference.columns]) * scale))
    return track_drift(
        reader.brackets, own, float(np.sqrt(relative / plan.pairs)), reference.columns
    )


def _find_shorts(board: Crossbar, volts: float) -> Bools:
    """Return which branches (rows, columns, branches) overload the range alone: one quick scan."""
    aperture = board.aperture_seconds
    board.configure(aperture_seconds=min(aperture, SHORT_SCAN_SECONDS))
    points = 1 + board.branches
    amperes = board.scan(
        np.repeat(np.arange(board.rows), points),
        np.tile(np.arange(NO_BRANCH, board.branches), board.rows),
        np.full(board.rows * points, volts),
    ).reshape(board.rows, points, board.columns)
    board.configure(aperture_seconds=aperture)
    missing = np.moveaxis(np.isnan(amperes), 1, 2)
    return np.asarray(missing[:, :, 1:] & ~missing[:, :, :1])


def _read_again_beside_shorts(board: Crossbar, passes: list[Pass], plan: Plan, volts: float) -> int:
    """Measure the branches again, in place, that were probed together with a short.

    Returns the number of readings of each column.

    A short draws so much current that the row's voltage drops along its wire, and all columns of
    that probe read low. The probe is repeated with the shorted switches open, as often as it was
    read before, so that its uncertainty stays the same. Shorts in a column that can never be read
    are invisible: if there is such a column, every probe is repeated without it.
    """
    groups = plan.design.groups
    opened = int(np.flatnonzero(~groups.any(axis=1))[0])
    first = passes[0]
    readable = np.isfinite(first.amperes[:, opened : opened + 1])
    missing = np.isnan(first.amperes) & readable
    unreadable = ~readable[:, 0].any(axis=0)
    probes = [
        (index, branch)
        for index in range(len(first.rows))
        for branch in range(board.branches)
        if unreadable.any() or missing[index, groups[:, branch]].any()
    ]
    readings = 0
    for index, branch in probes:
        row, points = int(first.rows[index]), np.flatnonzero(groups[:, branch])
        healthy = ~missing[index, points].any(axis=0) & ~unreadable
        pattern = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
        pattern[row, :, branch] = healthy
        board.apply(pattern)
        count = 2 * plan.pairs * len(points) * len(passes)
        vectors = np.zeros((count, board.rows))
        vectors[0::2, row], vectors[1::2, row] = volts, -volts
        amperes = board.column_currents(vectors)
        mean = (amperes[0::2] - amperes[1::2]).mean(axis=0) / 2
        for one_pass in passes:
            one_pass.amperes[index, points] = np.where(
                healthy, mean, one_pass.amperes[index, points]
            )
            one_pass.seconds[index, points] = board.moment()[0]
        readings += count
    return readings


def _judge(
    branch_siemens: Floats,
    open_siemens: Floats,
    nominal_siemens: Floats,
) -> NDArray[np.int8]:
    """Return the status (rows, columns, branches) of every branch."""
    dead = branch_siemens < MIN_BRANCH_SHARE * nominal_siemens
    conducts = (open_siemens > MAX_OPEN_SHARE * nominal_siemens.min())[:, :, None]
    status = np.full(branch_siemens.shape, BranchStatus.OK, dtype=np.int8)
    status[dead] = BranchStatus.OPEN
    status[dead & conducts] = BranchStatus.STUCK
    status[np.isnan(branch_siemens)] = BranchStatus.SHORT
    return status
