"""Calibrations made up for tests."""

import numpy as np
from numpy.typing import NDArray

from calibration.branches import BranchCalibration, BranchStatus


def calibration_of(
    branch_siemens: NDArray[np.float64],
    usable: NDArray[np.bool_] | None = None,
    open_siemens: NDArray[np.float64] | None = None,
) -> BranchCalibration:
    """Return a calibration of (rows, columns, branches), all of them ok unless said otherwise."""
    ok = np.ones(branch_siemens.shape, dtype=bool) if usable is None else usable
    rows, columns, branches = branch_siemens.shape
    return BranchCalibration(
        branch_siemens=np.where(ok, branch_siemens, 0.0),
        uncertainty_siemens=np.where(ok, 1e-12, 0.0),
        open_siemens=np.zeros(branch_siemens.shape[:2]) if open_siemens is None else open_siemens,
        status=np.where(ok, BranchStatus.OK, BranchStatus.OPEN).astype(np.int8),
        readings=0,
        range_amperes=3e-5,
        row_volts=15 / 16,
        design="one at a time",
        groups=np.concatenate([np.zeros((1, branches), bool), np.eye(branches, dtype=bool)]),
        noise_covariance=np.broadcast_to(np.eye(1 + branches), (rows, 1 + branches, 1 + branches)),
        noise_variance_siemens2=np.full(columns, 1e-24),
        signal_covariance_siemens2=np.zeros((rows, 1 + branches, 1 + branches)),
        wild_readings=np.zeros((rows, columns), dtype=np.int_),
        drift_ppm=0.0,
        reference_kelvin=296.15,
        kelvin_range=np.array([296.15, 296.15]),
        delay_seconds=5e-4,
    )


def drawn_siemens(random: np.random.Generator, rows: int, columns: int, branches: int = 10):
    """Draw branches (rows, columns, branches) over one decade, siemens."""
    nominal = 1e-5 / 10 ** (np.arange(branches) / branches)
    return nominal / random.uniform(0.9, 1.1, (rows, columns, branches))
