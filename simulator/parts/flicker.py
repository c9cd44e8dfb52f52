"""Noise whose power density falls as 1/f."""

from __future__ import annotations

import numpy as np

from simulator.arrays import Floats

TAUS_PER_DECADE = 2
MAX_TAU_SECONDS, TAU_DECADES = 1e5, 9
MIN_RATIO = 1e-2
"""Ratio of aperture to time constant below which a series replaces a difference of near-equals."""


class Flicker:
    """Independent processes of one-sided power density `S(f) = 1/f`, one for each channel.

    A sum of Ornstein-Uhlenbeck processes with time constants evenly spread over the decades, each
    of variance Δ = ln(10)/2 at two a decade: Σ 4Δτ/(1 + (2πfτ)²) → 1/f between the reciprocals of
    the longest and the shortest 2πτ (van der Ziel 1950). It holds to a few per cent from 10 µHz to
    1 kHz. A reading takes the mean of the process over the aperture. This mean is drawn jointly
    with the value at the aperture's end, exactly (Gillespie 1996).
    """

    def __init__(self, random: np.random.Generator, channels: int) -> None:
        self._random = random
        exponents = np.arange(TAU_DECADES * TAUS_PER_DECADE) / TAUS_PER_DECADE
        self._tau_seconds = MAX_TAU_SECONDS / 10.0**exponents
        self._sigma = np.sqrt(np.log(10) / TAUS_PER_DECADE)
        self._state = random.standard_normal((len(exponents), channels))
        self._seconds = 0.0

    def sample(self, seconds: Floats, aperture_seconds: float) -> Floats:
        """Return averages (n, channels) over apertures, s, centred on ascending times (n,), s.

        The apertures must not overlap one another, nor the last one of the call before.
        """
        ends = seconds + aperture_seconds / 2
        gaps = np.maximum(np.diff(ends, prepend=self._seconds) - aperture_seconds, 0.0)
        gap_decay = np.exp(-gaps[:, None] / self._tau_seconds)
        x = aperture_seconds / self._tau_seconds
        decay, mean = np.exp(-x), -np.expm1(-x) / x
        # Covariance of (end, mean over the aperture) given the value at the end of the last one.
        gap_variance = 1 - gap_decay**2
        end_variance = gap_variance * decay**2 - np.expm1(-2 * x)
        together = gap_variance * decay * mean + np.expm1(-x) ** 2 / x
        mean_variance = gap_variance * mean**2 + _mean_variance(x)
        end_sigma = np.sqrt(end_variance)
        slope = together / end_sigma
        # Given the ends, the means are independent: one draw stands for their sum.
        rest = np.sqrt(np.maximum(mean_variance - slope**2, 0.0).sum(axis=1))

        time_constants, channels = self._state.shape
        kicks = self._random.standard_normal((len(seconds), time_constants + 1, channels))
        first, last = kicks[:, :-1], kicks[:, -1]
        pushes = end_sigma[:, :, None] * first
        starts = np.empty_like(pushes)
        state = self._state
        for start, fades, push in zip(starts, gap_decay[:, :, None], pushes, strict=True):
            np.multiply(fades, state, out=start)
            state = decay[:, None] * start + push
        out = (mean[:, None] * starts + slope[:, :, None] * first).sum(axis=1)
        out += rest[:, None] * last
        self._state, self._seconds = state, float(ends[-1])
        return np.asarray(self._sigma * out)


def _mean_variance(x: Floats) -> Floats:
    """Return `(2x − 3 + 4e^(−x) − e^(−2x)) / x²`, the variance of a mean over x time constants.

    The mean is of an Ornstein-Uhlenbeck process whose start is given; the variance is in units of
    the process' own variance.
    """
    short = 2 * x / 3 - x**2 / 2 + 7 * x**3 / 30
    return np.where(x < MIN_RATIO, short, (2 * x - 3 + 4 * np.exp(-x) - np.exp(-2 * x)) / x**2)
