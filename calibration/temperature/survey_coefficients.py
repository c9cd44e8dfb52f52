"""Temperature coefficients, as far as the change of temperature during a survey tells them.

A gain that is common to the board, one of each column beside it, and one of each branch: products
feel the first as an error of their scale, the others as errors of their own. Only mean squares are
found of the last two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.statistics import MeasuredValue

CLASS_PER_KELVIN = 500e-6
"""Standard deviation of what is supposed of the common coefficient before anything is measured:
film resistors of any class.
"""
CLASS_BRANCH_PER_KELVIN, CLASS_COLUMN_PER_KELVIN = 50e-6, 10e-6
"""How thick film resistors of one lot, and amplifiers with their feedback resistors, keep track."""
CLASS_SHARE = 0.5
"""Of the common coefficient: how resistors of one lot keep track if it is larger than usual."""
CHANGE_KELVIN = 2.0**-7 / 6**0.5
"""Standard uncertainty of a change of temperature by a digital sensor with a resolution of 1/128 K
(the class of TMP117). What the sensor is off by otherwise cancels.
"""


MIN_PER_KELVIN = 1e-6
"""No board is more constant."""
MIN_CHANGE_RATIO = 10.0
"""Times CHANGE_KELVIN: what a sensor must move by to tell what a kelvin does."""


@dataclass(frozen=True)
class Warming:
    """Temperature during a survey, and what it does."""

    kelvin: float
    """Mean."""
    kelvin_per_second: MeasuredValue
    wander: float
    """K²/s: mean of the squared changes between readings of the sensor, over the time between: how
    fast the temperature's variance grows.
    """
    gain_per_kelvin: MeasuredValue
    """Relative, of all columns together."""
    column_square: MeasuredValue
    """1/K²: mean square of what the coefficients of the columns' amplifiers and ADCs are off that.
    """
    branch_square: MeasuredValue
    """1/K²: the same of the branches."""


def wander(seconds: Floats, kelvin: Floats) -> float:
    """Return how fast the variance of the temperature grows, K²/s, from readings of the sensor
    (readings,) at ascending times; a random walk is supposed, and a reading's own error taken off.
    """
    passed, changes = np.diff(seconds), np.diff(kelvin)
    apart = passed > 0
    if not apart.any():
        return 0.0
    squares = np.maximum(changes[apart] ** 2 - CHANGE_KELVIN**2, 0.0)
    return float((squares / passed[apart]).mean())


def prior_deviation(drift: float, span_kelvin: float) -> float:
    """Return the standard deviation of what is supposed of the common coefficient, from what a
    board was seen to drift by (relative, peak to peak) while its sensor moved by `span_kelvin`.

    CLASS_PER_KELVIN at most, and where the sensor hardly moved.
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
    """Return the coefficient by which a gain has changed, as a logarithm uncertain by `noise`.

    Least squares with what is supposed before, 0 ± `prior_per_kelvin`: all that is known where
    the temperature has not changed.
    """
    change, error = change_kelvin.value, change_kelvin.uncertainty
    size = prior_per_kelvin  # what an error of the temperature is multiplied by: found in turn
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
    """Return the mean square of coefficients (n,) by which values have changed, each uncertain by
    `noise` (n,), 1/K².

    The mean of what the changes say and of what is supposed, a square as uncertain as it is large,
    weighted by their uncertainties: where the temperature has hardly changed, the latter is left.
    """
    supposed = prior_per_kelvin**2
    error = change_kelvin.uncertainty**2
    square = change_kelvin.value**2 + error
    seen = float((changes**2 - noise**2).mean()) / square
    of_noise = float((noise**2).mean()) / square
    # The error of the change of temperature is common to all.
    common = 4 * (error / square) * (1 - error / square / 2)
    value = supposed
    for _ in range(3):
        size = max(value, supposed)
        variance = 2 / len(changes) * (size + of_noise) ** 2 + common * size**2
        information = 1 / variance + 1 / supposed**2
        value = (seen / variance + 1 / supposed) / information
    return MeasuredValue(value, information**-0.5)
