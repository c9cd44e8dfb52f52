"""Noise whose power density falls as 1/f."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PER_DECADE = 2
LONGEST_SECONDS, DECADES = 1e5, 9


class Flicker:
    """Independent processes of power density `S(f) = 1/f` (one-sided), one for each channel.

    A sum of Ornstein-Uhlenbeck processes with time constants evenly spread over the decades, each
    of variance Δ = ln(10)/2 at two a decade: Σ 4Δτ/(1 + (2πfτ)²) → 1/f between the reciprocals of
    the longest and the shortest 2πτ (van der Ziel 1950). It holds to a few per cent from 10 µHz to
    1 kHz. An aperture T averages each process by the factor r = 2(x − 1 + e^(−x))/x², x = T/τ.
    """

    def __init__(self, random: np.random.Generator, channels: int) -> None:
        self._random = random
        exponents = np.arange(DECADES * PER_DECADE) / PER_DECADE
        self._tau_seconds = (LONGEST_SECONDS / 10.0**exponents)[:, None]
        self._sigma = np.sqrt(np.log(10) / PER_DECADE)
        self._state = random.standard_normal((len(exponents), channels))
        self._seconds = 0.0

    def sample(self, seconds: NDArray[np.float64], aperture_seconds: float) -> NDArray[np.float64]:
        """Return averages (n, channels) over apertures centred on ascending times (n,).

        Times are those of the clock, never before those of the last call.
        """
        ratio = aperture_seconds / self._tau_seconds
        averaging = np.sqrt(2 * (ratio + np.expm1(-ratio))) / ratio
        kicks = self._random.standard_normal((len(seconds), *self._state.shape))
        out = np.empty((len(seconds), self._state.shape[1]))
        for index, now in enumerate(seconds):
            decay = np.exp(-(now - self._seconds) / self._tau_seconds)
            self._state = decay * self._state + np.sqrt(1 - decay**2) * kicks[index]
            self._seconds = float(now)
            out[index] = (averaging * self._state).sum(axis=0)
        return np.asarray(self._sigma * out)
