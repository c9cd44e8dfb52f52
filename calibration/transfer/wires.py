"""Wire resistances of a board, identified from its measurements and removed from branch values.

A probe closes one branch of a row in every column, so the row's wire carries the sum of all their
currents, and a column far from the driver gets less than the row voltage. A programmed board loads
its wires differently. The ratio of the measured transfer matrix to the one that branch values
predict therefore shows the resistance of the wires, whatever the branches are. Only a factor for
each column stays free, because characterization and use read it in different ranges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.branches import BranchCalibration
from calibration.transfer.measure import TransferMeasurement
from kirchhoff import Wire, transfer_matrix

PRIOR_OHMS = 1.0
"""Standard deviation of the prior of every resistance, whose mean is zero. It decides only what the
measurement leaves open, above all the sense resistance, which looks like a column's gain.
"""
MIN_RATIO_SIGMA = 1e-9
"""Smallest relative standard uncertainty of a ratio, however good the fit appears."""
MIN_FREEDOM = 8
"""Degrees of freedom below which the residuals' scatter says little of the noise: it may be nearly
zero by chance, and is zero where the unknowns are as many as the elements.
"""
STEP_OHMS = 1e-3
ROUNDS = 3
MIN_ELEMENT_SHARE = 0.05
"""Share of the median element below which an element's ratio is too noisy to be used."""
ROW_GAIN_SIGMAS = np.concatenate([[0.0], np.geomspace(1e-8, 1e-3, 41)])
"""Relative standard deviations of the row gains that are tried."""


@dataclass(frozen=True)
class WireEstimate:
    """Wire resistances, and their standard uncertainties, in ohms."""

    wire: Wire
    uncertainty: Wire


def identify_wire(
    calibration: BranchCalibration, pattern: Bools, measured: TransferMeasurement
) -> WireEstimate:
    """Fit the wires' resistances to the transfer matrix measured for a pattern.

    Gauss-Newton on y = log(measured / predicted), the exact network predicting:

        y_ij = κ_j + ρ_i + Σ_p J_ijp R_p + ε_ij,

    with a free factor κ for each column, a gain ρ for each row, and a prior of 0 ± 1 Ω for the
    resistances R. Drift of the board between two readings of the reference is in all columns of the
    rows read meanwhile, and a column's wire shows in how its rows differ. So ρ has the covariance D
    + σ²·1: D is that of the drift (`drift_covariance`); σ is what the DACs have moved by since, and
    what drift has left in the transfer matrix, by restricted maximum likelihood (Patterson &
    Thompson 1971). ε is the scatter of single elements: in the proportions stated of branches and
    measurement, with its size from what rows and columns leave. The covariance of R is that of
    generalized least squares (JCGM 100:2008, H.3; Henderson 1975 for unknowns with a covariance of
    their own).
    """
    rows = len(measured.siemens)
    used = np.isfinite(measured.siemens) & pattern[:rows].any(axis=2)
    used &= np.abs(measured.siemens) > MIN_ELEMENT_SHARE * np.median(np.abs(measured.siemens[used]))
    freedom = int(used.sum() - used.any(axis=0).sum())
    drift = calibration.drift_covariance[:rows, :rows]
    weight = np.zeros(used.shape)
    weight[used] = 1 / _variance(calibration, pattern, measured, used)
    stated = float(1 / np.median(weight[used]))
    weight *= stated
    gains = np.eye(rows)[:, None, :] * np.ones((1, used.shape[1], 1))
    gains = _without_columns(gains, weight)

    def misfit(ohms: Floats) -> Floats:
        """Return weighted log ratios (elements,), less their column means."""
        wire = Wire(*ohms.tolist())
        predicted = _predict(calibration, pattern, wire)[:rows]
        ratio = np.zeros(used.shape)
        ratio[used] = np.log(measured.siemens[used] / predicted[used])
        return _without_columns(ratio[:, :, None], weight)[:, 0]

    ohms = np.zeros(4)
    for _ in range(ROUNDS):
        residual = misfit(ohms)
        slopes = np.stack(
            [(misfit(ohms + shift) - residual) / STEP_OHMS for shift in STEP_OHMS * np.eye(4)],
            axis=1,
        )
        ohms, covariance = _least_squares(
            -slopes, residual - slopes @ ohms, gains, drift, freedom, stated
        )
        ohms = np.maximum(ohms, 0.0)
    spread = np.sqrt(np.diag(covariance))
    return WireEstimate(Wire(*ohms.tolist()), Wire(*spread.tolist()))


def _variance(
    calibration: BranchCalibration,
    pattern: Bools,
    measured: TransferMeasurement,
    used: Bools,
) -> Floats:
    """Return the stated relative variance (elements,) of measured / predicted.

    `used` (rows, columns) are the elements that the fit uses.
    """
    rows, columns = measured.siemens.shape
    closed = np.concatenate([np.ones((rows, columns, 1)), pattern[:rows]], axis=2)
    covariance = calibration.covariance(*np.ogrid[:rows, :columns])
    of_sums = np.einsum("ijk,ijkl,ijl->ij", closed, covariance, closed, optimize=True)
    variance = of_sums + measured.uncertainty_siemens**2
    return np.asarray(variance[used] / measured.siemens[used] ** 2 + MIN_RATIO_SIGMA**2)


def _without_columns(values: Floats, weight: Floats) -> Floats:
    """Subtract column means, and weight: values (rows, columns, kinds) to (elements, kinds).

    Each value with a positive weight (rows, columns) less the weighted mean of its column, times
    the square root of its weight.
    """
    weight = weight[:, :, None]
    whole = np.where(weight.sum(axis=0) > 0, weight.sum(axis=0), 1.0)
    left = values - (weight * values).sum(axis=0) / whole
    return np.asarray((np.sqrt(weight) * left)[weight[:, :, 0] > 0])


def _least_squares(
    slopes: Floats, y: Floats, gains: Floats, drift: Floats, freedom: int, stated: float
) -> tuple[Floats, Floats]:
    """Return R (4,) and its covariance, for y (elements,) = `slopes` R + `gains` ρ + ε.

    Column means are removed from `slopes` (elements, 4), `gains` (elements, rows) and y. `drift`
    (rows, rows) is the covariance of ρ without its white part; `freedom` are the degrees of freedom
    of y. `stated` is the stated variance of an element of y: a lower bound of the noise where too
    few degrees of freedom are left to tell it by. Unknowns are solved for in units of their prior.
    y is first reduced to its components along them, so that each σ costs no more than matrices of
    the rows.
    """
    unknowns = np.concatenate([slopes, gains], axis=1)
    basis, triangle = np.linalg.qr(unknowns)
    along = basis.T @ y
    left = float(y @ y - along @ along)
    left_freedom = freedom - len(along) + 1
    min_variance = stated if left_freedom < MIN_FREEDOM else MIN_RATIO_SIGMA**2
    noise = np.sqrt(max(left / max(1, left_freedom), min_variance))
    variances, directions = np.linalg.eigh(drift)
    rhs = np.concatenate([along / noise, np.zeros(len(triangle.T))])

    def given(sigma: float) -> tuple[float, Floats, Floats]:
        """Return the log likelihood at σ, up to a constant, R (4,) and its covariance."""
        size = np.sqrt(np.maximum(variances, 0.0) + sigma**2)
        prior = np.zeros((unknowns.shape[1],) * 2)
        prior[:4, :4] = PRIOR_OHMS * np.eye(4)
        prior[4:, 4:] = directions * size
        stacked = np.concatenate([triangle @ prior / noise, np.eye(len(prior))])
        q, r = np.linalg.qr(stacked)
        explained = q.T @ rhs
        to_ohms = np.linalg.solve(r.T, prior[:4].T).T
        likelihood = (explained @ explained) / 2 - np.log(np.abs(np.diag(r))).sum()
        return float(likelihood), to_ohms @ explained, to_ohms @ to_ohms.T

    _, ohms, covariance = max((given(sigma) for sigma in ROW_GAIN_SIGMAS), key=lambda fit: fit[0])
    return ohms, covariance


def without_wire_drop(calibration: BranchCalibration, wire: Wire) -> BranchCalibration:
    """Return a calibration corrected for the voltage that the wires dropped during the probes.

    With q_j the apparent conductances of a probe of row i (the current of column j over the row
    voltage), crosspoint j stood at the fraction

        f_j = 1 − R_source·Σq − R_row·Σ_{m=1..j} Σ_{l≥m} q_l
                − q_j·(R_column·(rows − 1 − i) + R_sense)

    of the row voltage, and conducts q_j / f_j. Leakage of other rows into the columns is neglected.
    The probes are those of the calibration's design, whose groups its branch values reproduce.
    """
    opened = calibration.open_siemens[:, :, None]
    groups = calibration.groups
    apparent = opened + calibration.branch_siemens @ groups.T
    closed = apparent / _fraction(apparent, wire)
    # A branch that cannot be selected was closed in no group, or only together with others.
    unknowns = np.column_stack([np.ones(len(groups)), groups])
    true = closed @ np.linalg.pinv(unknowns).T
    return replace(
        calibration,
        branch_siemens=np.where(calibration.usable, true[:, :, 1:], 0.0),
        open_siemens=true[:, :, 0],
    )


def _fraction(apparent: Floats, wire: Wire) -> Floats:
    """Return the fraction f of the row voltage across each crosspoint (rows, columns, probes).

    `apparent` (rows, columns, probes) are the apparent conductances q, in siemens.
    """
    onward = np.cumsum(apparent[:, ::-1], axis=1)[:, ::-1]
    along_row = np.cumsum(onward, axis=1) - onward[:, :1]
    below = np.arange(len(apparent))[::-1, None, None]
    return np.asarray(
        1
        - wire.source_ohms * onward[:, :1]
        - wire.row_ohms * along_row
        - apparent * (wire.column_ohms * below + wire.sense_ohms)
    )


def _predict(calibration: BranchCalibration, pattern: Bools, wire: Wire) -> Floats:
    """Predict the transfer matrix (rows, columns) of a pattern from branch values."""
    branches = without_wire_drop(calibration, wire)
    crosspoints = branches.open_siemens + (pattern * branches.branch_siemens).sum(axis=2)
    return transfer_matrix(np.maximum(crosspoints, 0.0), wire)
