"""Temperature coefficients, as far as the change of temperature during a survey shows them.

There is a gain common to the board, one of each column beside it, and one of each branch. Products
see the first as an error of their scale, the others as errors of their own. Only mean squares are
found of the last two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.statistics import MeasuredValue

CLASS_PER_KELVIN = 500e-6
"""Prior standard deviation of the common coefficient: film resistors of any class."""
CLASS_BRANCH_PER_KELVIN, CLASS_COLUMN_PER_KELVIN = 50e-6, 10e-6
"""Tracking of thick film resistors of one lot, and of amplifiers with their feedback resistors."""
CLASS_SHARE = 0.5
"""Tracking of resistors of one lot over their common coefficient, if that is larger than usual."""
CHANGE_KELVIN = 2.0**-7 / 6**0.5
"""Standard uncertainty of a change of temperature by a digital sensor with a resolution of 1/128 K
(the class of TMP117). Other errors of the sensor cancel.
"""


MIN_PER_KELVIN = 1e-6
"""Minimum prior standard deviation of the common coefficient."""
MIN_CHANGE_RATIO = 10.0
"""Over CHANGE_KELVIN: minimum change of the sensor that shows an effect of temperature."""


@dataclass(frozen=True)
class Warming:
    """The temperature during a survey, and its effect."""

    kelvin: float
    """Mean."""
    kelvin_per_second: MeasuredValue
    wander: float
    """K²/s: growth rate of the temperature's variance, the mean of squared changes between readings
    of the sensor over the time between.
    """
    gain_per_kelvin: MeasuredValue
    """Relative, of all columns together."""
    column_square: MeasuredValue
    """1/K²: mean square of the deviation of the columns' coefficients, of amplifiers and ADCs, from
    that.
    """
    branch_square: MeasuredValue
    """1/K²: the same of the branches."""


def wander(seconds: Floats, kelvin: Floats) -> float:
    """Return the growth rate of the temperature's variance, K²/s.

    It comes from readings of the sensor (readings,) at ascending times. A random walk is assumed,
    and the error of a reading is subtracted.
    """
    passed, changes = np.diff(seconds), np.diff(kelvin)
    apart = passed > 0
    if not apart.any():
        return 0.0
    squares = np.maximum(changes[apart] ** 2 - CHANGE_KELVIN**2, 0.0)
    return float((squares / passed[apart]).mean())


def prior_deviation(drift: float, span_kelvin: float) -> float:
    """Return the prior standard deviation of the common coefficient.

    `drift` is the observed drift of a board, relative and peak to peak, while its sensor moved by
    `span_kelvin`. The result is at most CLASS_PER_KELVIN, and equals it where the sensor hardly
    moved.
    """
    if span_kelvin < MIN_CHANGE_RATIO * CHANGE_KELVIN:
        return CLASS_PER_KELVIN
    return min(CLASS_PER_KELVIN, max(MIN_PER_KELVIN, drift / span_kelvin))


def common_coefficient(
    log_ratio: float,
    noise: float,
    change_kelvin: MeasuredValue,
    prior_per_kelvin: float = CLASS_PER_KELVIN,
) -> MeasuredValue:
    """Return the coefficient by which a gain has changed.

    `log_ratio` is the logarithm of the change, uncertain by `noise`. Least squares with the prior 0
    ± `prior_per_kelvin`, which alone is left where the temperature has not changed.
    """
    change, error = change_kelvin.value, change_kelvin.uncertainty
    size = prior_per_kelvin  # factor of an error of the temperature, iterated
    value = uncertainty = 0.0
    for _ in range(3):
        square = noise**2 + (size * error) ** 2
        information = change**2 / square + prior_per_kelvin**-2
        value, uncertainty = log_ratio * change / square / information, information**-0.5
        size = float(np.hypot(value, uncertainty))
    return MeasuredValue(value, uncertainty)


def square_coefficient(
    changes: Floats, noise: Floats, change_kelvin: MeasuredValue, prior_per_kelvin: float
) -> MeasuredValue:
    """Return the mean square of coefficients (n,), 1/K², from relative changes of values.

    Each of `changes` (n,) is uncertain by `noise` (n,). The result is the mean of the observed
    square and of its prior, which is as uncertain as it is large, weighted by their uncertainties.
    Where the temperature has hardly changed, only the prior is left.
    """
    prior_square = prior_per_kelvin**2
    error = change_kelvin.uncertainty**2
    square = change_kelvin.value**2 + error
    observed = float((changes**2 - noise**2).mean()) / square
    of_noise = float((noise**2).mean()) / square
    # The error of the change of temperature is common to all coefficients.
    common = 4 * (error / square) * (1 - error / square / 2)
    value = prior_square
    for _ in range(3):
        size = max(value, prior_square)
        variance = 2 / len(changes) * (size + of_noise) ** 2 + common * size**2
        information = 1 / variance + 1 / prior_square**2
        value = (observed / variance + 1 / prior_square) / information
    return MeasuredValue(value, information**-0.5)
