"""Drift while the board is measured: a reference branch, read repeatedly between the rows.

All conductances move together with the temperature, by some 100 ppm/K, and apart from one another
by their own coefficients. The reference is one branch number of one row in every column. The mean
over the columns is the common drift, which is removed from every row; the scatter between the
columns shows how far branches drift apart, which stays as an uncertainty of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.crossbar import Crossbar
from calibration.statistics import fit_nonnegative_line, robust_mean

LIVE_RATIO = 0.25, 4.0
"""Limits of the conductance of a live branch, over its nominal value."""
MIN_LIVE_SHARE = 0.5
"""Minimum share of the columns in which a reference is live."""
MAX_ROWS_TRIED = 8
"""Rows in which a reference is looked for."""
SETTLED_SECONDS = 20e-3
"""Delay while a reference is looked for, if the board's own is not longer."""
TCR_PER_KELVIN = 100e-6
"""Thick-film class; used only where there is no reference."""
MAX_DRIFT = 0.01
"""Relative: a reference that deviates by more has failed, not drifted."""
MIN_NOISE = 1e-12
"""Relative: minimum standard deviation of a reading of the reference."""
SIGNIFICANT_SIGMAS = 3.0
"""Standard deviations beyond which a step or a spread is significant."""


@dataclass(frozen=True)
class Reference:
    """The branch that is read repeatedly."""

    row: int
    branch: int
    columns: Bools
    """(columns,): the columns in which it is live."""


@dataclass(frozen=True)
class Bracket:
    """One reading of the reference."""

    seconds: float
    """Time at the end of the reading, on the board's clock."""
    kelvin: float
    """Temperature of the board's sensor at the time."""
    siemens: Floats
    """(columns,): half difference over the row voltage; NaN where overloaded."""


@dataclass(frozen=True)
class DriftTrack:
    """The drift of the board; relative changes against the mean over the run."""

    seconds: Floats
    """(brackets,), ascending"""
    kelvin: Floats
    """(brackets,)"""
    common: Floats
    """(brackets,): best estimate of the common drift."""
    common_covariance: Floats
    """(brackets, brackets) of `common`."""
    walk: float
    """Variance of the common drift's increments, per second."""
    own_floor: float
    own_slope: float
    """A branch drifts apart from the others by a standard deviation of √(floor² + (slope ·
    common)²).
    """

    @property
    def peak_to_peak(self) -> float:
        """Largest minus smallest common drift."""
        return float(np.ptp(self.common))

    def common_at(self, seconds: Floats) -> tuple[Floats, Floats]:
        """Return common drift and its variance, both (times,), at `seconds` (times,).

        It is linear between two brackets, as the conditional mean of a random walk is. Between them
        the walk adds the variance `s(1 − s)·Δ²`, s the position and Δ² the expected square of a
        step: that of the rate of all steps, or the square of this step if it is significantly
        larger.
        """
        weights, bridges = self.errors_at(seconds)
        variance = np.einsum("ti,ij,tj->t", weights, self.common_covariance, weights)
        return weights @ self.common, variance + np.diagonal(bridges)

    def errors_at(self, seconds: Floats) -> tuple[Floats, Floats]:
        """Return the uncertainty of the common drift at `seconds` (times,), in two parts.

        The first are the weights (times, brackets) of the errors of `common`. The second is the
        covariance (times, times) of the walk between two brackets (Brownian bridge): `min(s, t)(1 −
        max(s, t))·Δ²` for two times at the shares s and t of the same interval.
        """
        last = max(0, len(self.seconds) - 2)
        before = np.clip(np.searchsorted(self.seconds, seconds) - 1, 0, last)
        after = np.minimum(before + 1, len(self.seconds) - 1)
        length = self.seconds[after] - self.seconds[before]
        share = np.clip(
            (seconds - self.seconds[before]) / np.where(length > 0, length, 1.0), 0.0, 1.0
        )
        weights = np.zeros((len(seconds), len(self.seconds)))
        index = np.arange(len(seconds))
        np.add.at(weights, (index, before), 1 - share)
        np.add.at(weights, (index, after), share)
        usual, observed = self.walk * length, (self.common[after] - self.common[before]) ** 2
        step = np.where(observed > SIGNIFICANT_SIGMAS**2 * usual, observed, usual)
        together = np.equal.outer(before, before) * step
        bridges = np.minimum.outer(share, share) * (1 - np.maximum.outer(share, share))
        return weights, together * bridges

    def own_at(self, seconds: Floats) -> Floats:
        """Return the standard deviation (times,) of a branch's drift apart from the others."""
        common, _ = self.common_at(seconds)
        return np.sqrt(self.own_floor**2 + (self.own_slope * common) ** 2)


def find_reference(
    board: Crossbar, nominal_siemens: Floats, volts: float, aperture_seconds: float
) -> Reference | None:
    """Return a reference on the strongest branch, or None where no row has enough live columns.

    It is in the row nearest to the middle where the branch is live in every column, otherwise in
    the best of eight rows: the fewest overloaded columns, then the most live ones. Leaves a short
    aperture and a long delay set.
    """
    delay_seconds = max(SETTLED_SECONDS, board.delay_seconds)
    board.configure(aperture_seconds=aperture_seconds, delay_seconds=delay_seconds)
    branch = int(np.argmax(nominal_siemens))
    rows = np.unique(np.linspace(0, board.rows - 1, min(MAX_ROWS_TRIED, board.rows)).round())
    best = None
    for row in sorted(rows.astype(int), key=lambda row: abs(2 * row + 1 - board.rows)):
        amperes = board.scan(np.full(2, row), np.full(2, branch), np.array([volts, -volts]))[:, 0]
        share = (amperes[0] - amperes[1]) / (2 * volts * nominal_siemens[branch])
        live = (share > LIVE_RATIO[0]) & (share < LIVE_RATIO[1])
        # A column overloads in every row, or there is a short in this row, which draws the row's
        # voltage down for all columns.
        rank = -int(np.isnan(share).sum()), int(live.sum())
        if best is None or rank > best[0]:
            best = rank, Reference(int(row), branch, live)
        if live.all():
            break
    assert best is not None
    reference = best[1]
    return reference if reference.columns.mean() >= MIN_LIVE_SHARE else None


def track_drift(
    brackets: list[Bracket], additive: float, proportional: float, columns: Bools | None
) -> DriftTrack:
    """Return the drift of a board from the readings of its reference, in time order.

    `additive` and `proportional` are relative standard deviations of one reading: the first is each
    column's own, the second is common to all, because it comes with the row voltage. The common
    drift is smoothed as a random walk observed through noise, its rate taken from the increments.
    `columns` is where the reference is live, None without a reference: the drift is then bounded by
    the sensor and the class of the parts.
    """
    seconds = np.array([bracket.seconds for bracket in brackets])
    kelvin = np.array([bracket.kelvin for bracket in brackets])
    if columns is not None:
        siemens = np.array([bracket.siemens[columns] for bracket in brackets])
        siemens = siemens[:, np.isfinite(siemens).any(axis=0)]
        ratio = siemens / np.nanmedian(siemens, axis=0) - 1
        good = np.nan_to_num(np.abs(np.nanmedian(ratio, axis=1)), nan=np.inf) < MAX_DRIFT
        if good.sum() >= 2:
            return _from_reference(seconds[good], kelvin[good], ratio[good], additive, proportional)
    by_sensor = TCR_PER_KELVIN * (kelvin - kelvin.mean())
    return DriftTrack(
        seconds=seconds,
        kelvin=kelvin,
        common=np.zeros(len(seconds)),
        common_covariance=np.outer(by_sensor, by_sensor),
        walk=0.0,
        own_floor=0.0,
        own_slope=0.0,
    )


def _from_reference(
    seconds: Floats, kelvin: Floats, ratio: Floats, additive: float, proportional: float
) -> DriftTrack:
    observed, spread, count = robust_mean(ratio, axis=1)
    noise_variance = proportional**2 + additive**2 / np.maximum(count, 1) + MIN_NOISE**2
    steps, lengths = np.diff(observed), np.diff(seconds)
    excess = (steps**2).sum() - (noise_variance[1:] + noise_variance[:-1]).sum()
    walk = max(0.0, float(excess / lengths.sum()))

    # Conditional mean of level + walk, given the readings. The level is unknown (generalized least
    # squares); in the end only deviations from the mean over the run matter.
    since = seconds - seconds[0]
    prior = walk * np.minimum.outer(since, since)
    total = prior + np.diag(noise_variance)
    ones = np.ones(len(observed))
    inverse = np.linalg.inv(total)
    level = float(ones @ inverse @ observed / (ones @ inverse @ ones))
    smoother = prior @ inverse
    remove_level = np.eye(len(observed)) - np.outer(ones, ones @ inverse) / (ones @ inverse @ ones)
    common = level + smoother @ (observed - level)
    gain = smoother @ remove_level
    covariance = (np.eye(len(observed)) - gain) @ prior @ (np.eye(len(observed)) - gain).T + (
        gain * noise_variance
    ) @ gain.T
    centre = np.eye(len(observed)) - 1 / len(observed)

    own = spread**2 - additive**2
    floor = slope = 0.0
    # A spread that is not significant over the noise of the reference counts as zero.
    noise_scatter = additive**2 * np.sqrt(2 / max(1, int((count - 1).sum())))
    if own.mean() > SIGNIFICANT_SIGMAS * noise_scatter:
        floor, slope = fit_nonnegative_line((centre @ common) ** 2, own)
    return DriftTrack(
        seconds=seconds,
        kelvin=kelvin,
        common=centre @ common,
        common_covariance=centre @ covariance @ centre.T,
        walk=walk,
        own_floor=float(np.sqrt(floor)),
        own_slope=float(np.sqrt(slope)),
    )
