"""Statistics of measured values; no board and no ohm here.

Read `measured_value.py` (a value with its standard uncertainty) and `robust.py` (outliers) first:
all other rooms use them. `nonnegative_line.py` and `variance_components.py` fit variances,
`allan.py` makes contrasts of a series of readings, `bits.py` states errors in bits.
"""

from calibration.statistics.allan import (
    THREE_SPANS,
    TWO_SPANS,
    contrast_weights,
    contrasts,
    flicker_square,
)
from calibration.statistics.bits import MAX_BITS, as_bits, as_finite_bits
from calibration.statistics.measured_value import MeasuredValue
from calibration.statistics.nonnegative_line import fit_nonnegative_line
from calibration.statistics.robust import (
    MEDIAN_OF_CHI_SQUARED,
    OUTLIER_SIGMAS,
    finite_median,
    robust_mean,
    variance_ratio,
)
from calibration.statistics.variance_components import MeanSquare, fit_components, project

__all__ = [
    "MAX_BITS",
    "MEDIAN_OF_CHI_SQUARED",
    "OUTLIER_SIGMAS",
    "THREE_SPANS",
    "TWO_SPANS",
    "MeanSquare",
    "MeasuredValue",
    "as_bits",
    "as_finite_bits",
    "contrast_weights",
    "contrasts",
    "finite_median",
    "fit_components",
    "fit_nonnegative_line",
    "flicker_square",
    "project",
    "robust_mean",
    "variance_ratio",
]
