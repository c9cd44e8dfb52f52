"""Calibrations made up for tests."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from calibration.branches.characterization import BranchCalibration, BranchStatus
from calibration.branches.settle_time import SettleTime
from calibration.converters.curves import Curves
from calibration.converters.measure import Converters
from calibration.converters.offsets import Offsets
from calibration.converters.range_gains import RangeGains
from calibration.noise.readings import Settings
from calibration.noise.settling import Settling
from calibration.noise.survey import NoiseSurvey
from calibration.statistics.measured_value import MeasuredValue
from calibration.temperature.branch_coefficients import Coefficients
from calibration.temperature.survey_coefficients import Warming


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
        drift_covariance=np.zeros((rows, rows)),
        wild_readings=np.zeros((rows, columns), dtype=np.int_),
        drift_ppm=0.0,
        reference_kelvin=296.15,
        reference_seconds=30.0,
        kelvin_range=np.array([296.15, 296.15]),
        delay_seconds=5e-4,
    )


def drawn_siemens(random: np.random.Generator, rows: int, columns: int, branches: int = 10):
    """Draw branches (rows, columns, branches) over one decade, siemens."""
    nominal = 1e-5 / 10 ** (np.arange(branches) / branches)
    return nominal / random.uniform(0.9, 1.1, (rows, columns, branches))


def converters_of(rows: int, columns: int, seed: int = 1) -> Converters:
    """Return converters that all work, with curves of some steps."""
    random = np.random.default_rng(seed)

    def curves(channels: int, size: float, line_end: float) -> Curves:
        return Curves(
            coefficients=size * random.standard_normal((channels, 4)),
            covariance=np.broadcast_to((size / 100) ** 2 * np.eye(4), (channels, 4, 4)),
            full_scale=1.0,
            line_end=line_end,
        )

    return Converters(
        rows=curves(rows, 2e-5, 15 / 16),
        columns=curves(columns, 1e-6, 0.85),
        offsets=Offsets(
            row_volts=1e-3 * random.standard_normal(rows),
            row_uncertainty_volts=np.full(rows, 3e-7),
            column_volts=5e-6 * random.standard_normal(columns),
            column_uncertainty_volts=np.full(columns, 2e-7),
            zero_amperes=1e-12 * random.standard_normal(columns),
            zero_uncertainty_amperes=np.full(columns, 1e-11),
        ),
        row_status=np.zeros(rows, np.int8),
        column_status=np.zeros(columns, np.int8),
        readings=3328,
        left_out=0,
        range_amperes=1e-4,
    )


def ranges_of(columns: int) -> RangeGains:
    """Return gains of four ranges, the second of which is the reference."""
    ranges = np.array([1e-5, 3e-5, 1e-4, 3e-4])
    return RangeGains(
        ranges_amperes=ranges,
        factors=1 + np.array([[0.0], [0.0], [1e-3], [-5e-4]]) * np.ones(columns),
        uncertainty=np.array([[1e-3], [0.0], [5e-7], [8e-7]]) * np.ones(columns),
        readings=512,
    )


def survey_of() -> NoiseSurvey:
    """Return a survey with a number of its own everywhere."""
    names = [field.name for field in fields(NoiseSurvey) if field.type == "MeasuredValue"]
    settings = Settings(
        range_amperes=1e-3, aperture_seconds=20e-3, delay_seconds=1e-3, line_hertz=50.0
    )
    kelvin = Warming(
        kelvin=296.2,
        kelvin_per_second=MeasuredValue(1e-3, 1e-4),
        wander=8e-4,
        gain_per_kelvin=MeasuredValue(-1e-4, 1e-5),
        column_square=MeasuredValue(3e-11, 1e-11),
        branch_square=MeasuredValue(9e-10, 3e-10),
    )
    settling = Settling(
        at_once=MeasuredValue(2.5e-3, 1e-7),
        seconds=MeasuredValue(50e-6, 1e-8),
        left=MeasuredValue(5e-12, 1e-14),
        left_seen=MeasuredValue(2e-8, 8e-8),
    )
    estimates = {name: MeasuredValue(1e-14 * k, 1e-15 * k) for k, name in enumerate(names, start=1)}
    estimates["line_hertz"] = MeasuredValue(50.02, 1e-3)
    return NoiseSurvey(
        settings=settings,
        settling=settling,
        warming=kelvin,
        readings=698,
        columns=32,
        **estimates,
    )


def settle_time_of() -> SettleTime:
    """Return a settling time that is long enough."""
    return SettleTime(6e-4, "auto", 6e-4, 5e-5, 2e-7)


def coefficients_of(shape, seed=1):
    """Return temperature coefficients of branches of a shape."""
    random = np.random.default_rng(seed)
    return Coefficients(
        per_kelvin=random.normal(-1e-4, 3e-5, shape),
        uncertainty_per_kelvin=random.uniform(3e-6, 1e-5, shape),
        common_per_kelvin=MeasuredValue(-1e-4, 2e-6),
        own_per_kelvin=3e-5,
    )
