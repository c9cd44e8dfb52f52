"""What a board is believed to be, and what every measured transfer matrix adds to that belief.

A crosspoint has 1 + B unknowns θ: what it conducts with every switch open, and what closing each
adds. Under a pattern x it conducts

    G = wᵀθ,   w = (1, x),

and the covariance Σ of θ that characterization leaves gives the variance wᵀΣw of any sum. A
transfer matrix measured later is one more linear observation of each crosspoint, T = r c γ ·
T_network(G), and recursive least squares takes it in (R. E. Kalman, J. Basic Eng. 82, 1960).

The gains are those of row drivers and columns since characterization (r, c: another range, drift)
and one of the whole board (γ: its temperature), which the scale of a product carries.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.branches import BranchCalibration
from calibration.records import Record
from calibration.statistics import MEDIAN_OF_CHI_SQUARED, SURPRISE
from calibration.transfer import (
    Gains,
    GainSpread,
    TransferMeasurement,
    fit_gains,
    without_wire_drop,
)
from kirchhoff import Wire, transfer_matrix

IN_NEW_RANGE = GainSpread(rows=1e-4, columns=2e-3)
"""Amplifiers have feedback resistors of 0.1 %, one for each range; rows were characterized at some
other temperature each.
"""
IN_SAME_RANGE = GainSpread(rows=3e-6, columns=3e-6)
"""Drift between two measurements: a minute, some tenths of a kelvin, 10 ppm/K."""
UNKNOWN_SIEMENS = 1.0
"""Standard deviation of a crosspoint of which nothing could be read."""
TINY = 1e-300
SLOPE_FLOOR = 0.05
"""Share of a usual crosspoint below which T/G says little of dT/dG: what sneaks through all others
is then a part of T.
"""


@dataclass(frozen=True, eq=False, repr=False)
class BoardEstimate(Record):
    """A board as all its measurements together tell it."""

    branches: BranchCalibration
    """Free of the wires' drop, and with the standard uncertainties that are left by now."""
    wire: Wire
    row_gain: Floats
    """(rows,)"""
    column_gain: Floats
    """(columns,): use against characterization, in the range below."""
    range_amperes: float
    covariance: Floats
    """(rows, columns, 1 + branches, 1 + branches): of (open, branches) by now, siemens²."""


@dataclass(frozen=True)
class Prediction:
    """The transfer matrix that an estimate predicts for a pattern; arrays (rows, columns)."""

    siemens: Floats
    slope: Floats
    """dT/dG of each crosspoint for itself."""
    variance: Floats
    """Of `siemens`, from the branches' uncertainties."""


def first_estimate(calibration: BranchCalibration, wire: Wire) -> BoardEstimate:
    """Return what characterization alone tells, once the wires are known."""
    rows, columns, _ = calibration.status.shape
    known = np.concatenate([np.ones((rows, columns, 1), bool), calibration.usable], axis=2)
    covariance = calibration.covariance(*np.ogrid[:rows, :columns])
    covariance = covariance * (known[..., :, None] & known[..., None, :])
    # Of which nothing could be read.
    unread = ~calibration.usable.any(axis=2) & (calibration.open_siemens == 0)
    covariance[unread, 0, 0] = UNKNOWN_SIEMENS**2
    return BoardEstimate(
        branches=without_wire_drop(calibration, wire),
        wire=wire,
        row_gain=np.ones(rows),
        column_gain=np.ones(columns),
        range_amperes=calibration.range_amperes,
        covariance=covariance,
    )


def predict(estimate: BoardEstimate, pattern: Bools) -> Prediction:
    """Return the transfer matrix that a pattern (rows, columns, branches) should show."""
    crosspoints = _crosspoints(estimate.branches, pattern)
    network = transfer_matrix(crosspoints, estimate.wire)
    gains = estimate.row_gain[:, None] * estimate.column_gain
    slope = _slopes(crosspoints, network) * gains
    variance = sum_variance(sum_weights(pattern), estimate.covariance)
    return Prediction(network * gains, slope, slope**2 * variance)


def sum_weights(pattern: Bools) -> Floats:
    """Return w = (1, pattern): (…, branches) to (…, 1 + branches)."""
    always = np.ones((*pattern.shape[:-1], 1))
    return np.concatenate([always, pattern], axis=-1)


def sum_variance(weights: Floats, covariance: Floats) -> Floats:
    """Return the variance (…) of weighted sums of unknowns (…, 1 + branches), siemens²."""
    return np.asarray(np.maximum((weights * _times(covariance, weights)).sum(axis=-1), 0.0))


def observe(covariance: Floats, h: Floats, y: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Return what unknowns (…, 1 + branches) move by, and their covariance afterwards, when sums
    of them with weights h (…, 1 + branches) are observed y (…) beyond expectation.

    With P the `covariance` (…, 1 + branches, 1 + branches) and `noise` (…) the observations'
    variance, infinite where nothing was observed,

        S = hᵀPh + noise,   K = Ph/S,   step = Ky,   P ← (1 − Khᵀ) P (1 − Khᵀ)ᵀ + K·noise·Kᵀ,

    the form of Joseph (Bucy & Joseph 1968), which keeps P positive where a crosspoint of which
    nothing was known is seen for the first time.
    """
    correlated = _times(covariance, h)
    spread = np.maximum((correlated * h).sum(axis=-1), 0.0) + noise
    information = np.where(np.isfinite(spread) & (spread > 0), 1 / np.maximum(spread, TINY), 0.0)
    gain = correlated * information[..., None]
    noise = np.where(information > 0, noise, 0.0)
    left = covariance - gain[..., :, None] * correlated[..., None, :]
    rest = _times(left, h) - noise[..., None] * gain
    return gain * y[..., None], left - rest[..., :, None] * gain[..., None, :]


def _times(covariance: Floats, weights: Floats) -> Floats:
    """Return Σw (…, unknowns)."""
    return np.asarray((covariance @ weights[..., None])[..., 0])


def absorb(
    estimate: BoardEstimate,
    pattern: Bools,
    measured: TransferMeasurement,
    range_amperes: float,
) -> BoardEstimate:
    """Return the better estimate after a transfer matrix was measured for a pattern (rows,
    columns, branches). Columns that overloaded (NaN) tell nothing.

    Where elements are off by more than the branches' and the measurement's variances allow, the
    branches are less certain than they said (their ADC's curve, their own temperature
    coefficients): each gets a variance in proportion to its conductance squared, as much as the
    median asks for. A crosspoint that stands out by more than SURPRISE is not what it was; one of
    its branches is suspected.
    """
    shape = estimate.branches.status.shape[:2]
    siemens = np.full(shape, np.nan)
    siemens[: len(measured.siemens)] = measured.siemens
    seen = np.isfinite(siemens)
    estimate = _with_first_guess(estimate, siemens)
    crosspoints = _crosspoints(estimate.branches, pattern)
    network = transfer_matrix(crosspoints, estimate.wire)
    slope = _slopes(crosspoints, network)
    h = slope[:, :, None] * sum_weights(pattern)

    noise = np.where(seen, np.nan_to_num(measured.uncertainty_siemens) ** 2, np.inf)

    same_range = range_amperes == estimate.range_amperes
    column_gain = estimate.column_gain if same_range else np.ones(shape[1])
    gains = estimate.row_gain[:, None] * column_gain
    spread = sum_variance(h, estimate.covariance) + noise
    fitted = _gains_since(siemens, network * gains, spread, same_range)
    gains = gains * fitted.of_elements

    y = np.where(seen, siemens / gains - network, 0.0)
    drawn = slope**2 * (pattern * estimate.branches.branch_siemens**2).sum(axis=2)
    told = seen & (drawn > 0)
    doubt = _doubt(y[told], spread[told], drawn[told])
    covariance = estimate.covariance.copy()
    variance = np.einsum("ijkk->ijk", covariance)  # a view of its diagonal
    variance[:, :, 1:] += doubt * estimate.branches.branch_siemens**2
    at = np.nonzero(seen & (y**2 > SURPRISE**2 * (spread + doubt * drawn)))
    excess = y[at] / slope[at]
    suspect = _suspect(pattern[at], estimate.branches.branch_siemens[at], excess)
    variance[(*at, suspect)] += excess**2

    step, covariance = observe(covariance, h, y, noise)
    return replace(
        estimate,
        branches=_moved(estimate.branches, step, covariance),
        row_gain=estimate.row_gain * (1 + fitted.rows),
        column_gain=column_gain * (1 + fitted.columns),
        range_amperes=range_amperes,
        covariance=covariance,
    )


def _with_first_guess(estimate: BoardEstimate, siemens: Floats) -> BoardEstimate:
    """Return the estimate with crosspoints of which nothing is known at what they show now: they
    may conduct so much that their whole row feels it, which is beyond linear.
    """
    blind = (estimate.covariance[:, :, 0, 0] == UNKNOWN_SIEMENS**2) & np.isfinite(siemens)
    if not blind.any():
        return estimate
    opened = np.where(blind, np.maximum(siemens, 0.0), estimate.branches.open_siemens)
    return replace(estimate, branches=replace(estimate.branches, open_siemens=opened))


def _crosspoints(branches: BranchCalibration, pattern: Bools) -> Floats:
    closed = (pattern * branches.branch_siemens).sum(axis=2)
    return np.asarray(np.maximum(branches.open_siemens + closed, 0.0))


def _slopes(crosspoints: Floats, network: Floats) -> Floats:
    """Return dT/dG of each crosspoint for itself: T/G, which differs from it by what the crosspoint
    drops in its own wires, and near zero by the mean over its row and column.
    """
    if not crosspoints.any():
        return np.ones_like(crosspoints)
    floor = SLOPE_FLOOR * float(np.median(crosspoints[crosspoints > 0]))
    rows, columns = ((network.sum(k) + floor) / (crosspoints.sum(k) + floor) for k in (1, 0))
    usual = np.outer(rows, columns) / (network.sum() / crosspoints.sum())
    return np.asarray((network + floor * usual) / (crosspoints + floor))


def _gains_since(measured: Floats, predicted: Floats, variance: Floats, same_range: bool) -> Gains:
    """Return the gains (rows, columns) by which what is measured differs from what is predicted.

    In a range that is new, what all have in common cannot be told from the columns' own gains.
    """
    tells = np.isfinite(measured) & (predicted > 0)
    whole = np.where(tells, predicted, 1.0)
    return fit_gains(
        np.where(tells, measured / whole - 1, 0.0),
        np.where(tells, whole**2 / np.maximum(variance, TINY), 0.0),
        IN_SAME_RANGE if same_range else IN_NEW_RANGE,
        common=same_range,
    )


def _doubt(y: Floats, spread: Floats, drawn: Floats) -> float:
    """Return the relative variance of a branch that the scatter of y asks for beyond `spread`.

    The variance that the median of n squares tells has a standard deviation of 2.33/√n of itself;
    what lies within three times that asks for nothing.
    """
    if not len(y):
        return 0.0
    said = float(np.median(spread))
    beyond = float(np.median(y**2)) / MEDIAN_OF_CHI_SQUARED - said
    if beyond <= 3 * 2.33 / np.sqrt(len(y)) * said:
        return 0.0
    return beyond / float(np.median(drawn))


def _suspect(pattern: Bools, siemens: Floats, excess: Floats) -> NDArray[np.int_]:
    """Return which reading of each crosspoint (crosspoints,) is to blame for what it conducts too
    much (`excess`, negative where it is too little): the closed branch whose failing explains it
    best; 0, the open crosspoint, where none is closed.

    `pattern` and `siemens` are (crosspoints, branches).
    """
    left = np.where(pattern, np.abs(siemens + excess[:, None]), np.inf)
    return np.where(pattern.any(axis=1), 1 + left.argmin(axis=1), 0)


def _moved(branches: BranchCalibration, step: Floats, covariance: Floats) -> BranchCalibration:
    """Return branches after their unknowns (open, branches) moved by `step` (rows, columns, 1 +
    branches), with what is left of their uncertainty.
    """
    left = np.sqrt(np.maximum(np.einsum("ijkk->ijk", covariance)[:, :, 1:], 0.0))
    siemens = branches.branch_siemens + step[:, :, 1:]
    return replace(
        branches,
        branch_siemens=np.where(branches.usable, siemens, 0.0),
        uncertainty_siemens=np.where(branches.usable, left, 0.0),
        open_siemens=branches.open_siemens + step[:, :, 0],
    )
