"""The model of a board, and its update by every measured transfer matrix.

A crosspoint has 1 + B unknowns θ: its conductance with every switch open, and what closing each
switch adds. Under a pattern x it conducts

    G = wᵀθ,   w = (1, x),

and the covariance Σ of θ that characterization leaves gives the variance wᵀΣw of any sum. A
transfer matrix measured later is one more linear observation of each crosspoint, T = r c γ ·
T_network(G), which recursive least squares absorbs (R. E. Kalman, J. Basic Eng. 82, 1960).

The gains are those of row drivers and columns since characterization (r, c: another range, drift)
and that of the whole board (γ: its temperature), which the scale of a product carries.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.branches import BranchCalibration
from calibration.records import Record
from calibration.statistics import MEDIAN_OF_CHI_SQUARED, OUTLIER_SIGMAS
from calibration.transfer import (
    Gains,
    GainSpread,
    TransferMeasurement,
    fit_gains,
    without_wire_drop,
)
from kirchhoff import Wire, transfer_matrix

IN_NEW_RANGE = GainSpread(rows=1e-4, columns=2e-3)
"""Spread of gains in a range that is new. Amplifiers have feedback resistors of 0.1 %, one for each
range; rows were characterized at different temperatures.
"""
IN_SAME_RANGE = GainSpread(rows=3e-6, columns=3e-6)
"""Spread of gains by drift between two measurements: a minute, some tenths of a kelvin, 10 ppm/K.
"""
UNKNOWN_SIEMENS = 1.0
"""Standard deviation of a crosspoint of which nothing could be read."""
TINY = 1e-300
MIN_SLOPE_SHARE = 0.05
"""Share of a usual crosspoint below which T/G is no measure of dT/dG: currents that sneak through
all others are then a part of T.
"""


@dataclass(frozen=True, eq=False, repr=False)
class BoardEstimate(Record):
    """The model of a board after all measurements so far."""

    branches: BranchCalibration
    """Without the wires' drop, and with the standard uncertainties after all measurements."""
    wire: Wire
    row_gain: Floats
    """(rows,)"""
    column_gain: Floats
    """(columns,): gain in use over that of characterization, in the range below."""
    range_amperes: float
    covariance: Floats
    """(rows, columns, 1 + branches, 1 + branches): of (open, branches), siemens²."""


@dataclass(frozen=True)
class Prediction:
    """The transfer matrix that a model predicts for a pattern; arrays (rows, columns)."""

    siemens: Floats
    slope: Floats
    """dT/dG of each crosspoint with respect to itself."""
    variance: Floats
    """Of `siemens`, from the branches' uncertainties, siemens²."""


def first_estimate(calibration: BranchCalibration, wire: Wire) -> BoardEstimate:
    """Return the model that characterization alone gives, with the wires identified."""
    rows, columns, _ = calibration.status.shape
    known = np.concatenate([np.ones((rows, columns, 1), bool), calibration.usable], axis=2)
    covariance = calibration.covariance(*np.ogrid[:rows, :columns])
    covariance = covariance * (known[..., :, None] & known[..., None, :])
    # Crosspoints of which nothing could be read.
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
    """Predict the transfer matrix of a pattern (rows, columns, branches)."""
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
    """Update unknowns by observed sums: return their step, and their covariance afterwards.

    The unknowns are (…, 1 + branches); sums with weights h (…, 1 + branches) are observed y (…)
    beyond expectation. With P the `covariance` (…, 1 + branches, 1 + branches) and `noise` (…) the
    variance of the observations, infinite where nothing was observed,

        S = hᵀPh + noise,   K = Ph/S,   step = Ky,   P ← (1 − Khᵀ) P (1 − Khᵀ)ᵀ + K·noise·Kᵀ,

    the form of Joseph (Bucy & Joseph 1968), which keeps P positive where a crosspoint of which
    nothing was known is observed for the first time.
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
    """Return the model improved by a transfer matrix measured for a pattern.

    `pattern` is (rows, columns, branches). Columns that overloaded (NaN) add nothing.

    Where elements deviate by more than the variances of branches and measurement allow, the
    branches are less certain than stated (their ADC's curve, their own temperature coefficients):
    each gets an additional variance in proportion to its conductance squared, of the size that the
    median deviation asks for. A crosspoint that stands out by more than OUTLIER_SIGMAS standard
    deviations has changed; one of its branches is suspected.
    """
    shape = estimate.branches.status.shape[:2]
    siemens = np.full(shape, np.nan)
    siemens[: len(measured.siemens)] = measured.siemens
    measurable = np.isfinite(siemens)
    estimate = _with_first_guess(estimate, siemens)
    crosspoints = _crosspoints(estimate.branches, pattern)
    network = transfer_matrix(crosspoints, estimate.wire)
    slope = _slopes(crosspoints, network)
    h = slope[:, :, None] * sum_weights(pattern)

    noise = np.where(measurable, np.nan_to_num(measured.uncertainty_siemens) ** 2, np.inf)

    same_range = range_amperes == estimate.range_amperes
    column_gain = estimate.column_gain if same_range else np.ones(shape[1])
    gains = estimate.row_gain[:, None] * column_gain
    spread = sum_variance(h, estimate.covariance) + noise
    fitted = _gains_since(siemens, network * gains, spread, same_range)
    gains = gains * fitted.of_elements

    y = np.where(measurable, siemens / gains - network, 0.0)
    drawn = slope**2 * (pattern * estimate.branches.branch_siemens**2).sum(axis=2)
    loaded = measurable & (drawn > 0)
    doubt = _doubt(y[loaded], spread[loaded], drawn[loaded])
    covariance = estimate.covariance.copy()
    variance = np.einsum("ijkk->ijk", covariance)  # a view of its diagonal
    variance[:, :, 1:] += doubt * estimate.branches.branch_siemens**2
    at = np.nonzero(measurable & (y**2 > OUTLIER_SIGMAS**2 * (spread + doubt * drawn)))
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
    """Return the model with unknown crosspoints set to their measured values (rows, columns).

    Such a crosspoint may conduct so much that it loads its whole row, beyond the linear update.
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
    """Return dT/dG (rows, columns) of each crosspoint with respect to itself.

    It is T/G, `network` over `crosspoints`, both (rows, columns) in siemens. That differs from
    dT/dG by the drop of the crosspoint in its own wires; near zero, the mean over the crosspoint's
    row and column is taken.
    """
    if not crosspoints.any():
        return np.ones_like(crosspoints)
    floor = MIN_SLOPE_SHARE * float(np.median(crosspoints[crosspoints > 0]))
    rows, columns = ((network.sum(k) + floor) / (crosspoints.sum(k) + floor) for k in (1, 0))
    usual = np.outer(rows, columns) / (network.sum() / crosspoints.sum())
    return np.asarray((network + floor * usual) / (crosspoints + floor))


def _gains_since(measured: Floats, predicted: Floats, variance: Floats, same_range: bool) -> Gains:
    """Return the gains (rows, columns) of a measured transfer matrix over the predicted one.

    In a new range, a common gain cannot be distinguished from the columns' own gains.
    """
    informative = np.isfinite(measured) & (predicted > 0)
    whole = np.where(informative, predicted, 1.0)
    return fit_gains(
        np.where(informative, measured / whole - 1, 0.0),
        np.where(informative, whole**2 / np.maximum(variance, TINY), 0.0),
        IN_SAME_RANGE if same_range else IN_NEW_RANGE,
        common=same_range,
    )


def _doubt(y: Floats, spread: Floats, drawn: Floats) -> float:
    """Return the relative variance of a branch that the scatter of y requires beyond `spread`.

    The variance that the median of n squares gives has a standard deviation of 2.33/√n of itself;
    an excess within three times that requires nothing.
    """
    if not len(y):
        return 0.0
    stated = float(np.median(spread))
    beyond = float(np.median(y**2)) / MEDIAN_OF_CHI_SQUARED - stated
    if beyond <= 3 * 2.33 / np.sqrt(len(y)) * stated:
        return 0.0
    return beyond / float(np.median(drawn))


def _suspect(pattern: Bools, siemens: Floats, excess: Floats) -> NDArray[np.int_]:
    """Return the reading (crosspoints,) that best explains a crosspoint's excess conductance.

    `excess` is (crosspoints,), in siemens, negative where it conducts too little; `pattern` and
    `siemens` are (crosspoints, branches). The result is 1 + the closed branch whose failure
    explains the excess best, or 0, the open crosspoint, where no branch is closed.
    """
    left = np.where(pattern, np.abs(siemens + excess[:, None]), np.inf)
    return np.where(pattern.any(axis=1), 1 + left.argmin(axis=1), 0)


def _moved(branches: BranchCalibration, step: Floats, covariance: Floats) -> BranchCalibration:
    """Return branches after their unknowns moved, with their remaining uncertainty.

    `step` (rows, columns, 1 + branches) is the change of (open, branches), in siemens.
    """
    left = np.sqrt(np.maximum(np.einsum("ijkk->ijk", covariance)[:, :, 1:], 0.0))
    siemens = branches.branch_siemens + step[:, :, 1:]
    return replace(
        branches,
        branch_siemens=np.where(branches.usable, siemens, 0.0),
        uncertainty_siemens=np.where(branches.usable, left, 0.0),
        open_siemens=branches.open_siemens + step[:, :, 0],
    )
