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

CONFIDENCE_LEVEL = 0.95


class Interval(NamedTuple):
    """Ends of a confidence interval."""

    low: float
    high: float


def relative_error_interval(
    squared_errors: NDArray[np.float64],
    squared_norms: NDArray[np.float64],
    confidence_level: float = CONFIDENCE_LEVEL,
) -> Interval | None:
    """Return the confidence interval of √(E a / E b) for vectors with squared errors a and squared
    norms b, both (vectors,).

    With r² = Σa / Σb and r²₍ᵥ₎ the same without vector v, the jackknife's standard error is
    s² = (N − 1)/N · Σᵥ (r²₍ᵥ₎ − mean)², and the interval, symmetric in log r as an error's bits
    are, r · exp(± t · s / 2r²) with t the quantile of Student's distribution of N − 1 degrees of
    freedom (Miller 1974, "The jackknife: a review"; Efron & Stein 1981: s errs on the large side).

    None where too few vectors tell: one alone, or one that alone has products that are not zero.
    """
    count = len(squared_errors)
    remaining_norms = squared_norms.sum() - squared_norms
    if count < 2 or not (remaining_norms > 0).all():
        return None
    ratio = squared_errors.sum() / squared_norms.sum()
    if ratio == 0:
        return Interval(0.0, 0.0)
    without = (squared_errors.sum() - squared_errors) / remaining_norms
    standard_error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    quantile = stdtrit(count - 1, (1 + confidence_level) / 2)
    with np.errstate(over="ignore"):
        factor = np.exp(quantile * standard_error / (2 * ratio))
    if not np.isfinite(factor):
        return None
    return Interval(float(np.sqrt(ratio) / factor), float(np.sqrt(ratio) * factor))
