"""The noise of a reading, as two numbers, as far as it is needed to plan a measurement.

One number grows with the range, the other with the signal. Before the first reading both are those
of the parts' classes; a third of a second of readings then gives those of the board. This comes
before characterization. The noise survey (`calibration.noise`), which separates the causes, comes
after it, because it closes patterns of known branches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.crossbar import NO_BRANCH, Crossbar

CLASS_APERTURE_SECONDS = 20e-3
"""The aperture for which ReadingNoise states its classes."""
PAIRS = 4
"""Readings of each polarity with which the noise is measured."""
MEDIAN_OF_MEAN_SQUARE = 0.7887
"""Median of χ²/3 with three degrees of freedom, PAIRS − 1, whose mean is 1."""
MIN_RANGE_FRACTION = 1.05 * 2.0**-23 / 12**0.5
"""Standard deviation of rounding to 2^24 steps over ±1.05 ranges."""


@dataclass(frozen=True)
class ReadingNoise:
    """Standard deviations of a reading; by default those of the parts' classes at 20 ms."""

    range_fraction: float = 3.0e-7
    """Over the range, whatever the signal. 24-bit Σ-Δ class (AD7177-2): 20 noise-free bits, each
    6.6 standard deviations wide, of ±1.05 ranges at one line cycle.
    """
    signal_fraction: float = 5e-7
    """Over the signal. nanoDAC class (AD5676R): 100 nV/√Hz on 1 V at one line cycle."""

    def variance(self, amperes: Floats, range_amperes: float) -> Floats:
        """Return the variance, ampere², of readings of the currents `amperes` in a range."""
        additive = (self.range_fraction * range_amperes) ** 2
        return np.asarray(additive + (self.signal_fraction * amperes) ** 2)

    def at_aperture(self, aperture_seconds: float) -> ReadingNoise:
        """Return the classes' noise at another aperture; it is white."""
        longer = float(np.sqrt(CLASS_APERTURE_SECONDS / aperture_seconds))
        return replace(
            self,
            range_fraction=self.range_fraction * longer,
            signal_fraction=self.signal_fraction * longer,
        )


def measure_reading_noise(
    board: Crossbar, row: int, branch: int, columns: Bools, volts: float
) -> ReadingNoise:
    """Measure the noise of readings without and with a signal (type A).

    Four readings of each polarity are taken of a branch that works in the `columns` (columns,), and
    of its row with every switch open.
    """
    amperes = board.scan(
        np.full(4 * PAIRS, row),
        np.tile([NO_BRANCH, NO_BRANCH, branch, branch], PAIRS),
        np.tile([volts, -volts], 2 * PAIRS),
    )[:, 0, columns].reshape(PAIRS, 4, -1)
    variance = np.nanmean(np.nanmedian(amperes.var(axis=0, ddof=1), axis=1).reshape(2, 2), axis=1)
    quiet, loud = variance / MEDIAN_OF_MEAN_SQUARE
    signal = float(np.nanmedian(np.abs(amperes[:, 2:])))
    return ReadingNoise(
        range_fraction=max(float(np.sqrt(quiet)) / board.range_amperes, MIN_RANGE_FRACTION),
        signal_fraction=float(np.sqrt(max(loud - quiet, 0.0))) / signal,
    )
