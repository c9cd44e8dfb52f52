"""Confidence interval of a relative error, whose sampling unit is the input vector.

The weights of one board have fixed errors, so their contribution is common to all vectors, and the
outputs of one vector share its inputs. Single errors are therefore not independent observations;
vectors are, if they were drawn independently. The population is that of the input vectors, for the
programmed board in its present state: nothing is stated of other boards or of later days.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from calibration.arrays import Floats

CONFIDENCE_LEVEL = 0.95
MIN_EFFECTIVE_VECTORS = 4.0
"""Minimum number of vectors that effectively decide both sums: with fewer no interval is stated."""
ALIKE_DECIMALS = 6
"""Vectors whose elements agree to so many decimals of their largest one are the same: 1e-6 is a
sixteenth of the step of a DAC of 16 bits.
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
    """Return the confidence interval of √(E a / E b) for squared errors a and squared norms b.

    Both are (vectors,), of independent vectors. With r² = Σa / Σb and r²₍ᵥ₎ the same without vector
    v, the jackknife's standard error is s² = (N − 1)/N · Σᵥ (r²₍ᵥ₎ − mean)². The interval,
    symmetric in log r as an error's bits are, is r · exp(± t · s / 2r²) with t the quantile of
    Student's distribution (Miller 1974, "The jackknife: a review"; Efron & Stein 1981: s errs on
    the large side). Its degrees of freedom are the number of vectors that effectively decide
    (`effective_vectors`), less one: N − 1 where all vectors are alike in size.

    Returns None where fewer than MIN_EFFECTIVE_VECTORS decide: their scatter does not tell that of
    others.
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
    """Return how many of the vectors effectively decide Σa and Σb, both of (vectors,).

    It is the lesser of (Σa)²/Σa² and (Σb)²/Σb² (Kish 1965): N where all are of one size, and 1
    where one outweighs the rest. Errors that are all zero decide nothing and are not considered.
    """
    numbers = []
    for squares in (squared_errors, squared_norms):
        largest = squares.max(initial=0.0)
        if largest > 0:
            shares = squares / largest
            numbers.append(float(shares.sum() ** 2 / (shares**2).sum()))
        elif squares is squared_norms:
            return 0.0
    return min(numbers)


def independent(inputs: Floats) -> NDArray[np.intp]:
    """Return the index of the observation that each vector belongs to, (vectors,).

    `inputs` are (vectors, rows). A repeated vector is no second observation, nor is a multiple of
    it: the errors of the weights affect all vectors of one direction alike. A single row has only
    one direction; its vectors differ by their size.
    """
    if inputs.shape[1] > 1:
        at = np.abs(inputs).argmax(axis=1)[:, None]
        largest = np.take_along_axis(inputs, at, axis=1)  # with its sign
    else:
        largest = np.full((len(inputs), 1), np.abs(inputs).max(initial=0.0))
    directions = np.round(inputs / np.where(largest == 0, 1.0, largest), ALIKE_DECIMALS)
    return np.unique(directions + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
