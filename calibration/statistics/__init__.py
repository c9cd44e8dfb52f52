"""Estimators that know neither boards nor ohms."""

from calibration.statistics.allan import (
    THREE_SPANS,
    TWO_SPANS,
    contrast_weights,
    contrasts,
    flicker_square,
)
from calibration.statistics.bits import MAX_BITS, as_bits, as_finite_bits
from calibration.statistics.measured_value import MeasuredValue
from calibration.statistics.nonnegative_line import line_upwards
from calibration.statistics.robust import (
    MEDIAN_OF_CHI_SQUARED,
    SURPRISE,
    column_median,
    robust_mean,
)
from calibration.statistics.variance_components import MeanSquare, fit_components, project

__all__ = [
    "MAX_BITS",
    "MEDIAN_OF_CHI_SQUARED",
    "SURPRISE",
    "THREE_SPANS",
    "TWO_SPANS",
    "MeanSquare",
    "MeasuredValue",
    "as_bits",
    "as_finite_bits",
    "column_median",
    "contrast_weights",
    "contrasts",
    "fit_components",
    "flicker_square",
    "line_upwards",
    "project",
    "robust_mean",
]
