"""Characterize: the conductance of every branch, its covariance, and whether it works.

All branches of a row are measured in parallel over the columns. A crosspoint conducts

    G = G_open + Σ s_k · g_k,

`G_open` with every switch open (leakage, and whatever is stuck), `g_k` what closing switch k adds,
`s_k` the pattern. So each branch is found as a difference against its own crosspoint with all
switches open, which makes leakage drop out of the sum exactly. Every point is read with both
polarities, (I₊ − I₋) / 2V, which removes all that does not follow the row voltage: amplifier
offsets, and DAC offsets of this and all other rows.

In order: what has to be known first (`_preliminaries`: settling, noise, a reference), the plan
(`planning`), the passes over the board (`_branch_readings`), drift (`drift`), wild readings and
noise (`reversal`), generalized least squares (`_branch_estimate`), and what works.

Conductances are relative to the board's own converters: the gain of each row's DAC and of each
column's amplifier and ADC in the range used is part of them. They hold for the mean state of the
board over the readings of the reference.
"""

from __future__ import annotations

from collections.abc import Callable
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
from calibration.branches.rows_read import RowsRead, tell_nobody
from calibration.crossbar import NO_BRANCH, Crossbar, Progress, measuring_volts, no_progress
from calibration.records import Record

MIN_BRANCH_SHARE, MAX_OPEN_SHARE = 0.25, 0.25
"""Fractions of the nominal conductance (of the branch; of the weakest branch) that tell a dead
branch from a live one.
"""
MAX_EXTRA_ROUNDS = 6
"""How often rows are gone through again that turned out less certain than planned."""
SHORT_SCAN_SECONDS = 1e-3
"""Aperture with which shorts are looked for before branches are closed in groups."""


class BranchStatus(IntEnum):
    """What characterization found a branch to be."""

    OK = 0
    OPEN = 1
    """Closing its switch adds nothing, and nothing conducts while it is open."""
    SHORT = 2
    """It conducts more than the range can read."""
    STUCK = 3
    """Closing its switch adds nothing, but the crosspoint conducts with all switches open."""


@dataclass(frozen=True, eq=False, repr=False)
class BranchCalibration(Record):
    """What the board was measured to be; relative to its own converters."""

    branch_siemens: Floats
    """(rows, columns, branches): what closing the switch adds; 0 where the branch is not ok."""
    uncertainty_siemens: Floats
    """(rows, columns, branches): standard uncertainty of `branch_siemens`; see `covariance`."""
    open_siemens: Floats
    """(rows, columns): conductance with every switch open."""
    status: NDArray[np.int8]
    """(rows, columns, branches): BranchStatus."""
    readings: int
    """ADC readings that the values rest on, all columns counted."""
    range_amperes: float
    row_volts: float
    design: str
    """What the measurement design is called."""
    groups: Bools
    """(points, branches): which branches each of its points closed."""
    noise_covariance: Floats
    """(rows, 1 + branches, 1 + branches): see `covariance`."""
    noise_variance_siemens2: Floats
    """(columns,): of one half difference over the row voltage, what does not grow with it."""
    signal_covariance_siemens2: Floats
    """(rows, 1 + branches, 1 + branches): of what grows with the signal, and of drift."""
    drift_covariance: Floats
    """(rows, rows), relative: what the uncertainty of the common drift, part of the covariances of
    crosspoints, is between rows. All columns of a row share it.
    """
    wild_readings: NDArray[np.int_]
    """(rows, columns): pairs of readings that were wild and were not used."""
    drift_ppm: float
    """Peak to peak of the common drift of all conductances during the run, which was taken out."""
    reference_kelvin: float
    """The sensor's mean over the readings of the reference: where the values hold."""
    reference_seconds: float
    """The mean of when these were, on the board's clock."""
    kelvin_range: Floats
    """(2,): lowest and highest reading of the board's sensor during the run."""
    delay_seconds: float
    """What readings waited for: measured settling, to a tenth of the wanted uncertainty."""

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
        """(rows, columns): where no branch works."""
        return np.asarray(~self.usable.any(axis=2))

    def covariance(self, rows: NDArray[np.int_], columns: NDArray[np.int_]) -> Floats:
        """Return the covariance of (open, branches) of some crosspoints, siemens².

        `rows` and `columns` are indices (cells), of any shapes that broadcast; returns (cells, 1 +
        branches, 1 + branches). A pattern's conductance has the variance wᵀΣw with w = (1,
        pattern). With K the row's covariance for a reading variance of 1, v the column's, and P
        what grows with the signal, Σ = v K + P.
        """
        variance = self.noise_variance_siemens2[columns][..., None, None]
        noise = variance * self.noise_covariance[rows]
        return np.asarray(noise + self.signal_covariance_siemens2[rows])

    def status_counts(self) -> dict[str, int]:
        """Return how many branches have each status, by its name."""
        return {status.name.lower(): int((self.status == status).sum()) for status in BranchStatus}


def characterize(
    board: Crossbar,
    *,
    wanted_bits: float = 18.0,
    progress: Progress = no_progress,
    tell: Callable[[RowsRead], None] = tell_nobody,
) -> BranchCalibration:
    """Measure every branch of the board.

    The design is the quickest that is predicted to tell each working branch, and the sum of half of
    them, to 2^−`wanted_bits` of a crosspoint's nominal total conductance (standard uncertainty).
    Rows that turn out less certain are gone through again, up to 64 times in all. `progress` hears
    of rows done; `tell` is given their readings as they come. The aperture is the board's; its
    delay is put back in the end.

    The covariance holds noise (type A, JCGM 100:2008, 4.2), the uncertainty of the drift that was
    taken out, and what branches drifted apart by. A nonlinearity of the converters is not in it:
    the board is read through `calibration.converters.corrected`.
    """
    volts = measuring_volts(board.row_volts_limit)
    siemens = 1 / board.nominal_ohms
    wanted = 2.0**-wanted_bits * float(siemens.sum())
    delay_before = board.delay_seconds
    known = measure_preliminaries(board, volts, wanted)
    plan = quickest(
        candidates(known.noise, known.conditions), known.noise, known.conditions, wanted
    )
    board.configure(range_amperes=plan.range_amperes)
    shorted = None if plan.design.scannable else _find_shorts(board, volts)
    additive = (known.noise.range_fraction * plan.range_amperes) ** 2 / 2
    first_noise = np.full(board.columns, additive), known.noise.signal_fraction**2 / 2
    reader = PassReader(board, plan, volts, known.reference, first_noise, shorted, tell)

    shape = board.rows, board.columns
    passes: list[Pass] = []
    readings = 0
    todo, more = np.arange(board.rows), plan.passes
    for _ in range(1 + MAX_EXTRA_ROUNDS):
        fresh = [reader.read(todo, progress) for _ in range(more)]
        passes += fresh
        if plan.design.scannable:
            reread = _read_again_beside_shorts(board, fresh, plan, volts)
            if reread:
                reader.read_reference()
            readings += reread
        board.rest()
        noise = _pooled([each.noise for each in passes]).fit()
        drift = _drift(reader, noise, plan, known.reference, volts)
        found = estimate_unknowns(plan, passes, drift, noise, siemens, volts, shape)
        had = np.bincount(np.concatenate([each.rows for each in passes]), minlength=board.rows)
        reducible, lasting = found.uncertainty()
        # Noise far below what stays anyway is not worth the time.
        goal = np.maximum(wanted, lasting)
        todo = np.flatnonzero((reducible > goal) & (had < MAX_PASSES))
        if not len(todo):
            break
        # The board may drift faster than was supposed: then the reference is read more often.
        drifting = replace(known.conditions, drift_per_root_second=float(np.sqrt(drift.walk)))
        next_plan = predict(plan.design, known.noise, drifting, wanted)
        reader.bracket_seconds = next_plan.bracket_seconds
        missing = (1 / goal**2 - 1 / reducible**2)[todo].max()
        needed = missing * min(next_plan.uncertainty_siemens, float(reducible[todo].max())) ** 2
        # Step by step: a single jump looks like a fast walk until more of it was seen.
        most = min(had[todo].max(), MAX_PASSES - had[todo].min())
        more = int(np.clip(np.ceil(needed), 1, max(1, most)))
    board.configure(delay_seconds=delay_before)
    counted = (readings + reader.readings) * board.columns
    delay_seconds = known.conditions.delay_seconds
    return _calibration(plan, passes, drift, found, shorted, siemens, volts, counted, delay_seconds)


def _calibration(
    plan: Plan,
    passes: list[Pass],
    drift: DriftTrack,
    found: Unknowns,
    shorted: Bools | None,
    nominal_siemens: Floats,
    volts: float,
    readings: int,
    delay_seconds: float,
) -> BranchCalibration:
    """Return what was found: judged, and with everything that its uncertainty is made of."""
    opened, branches = found.theta[:, :, 0], found.theta[:, :, 1:]
    if shorted is not None:
        branches = np.where(shorted, np.nan, branches)
    status = _judge(branches, opened, nominal_siemens)
    ok = status == BranchStatus.OK
    signal_covariance = found.signal_covariance + found.own_covariance
    variance = np.diagonal(found.noise_covariance, axis1=1, axis2=2)[:, None, 1:]
    variance = variance * found.noise_variance[:, None]
    variance = variance + np.diagonal(signal_covariance, axis1=1, axis2=2)[:, None, 1:]
    wild = np.zeros(opened.shape, dtype=np.int_)
    for each in passes:
        wild[each.rows] += each.wild
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
        noise_covariance=found.noise_covariance,
        noise_variance_siemens2=found.noise_variance,
        signal_covariance_siemens2=signal_covariance,
        drift_covariance=found.drift_covariance,
        wild_readings=wild,
        drift_ppm=1e6 * drift.peak_to_peak,
        reference_kelvin=float(drift.kelvin.mean()),
        reference_seconds=float(drift.seconds.mean()),
        kelvin_range=np.array([drift.kelvin.min(), drift.kelvin.max()]),
        delay_seconds=delay_seconds,
    )


def _pooled(tallies: list[NoiseTally]) -> NoiseTally:
    """Return what all passes tell of the noise."""
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
    """Return how the board drifted, by its reference."""
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
    """Measure again, in place, the branches that were probed together with a short; return how many
    readings of each column that took.

    A short draws so much current that the row's voltage drops along its wire, and all columns of
    that probe read low. The probe is repeated with the shorted switches left open, as often as it
    was read before, so that its uncertainty stays as it was. What is shorted in a column that can
    never be read, nobody sees: if there is one, every probe is repeated without it.
    """
    groups = plan.design.groups
    opened = int(np.flatnonzero(~groups.any(axis=1))[0])
    first = passes[0]
    readable = np.isfinite(first.amperes[:, opened : opened + 1])
    missing = np.isnan(first.amperes) & readable
    unseen = ~readable[:, 0].any(axis=0)
    probes = [
        (index, branch)
        for index in range(len(first.rows))
        for branch in range(board.branches)
        if unseen.any() or missing[index, groups[:, branch]].any()
    ]
    readings = 0
    for index, branch in probes:
        row, points = int(first.rows[index]), np.flatnonzero(groups[:, branch])
        healthy = ~missing[index, points].any(axis=0) & ~unseen
        pattern = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
        pattern[row, :, branch] = healthy
        board.apply(pattern)
        count = 2 * plan.pairs * len(points) * len(passes)
        vectors = np.zeros((count, board.rows))
        vectors[0::2, row], vectors[1::2, row] = volts, -volts
        amperes = board.column_currents(vectors)
        mean = (amperes[0::2] - amperes[1::2]).mean(axis=0) / 2
        for each in passes:
            each.amperes[index, points] = np.where(healthy, mean, each.amperes[index, points])
            each.seconds[index, points] = board.moment()[0]
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
