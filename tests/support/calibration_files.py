"""Calibrations that no board was measured for."""

from datetime import UTC, datetime

import numpy as np

from calibration.branches.characterization import BranchCalibration
from instrument.board_calibration.record import BoardIdentity, Calibration
from tests.support.branch_calibrations import (
    coefficients_of,
    converters_of,
    ranges_of,
    settle_time_of,
    survey_of,
)


def made_up_calibration(seed: int = 1, shape: tuple[int, int, int] = (3, 4, 5)) -> Calibration:
    """Make one up; `shape` is (rows, columns, branches)."""
    rng = np.random.default_rng(seed)
    return Calibration(
        board=BoardIdentity("bench model", "S1", *shape),
        branches=BranchCalibration(
            branch_siemens=rng.uniform(1e-6, 1e-5, shape),
            uncertainty_siemens=rng.uniform(1e-12, 1e-11, shape),
            open_siemens=rng.uniform(0, 1e-9, shape[:2]),
            status=rng.integers(0, 4, shape).astype(np.int8),
            readings=1234,
            range_amperes=3e-5,
            row_volts=0.9375,
            design="one at a time",
            groups=np.concatenate([np.zeros((1, shape[2]), bool), np.eye(shape[2], dtype=bool)]),
            noise_covariance=np.broadcast_to(
                np.eye(1 + shape[2]), (shape[0], 1 + shape[2], 1 + shape[2])
            ),
            noise_variance_siemens2=np.full(shape[1], 1e-24),
            signal_covariance_siemens2=np.zeros((shape[0], 1 + shape[2], 1 + shape[2])),
            drift_covariance=np.zeros((shape[0], shape[0])),
            wild_readings=np.zeros((shape[0], shape[1]), dtype=np.int_),
            drift_ppm=0.0,
            reference_kelvin=296.15,
            reference_seconds=30.0,
            kelvin_range=np.array([296.15, 296.15]),
            delay_seconds=5e-4,
        ),
        converters=converters_of(*shape[:2], seed=seed),
        ranges=ranges_of(shape[1]),
        noise=survey_of(),
        settling=settle_time_of(),
        temperature=coefficients_of(shape, seed),
        nominal_ohms=np.full(shape[2], 3e5),
        bytes_moved=99,
        bench_seconds=1.5,
        converter_seconds=0.5,
        board_kelvin=296.2,
        wall_seconds=0.25,
        made_at=datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC),
        versions={"ohmsum": "0.1.0", "firmware": "1.0"},
    )
