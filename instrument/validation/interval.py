"""A confidence interval for a relative error whose sampling unit is the input vector.

The weights of one board are wrong once and for all, so what they contribute is common to all
vectors, and the outputs of one vector share its inputs. Single errors are therefore not independent
observations; vectors are, if they were drawn independently. So the population is that of the input
vectors, the board being the one that is programmed, in the state that it is in: nothing is said of
other boards or of later days.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from calibration.arrays import Floats

CONFIDENCE_LEVEL = 0.95
MIN_EFFECTIVE_VECTORS = 4.0
"""Vectors that must effectively decide both sums: with fewer no interval is stated."""
ALIKE_DECIMALS = 6
"""Vectors whose elements agree to so many decimals of their largest one are one: a sixteenth of the
step of a DAC of 16 bits.
"""


class Interval(NamedTuple):
    """Ends of a confidence interval."""

    low: float
    high: float


def relative_error_interval(
    squared_errors: Floats,
    squared_norms: Floats,
    confidence_level: float = CONFIDENCE_LEVEL,
) -> Interval | None:
    """Return the confidence interval of √(E a / E b) for independent vectors with squared errors a
    and squared norms b, both (vectors,).

    With r² = Σa / Σb and r²₍ᵥ₎ the same without vector v, the jackknife's standard error is
    s² = (N − 1)/N · Σᵥ (r²₍ᵥ₎ − mean)², and the interval, symmetric in log r as an error's bits
    are, r · exp(± t · s / 2r²) with t the quantile of Student's distribution (Miller 1974, "The
    jackknife: a review"; Efron & Stein 1981: s errs on the large side). Its degrees of freedom are
    those of as many vectors as effectively decide (`effective_vectors`), less one: N − 1 where all
    vectors are alike in size.

    None where fewer than MIN_EFFECTIVE_VECTORS decide: no scatter of these tells that of others.
    """
    count = len(squared_errors)
    effective = effective_vectors(squared_errors, squared_norms)
    if effective < MIN_EFFECTIVE_VECTORS:
        return None
    ratio = squared_errors.sum() / squared_norms.sum()
    if ratio == 0:
        return Interval(0.0, 0.0)
    without = (squared_errors.sum() - squared_errors) / (squared_norms.sum() - squared_norms)
    standard_error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    quantile = stdtrit(effective - 1, (1 + confidence_level) / 2)
    factor = np.exp(quantile * standard_error / (2 * ratio))
    return Interval(float(np.sqrt(ratio) / factor), float(np.sqrt(ratio) * factor))


def effective_vectors(squared_errors: Floats, squared_norms: Floats) -> float:
    """Return how many vectors (vectors,) effectively decide Σa and Σb: the lesser of (Σa)²/Σa² and
    (Σb)²/Σb² (Kish 1965). It is N where all are of one size and 1 where one outweighs the rest;
    errors that are all zero decide nothing and are passed over.
    """
    found = []
    for squares in (squared_errors, squared_norms):
        largest = squares.max(initial=0.0)
        if largest > 0:
            shares = squares / largest
            found.append(float(shares.sum() ** 2 / (shares**2).sum()))
        elif squares is squared_norms:
            return 0.0
    return min(found)


def independent(inputs: Floats) -> NDArray[np.intp]:
    """Return which observation each of some vectors (vectors, rows) belongs to, (vectors,).

    The same vector again is no second observation, nor is a multiple of it: the errors of the
    weights answer all of one direction alike. Of one row there is but one direction, and vectors
    of different size are what can differ.
    """
    if inputs.shape[1] > 1:
        at = np.abs(inputs).argmax(axis=1)[:, None]
        largest = np.take_along_axis(inputs, at, axis=1)  # with its sign
    else:
        largest = np.full((len(inputs), 1), np.abs(inputs).max(initial=0.0))
    directions = np.round(inputs / np.where(largest == 0, 1.0, largest), ALIKE_DECIMALS)
    return np.unique(directions + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
