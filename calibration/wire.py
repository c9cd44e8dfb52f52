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
from numpy.typing import NDArray

from calibration.branches import BranchCalibration
from calibration.transfer import TransferMeasurement
from kirchhoff import Wire, transfer_matrix

Floats = NDArray[np.float64]
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


@dataclass(frozen=True)
class WireEstimate:
    """The wires, and the standard uncertainty of each resistance, ohm."""

    wire: Wire
    uncertainty: Wire


def identify_wire(
    calibration: BranchCalibration, pattern: NDArray[np.bool_], measured: TransferMeasurement
) -> WireEstimate:
    """Fit the wires' resistances to the transfer matrix measured for a pattern.

    Least squares by Gauss-Newton on `log(measured / predicted)`, the exact network predicting, with
    a free factor for each column and a prior of 0 ± 1 Ω. The uncertainty is that of the fit, from
    the scatter of its residuals (JCGM 100:2008, H.3).
    """
    rows = len(measured.siemens)
    seen = np.isfinite(measured.siemens) & pattern[:rows].any(axis=2)
    seen &= np.abs(measured.siemens) > LEAST_SHARE * np.median(np.abs(measured.siemens[seen]))

    def misfit(ohms: Floats) -> Floats:
        """Return log ratios, column means removed, of the elements that are seen."""
        wire = Wire(*ohms.tolist())
        predicted = _predict(calibration, pattern, wire)[:rows]
        ratio = np.zeros(seen.shape)
        ratio[seen] = np.log(measured.siemens[seen] / predicted[seen])
        count = np.maximum(seen.sum(axis=0), 1)
        return np.asarray((ratio - ratio.sum(axis=0) / count)[seen])

    ohms = np.zeros(4)
    for _ in range(ROUNDS):
        residual = misfit(ohms)
        slopes = np.stack(
            [(misfit(ohms + step) - residual) / STEP_OHMS for step in STEP_OHMS * np.eye(4)], axis=1
        )
        freedom = max(1, len(residual) - len(ohms) - int(seen.any(axis=0).sum()))
        variance = max(float(residual @ residual) / freedom, BEST_RATIO**2)
        information = slopes.T @ slopes / variance + np.eye(4) / PRIOR_OHMS**2
        pull = slopes.T @ residual / variance + ohms / PRIOR_OHMS**2
        ohms = np.maximum(ohms - np.linalg.solve(information, pull), 0.0)
    spread = np.sqrt(np.diag(np.linalg.inv(information)))
    return WireEstimate(Wire(*ohms.tolist()), Wire(*spread.tolist()))


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


def _predict(calibration: BranchCalibration, pattern: NDArray[np.bool_], wire: Wire) -> Floats:
    """Return the transfer matrix (rows, columns) that branch values predict for a pattern."""
    branches = without_wire_drop(calibration, wire)
    crosspoints = branches.open_siemens + (pattern * branches.branch_siemens).sum(axis=2)
    return transfer_matrix(np.maximum(crosspoints, 0.0), wire)
