"""Contrasts of a series of readings, and their mean square under white and under 1/f noise.

A contrast is a difference between neighbouring spans of m readings each. Of two spans, its mean
square is m times the Allan variance (D. W. Allan, Proc. IEEE 54, 1966). Three spans weighted 1, −2,
1 cancel a steady drift (the Hadamard variance; W. J. Riley, NIST SP 1065, 2008). The squares of the
weights add up to 1, so all contrasts of white noise have the variance of one reading; noise whose
density rises towards low frequencies shows in contrasts of long spans. Contrasts do not overlap, so
those of white noise are independent.
"""

from __future__ import annotations

import numpy as np

from calibration.arrays import Floats

TWO_SPANS, THREE_SPANS = (1.0, -1.0), (1.0, -2.0, 1.0)
"""Signs of the spans of a contrast: a difference, and a second difference."""


def contrast_weights(span: int, spans: tuple[float, ...]) -> Floats:
    """Return the weights (readings,) of one contrast of spans of `span` readings."""
    weights = np.repeat(spans, span)
    return np.asarray(weights / np.linalg.norm(weights))


def contrasts(series: Floats, span: int, spans: tuple[float, ...]) -> Floats:
    """Return the contrasts (contrasts, columns) of a series (readings, columns).

    Readings at the end that fill no contrast are left out.
    """
    weights = contrast_weights(span, spans)
    count = len(series) // len(weights)
    blocks = series[: count * len(weights)].reshape(count, len(weights), -1)
    return np.asarray(weights @ blocks)


def flicker_square(weights: Floats, period_seconds: float, aperture_seconds: float) -> float:
    """Return the mean square of Σ wₙ·xₙ, x of one-sided density 1/f (1 at 1 Hz).

    xₙ are means over apertures, one every period; the weights (readings,) add up to zero. At a
    distance L such noise has the covariance −ln L, up to a constant that the weights cancel. Its
    mean over two apertures is the second difference of −L²(ln L − 3/2)/2 over the aperture squared.
    """

    def antiderivative(seconds: Floats) -> Floats:
        return np.asarray(-(seconds**2) * (np.log(np.maximum(seconds, 1e-300)) / 2 - 0.75))

    lags = period_seconds * np.arange(len(weights), dtype=np.float64)
    later, earlier = lags + aperture_seconds, np.abs(lags - aperture_seconds)
    second_difference = antiderivative(later) - 2 * antiderivative(lags) + antiderivative(earlier)
    covariance = second_difference / aperture_seconds**2
    products = np.correlate(weights, weights, "full")[len(weights) - 1 :]
    products[1:] *= 2
    return float(products @ covariance)
