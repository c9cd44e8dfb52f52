"""Contrasts of a series of readings, and what white and 1/f noise are expected to make of them.

A contrast is a difference between neighbouring spans of m readings each: of two spans, whose mean
square is m times the Allan variance (D. W. Allan, Proc. IEEE 54, 1966), or of three, weighted
1, −2, 1, which a steady drift leaves at zero (the Hadamard variance; W. J. Riley, NIST SP 1065,
2008). Scaled so that the squares of their weights add up to one, all contrasts of white noise have
the variance of a single reading; noise whose density rises towards low frequencies shows in those
of long spans. Contrasts do not overlap, so those of white noise are independent.
"""

from __future__ import annotations

import numpy as np

from calibration.arrays import Floats

TWO_SPANS, THREE_SPANS = (1.0, -1.0), (1.0, -2.0, 1.0)


def contrast_weights(span: int, spans: tuple[float, ...]) -> Floats:
    """Return the weights (readings,) of one contrast of spans of `span` readings."""
    weights = np.repeat(spans, span)
    return np.asarray(weights / np.linalg.norm(weights))


def contrasts(series: Floats, span: int, spans: tuple[float, ...]) -> Floats:
    """Return the contrasts (contrasts, columns) of a series (readings, columns); a rest that fills
    none is left out.
    """
    weights = contrast_weights(span, spans)
    count = len(series) // len(weights)
    blocks = series[: count * len(weights)].reshape(count, len(weights), -1)
    return np.asarray(weights @ blocks)


def flicker_square(weights: Floats, period_seconds: float, aperture_seconds: float) -> float:
    """Return the mean square of Σ wₙ·xₙ, x of one-sided density 1/f (1 at 1 Hz).

    xₙ are means over apertures, one every period; the weights (readings,) add up to zero. At a
    distance L such noise has the covariance −ln L, but for a constant that the weights cancel; its
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
