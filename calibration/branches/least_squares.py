"""Branch conductances and their covariance, from the half differences of all passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.branches.passes import Pass
from calibration.branches.plan import Plan, mean_sum_variance
from calibration.branches.reference_drift import DriftTrack


@dataclass(frozen=True)
class Unknowns:
    """The unknowns (open, branches) of every crosspoint."""

    theta: Floats
    """(rows, columns, 1 + branches), siemens; NaN where overloaded."""
    noise_covariance: Floats
    """(rows, 1 + branches, 1 + branches): for a reading variance of 1."""
    noise_variance: Floats
    """(columns,): of one half difference over the row voltage, siemens²."""
    signal_covariance: Floats
    """(rows, 1 + branches, 1 + branches): of the part that grows with the signal, siemens²."""
    own_covariance: Floats
    """(rows, 1 + branches, 1 + branches): of the part that no repetition reduces, because branches
    drift apart, siemens².
    """
    drift_covariance: Floats
    """(rows, rows), relative: of the common drift while the rows were read; part of the signal
    covariance.
    """

    def uncertainty(self) -> tuple[Floats, Floats]:
        """Return the largest uncertainty (rows,) that repetition reduces, and that it does not.

        Both are standard uncertainties of a branch or a mean sum, in the columns that can be read.
        """
        live = np.isfinite(self.theta[:, :, 0]).any(axis=0)
        max_variance = float(self.noise_variance[live].max(initial=0.0))
        return (
            _largest(max_variance * self.noise_covariance + self.signal_covariance),
            _largest(self.own_covariance),
        )


def _largest(covariance: Floats) -> Floats:
    """Return the largest standard uncertainty (rows,) of a branch or of a mean sum."""
    branches = np.diagonal(covariance, axis1=1, axis2=2)[:, 1:].max(axis=1)
    sums = np.array([mean_sum_variance(row_covariance) for row_covariance in covariance])
    return np.asarray(np.sqrt(np.maximum(branches, sums)))


def estimate_unknowns(
    plan: Plan,
    passes: list[Pass],
    drift: DriftTrack,
    noise: tuple[Floats, float],
    nominal_siemens: Floats,
    volts: float,
    shape: tuple[int, int],
) -> Unknowns:
    """Estimate all unknowns by generalized least squares, row by row; `shape` is (rows, columns).

    `noise` is the variance of the half difference of one pair: (columns,), ampere², and relative to
    the current squared. A pass of a row has the covariance

        V = diag((a² + b²I²) / nV²) + c² s sᵀ,

    s the nominal signal and c the standard uncertainty of the common drift at the time, which all
    points of a row share. With W = XᵀV⁻¹ and independent passes, θ = (Σ WX)⁻¹ Σ W y (Aitken 1935).
    The weights are those of the median column, which costs the other columns next to nothing; the
    covariance is propagated for every column's own noise.
    """
    rows, columns = shape
    matrix = plan.design.matrix
    theta_nominal = np.concatenate([[0.0], nominal_siemens])
    signal = matrix @ theta_nominal
    scale = 1 / (plan.pairs * volts**2)
    additive, relative = noise
    usual = float(np.median(additive)) * scale
    # A tiny overestimate, so that readings without any noise still have a finite weight.
    usual = max(usual, (1e-9 * float(nominal_siemens.min())) ** 2)
    relative_variance = relative / plan.pairs * signal**2

    unknowns = matrix.shape[1]
    information = np.zeros((rows, unknowns, unknowns))
    vector = np.zeros((rows, unknowns, columns))
    noise_part, signal_part = np.zeros_like(information), np.zeros_like(information)
    own, weight = np.zeros(rows), np.zeros(rows)
    shares = []
    undefined = np.zeros((rows, columns, unknowns), dtype=bool)
    for one_pass in passes:
        level, _ = drift.common_at(one_pass.seconds.ravel())
        middles = np.median(one_pass.seconds, axis=1)
        _, level_variance = drift.common_at(middles)
        own_drift = drift.own_at(middles)
        share = np.zeros((len(one_pass.rows), unknowns))
        siemens = one_pass.amperes / volts / (1 + level.reshape(one_pass.seconds.shape))[:, :, None]
        missing = np.isnan(siemens)
        siemens = np.where(missing, 0.0, siemens)
        undefined[one_pass.rows] |= _undefined(missing, plan.design.groups)
        for index, row in enumerate(one_pass.rows):
            covariance = np.diag(usual + relative_variance)
            covariance += level_variance[index] * np.outer(signal, signal)
            w = np.linalg.solve(covariance, matrix).T
            information[row] += w @ matrix
            vector[row] += w @ siemens[index]
            noise_part[row] += w @ w.T
            drifted = share[index] = w @ signal
            signal_part[row] += (w * relative_variance) @ w.T
            signal_part[row] += level_variance[index] * np.outer(drifted, drifted)
            own[row] += own_drift[index] ** 2
            weight[row] += 1
        shares.append(share)

    inverse = np.asarray(np.linalg.inv(information), np.float64)
    theta = np.moveaxis(inverse @ vector, 1, 2)
    return Unknowns(
        theta=np.where(undefined, np.nan, theta),
        noise_covariance=inverse @ noise_part @ inverse,
        noise_variance=additive * scale,
        signal_covariance=inverse @ signal_part @ inverse,
        own_covariance=(own / weight)[:, None, None] * np.diag(theta_nominal**2),
        drift_covariance=_drift_covariance(passes, shares, drift, inverse, theta_nominal),
    )


def _drift_covariance(
    passes: list[Pass],
    shares: list[Floats],
    drift: DriftTrack,
    inverse: Floats,
    theta_nominal: Floats,
) -> Floats:
    """Return the covariance (rows, rows) of the relative errors that drift leaves in nominal sums.

    The sums are those of all branches of a crosspoint. An error d of the common drift, while a pass
    reads a row, moves θ by `inverse · share · d`, share (rows of the pass, unknowns) being Ws. Rows
    that are read between the same two readings of the reference share the board's drift there.
    """
    rows = len(inverse)
    by_brackets = np.zeros((rows, len(drift.seconds)))
    covariance = np.zeros((rows, rows))
    for one_pass, share in zip(passes, shares, strict=True):
        weights, bridges = drift.errors_at(np.median(one_pass.seconds, axis=1))
        moved = np.einsum("rkl,rl->rk", inverse[one_pass.rows], share)
        relative = moved.sum(axis=1) / theta_nominal.sum()
        by_brackets[one_pass.rows] += relative[:, None] * weights
        covariance[np.ix_(one_pass.rows, one_pass.rows)] += np.outer(relative, relative) * bridges
    return np.asarray(covariance + by_brackets @ drift.common_covariance @ by_brackets.T)


def _undefined(missing: Bools, groups: Bools) -> Bools:
    """Return which unknowns (rows, columns, 1 + branches) missing readings leave undefined.

    `missing` is (rows, points, columns). In a design with one branch at a time, a branch is lost
    with its own point, and all unknowns with the open point; a missing point counts as zero, which
    for the other branches is as good as any constant. In groups all unknowns depend on one another.
    """
    any_open = np.asarray(missing[:, ~groups.any(axis=1)].any(axis=1))
    lost = np.asarray(np.einsum("ipj,pk->ijk", missing, groups))
    if (groups.sum(axis=1) > 1).any():
        lost |= lost.any(axis=2, keepdims=True)
        any_open |= lost.any(axis=2)
    return np.concatenate([any_open[:, :, None], lost | any_open[:, :, None]], axis=2)
