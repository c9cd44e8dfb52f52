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
    return BranchCalibration(
        branch_siemens=np.where(ok, branch_siemens, 0.0),
        uncertainty_siemens=np.where(ok, 1e-12, 0.0),
        open_siemens=np.zeros(branch_siemens.shape[:2]) if open_siemens is None else open_siemens,
        status=np.where(ok, BranchStatus.OK, BranchStatus.OPEN).astype(np.int8),
        readings=0,
        range_amperes=3e-5,
        row_volts=15 / 16,
    )


def drawn_siemens(random: np.random.Generator, rows: int, columns: int, branches: int = 10):
    """Draw branches (rows, columns, branches) over one decade, siemens."""
    nominal = 1e-5 / 10 ** (np.arange(branches) / branches)
    return nominal / random.uniform(0.9, 1.1, (rows, columns, branches))
