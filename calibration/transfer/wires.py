"""The wires of a board, identified from its own measurements, and taken out of the branch values.

A probe closes one branch of a row in every column, so the row's wire carries the sum of all their
currents, and a column far from the driver sees less than the row voltage. A programmed board loads
its wires differently. So the ratio between the transfer matrix that branch values predict and the
one that is measured tells the resistance of the wires, whatever the branches are: only a factor for
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
"""Standard deviation of what is supposed of every resistance before anything is measured: zero,
give or take this. It decides nothing but what the measurement cannot tell, the sense resistance
above all, which looks like a column's gain.
"""
BEST_RATIO = 1e-9
"""No ratio is known better than this, however well the fit seems to go."""
STEP_OHMS = 1e-3
ROUNDS = 3
LEAST_SHARE = 0.05
"""Of the median element: smaller ones of the transfer matrix are too noisy to be a ratio."""
ROW_GAINS = np.concatenate([[0.0], np.geomspace(1e-8, 1e-3, 41)])
"""Standard deviations, relative, that the gains of rows are tried with."""


@dataclass(frozen=True)
class WireEstimate:
    """The wires, and the standard uncertainty of each resistance, ohm."""

    wire: Wire
    uncertainty: Wire


def identify_wire(
    calibration: BranchCalibration, pattern: Bools, measured: TransferMeasurement
) -> WireEstimate:
    """Fit the wires' resistances to the transfer matrix measured for a pattern.

    Gauss-Newton on y = log(measured / predicted), the exact network predicting:

        y_ij = κ_j + ρ_i + Σ_p J_ijp R_p + ε_ij,

    with a free factor κ for each column, a gain ρ for each row, and a prior of 0 ± 1 Ω for the
    resistances. What the board drifted by between two readings of the reference is in all columns
    of the rows that were read meanwhile, and a column's wire is told by how its rows differ: so ρ
    has the covariance D + σ²·1, D that of the drift (`drift_covariance`), σ what the DACs have
    moved by since and what drift has left in the transfer matrix, by restricted maximum likelihood
    (Patterson & Thompson 1971). ε is the scatter of single elements, in the proportions of what is
    stated of branches and measurement, its size from what rows and columns leave. The covariance is
    that of generalized least squares (JCGM 100:2008, H.3; Henderson 1975 for unknowns with a
    covariance of their own).
    """
    rows = len(measured.siemens)
    seen = np.isfinite(measured.siemens) & pattern[:rows].any(axis=2)
    seen &= np.abs(measured.siemens) > LEAST_SHARE * np.median(np.abs(measured.siemens[seen]))
    freedom = int(seen.sum() - seen.any(axis=0).sum())
    drift = calibration.drift_covariance[:rows, :rows]
    weight = np.zeros(seen.shape)
    weight[seen] = 1 / _variance(calibration, pattern, measured, seen)
    weight /= np.median(weight[seen])
    gains = np.eye(rows)[:, None, :] * np.ones((1, seen.shape[1], 1))
    gains = _without_columns(gains, weight)

    def misfit(ohms: Floats) -> Floats:
        """Return weighed log ratios, column means removed, of the elements that are seen."""
        wire = Wire(*ohms.tolist())
        predicted = _predict(calibration, pattern, wire)[:rows]
        ratio = np.zeros(seen.shape)
        ratio[seen] = np.log(measured.siemens[seen] / predicted[seen])
        return _without_columns(ratio[:, :, None], weight)[:, 0]

    ohms = np.zeros(4)
    for _ in range(ROUNDS):
        residual = misfit(ohms)
        slopes = np.stack(
            [(misfit(ohms + step) - residual) / STEP_OHMS for step in STEP_OHMS * np.eye(4)], axis=1
        )
        ohms, covariance = _least_squares(-slopes, residual - slopes @ ohms, gains, drift, freedom)
        ohms = np.maximum(ohms, 0.0)
    spread = np.sqrt(np.diag(covariance))
    return WireEstimate(Wire(*ohms.tolist()), Wire(*spread.tolist()))


def _variance(
    calibration: BranchCalibration,
    pattern: Bools,
    measured: TransferMeasurement,
    seen: Bools,
) -> Floats:
    """Return the relative variance (elements,) that is stated of measured / predicted, of the
    elements that are `seen` (rows, columns).
    """
    rows, columns = measured.siemens.shape
    closed = np.concatenate([np.ones((rows, columns, 1)), pattern[:rows]], axis=2)
    covariance = calibration.covariance(*np.ogrid[:rows, :columns])
    of_sums = np.einsum("ijk,ijkl,ijl->ij", closed, covariance, closed, optimize=True)
    variance = of_sums + measured.uncertainty_siemens**2
    return np.asarray(variance[seen] / measured.siemens[seen] ** 2 + BEST_RATIO**2)


def _without_columns(values: Floats, weight: Floats) -> Floats:
    """Return values (rows, columns, kinds) of the elements that have a weight (rows, columns), each
    less the mean of its column, times the root of its weight: (elements, kinds).
    """
    weight = weight[:, :, None]
    whole = np.where(weight.sum(axis=0) > 0, weight.sum(axis=0), 1.0)
    left = values - (weight * values).sum(axis=0) / whole
    return np.asarray((np.sqrt(weight) * left)[weight[:, :, 0] > 0])


def _least_squares(
    slopes: Floats, y: Floats, gains: Floats, drift: Floats, freedom: int
) -> tuple[Floats, Floats]:
    """Return R (4,) and its covariance, y (elements,) being `slopes` R + `gains` ρ + ε.

    `slopes` (elements, 4) and `gains` (elements, rows), the column means removed from all; `drift`
    (rows, rows) is the covariance of ρ but for what is white, `freedom` that of y. Unknowns are
    solved for in units of their prior; y is reduced to its share along them first, so that each σ
    costs no more than matrices of the rows.
    """
    unknowns = np.concatenate([slopes, gains], axis=1)
    basis, triangle = np.linalg.qr(unknowns)
    along = basis.T @ y
    left = float(y @ y - along @ along)
    noise = np.sqrt(max(left / max(1, freedom - len(along) + 1), BEST_RATIO**2))
    variances, directions = np.linalg.eigh(drift)
    rhs = np.concatenate([along / noise, np.zeros(len(triangle.T))])

    def given(sigma: float) -> tuple[float, Floats, Floats]:
        """Return the log likelihood, but for a constant, R and its covariance."""
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

    _, ohms, covariance = max((given(sigma) for sigma in ROW_GAINS), key=lambda one: one[0])
    return ohms, covariance


def without_wire_drop(calibration: BranchCalibration, wire: Wire) -> BranchCalibration:
    """Return a calibration as it would be had the wires dropped nothing during the probes.

    With q_j the conductances that a probe of row i saw (as a fraction of the row voltage, the
    current of column j), crosspoint j stood at the fraction

        f_j = 1 − R_source·Σq − R_row·Σ_{m=1..j} Σ_{l≥m} q_l − q_j·(R_column·(rows − 1 − i) +
        R_sense)

    of it, and conducts q_j / f_j. The leakage of other rows into the columns is left out. The
    probes are those of the calibration's design, whose groups its branch values give back.
    """
    opened = calibration.open_siemens[:, :, None]
    groups = calibration.groups
    seen = opened + calibration.branch_siemens @ groups.T
    closed = seen / _fraction(seen, wire)
    # What cannot be selected was not closed in any group, or is not to be told from the rest.
    unknowns = np.column_stack([np.ones(len(groups)), groups])
    true = closed @ np.linalg.pinv(unknowns).T
    return replace(
        calibration,
        branch_siemens=np.where(calibration.usable, true[:, :, 1:], 0.0),
        open_siemens=true[:, :, 0],
    )


def _fraction(seen: Floats, wire: Wire) -> Floats:
    """Return the fraction f of the row voltage across each crosspoint of probes (rows, columns,
    probes).
    """
    onward = np.cumsum(seen[:, ::-1], axis=1)[:, ::-1]
    along_row = np.cumsum(onward, axis=1) - onward[:, :1]
    below = np.arange(len(seen))[::-1, None, None]
    return np.asarray(
        1
        - wire.source_ohms * onward[:, :1]
        - wire.row_ohms * along_row
        - seen * (wire.column_ohms * below + wire.sense_ohms)
    )


def _predict(calibration: BranchCalibration, pattern: Bools, wire: Wire) -> Floats:
    """Return the transfer matrix (rows, columns) that branch values predict for a pattern."""
    branches = without_wire_drop(calibration, wire)
    crosspoints = branches.open_siemens + (pattern * branches.branch_siemens).sum(axis=2)
    return transfer_matrix(np.maximum(crosspoints, 0.0), wire)
