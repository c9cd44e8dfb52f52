"""Pickup of the power line, found in readings whose apertures do not reject it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.statistics import MeasuredValue

ROUNDS = 6
"""Iterations of the fit."""
LINE_TOLERANCE = 0.01
"""A power line keeps its nominal frequency within ±1 % (EN 50160, for 99.5 % of a year)."""


@dataclass(frozen=True)
class Line:
    """A sine of one frequency, with an amplitude and a phase of each column."""

    hertz: MeasuredValue
    square: MeasuredValue
    """Square of the amplitude, mean over the columns, in the square of the readings' unit."""


def fit_line(
    readings: Floats, period_seconds: float, aperture_seconds: float, nominal_hertz: float
) -> Line:
    """Fit a sine to readings (readings, columns), one every period.

    Least squares with an offset, an amplitude and a phase for each column and one frequency,
    iterated (the four-parameter fit of IEEE 1057). The prior of the frequency is nominal ± 1 %. The
    amplitude is that in front of the aperture, which passes sinc(f·T) of it. Its square has the
    noise subtracted: without pickup it may be below zero.
    """
    count = len(readings)
    seconds = period_seconds * (np.arange(count) - (count - 1) / 2)
    prior_variance = (nominal_hertz * LINE_TOLERANCE) ** 2 / 3
    hertz, variance = nominal_hertz, prior_variance
    for _ in range(ROUNDS):
        turns = 2 * np.pi * hertz * seconds[:, None]
        waves = np.concatenate([np.ones_like(turns), np.cos(turns), np.sin(turns)], axis=1)
        coefficients = np.linalg.pinv(waves) @ readings
        left = readings - waves @ coefficients
        _, cosines, sines = coefficients
        noise = left.T @ left / (count - 4)
        weight = 1 / np.maximum(np.diag(noise), np.finfo(np.float64).tiny)
        # Amplitudes that are only noise hold no information about the frequency.
        squares = (cosines**2 + sines**2) * weight
        doubt = 4 / count * (len(weight) + 2 * np.sqrt(weight @ noise**2 @ weight))
        share = max(0.0, 1 - float(doubt / max(squares.sum(), 1e-300)))
        slope = 2 * np.pi * seconds[:, None] * (sines * np.cos(turns) - cosines * np.sin(turns))
        pulls = share * slope * weight
        information = share * 2 * np.pi**2 * (seconds**2).sum() * float(squares.sum())
        variance = 1 / (information + 1 / prior_variance)
        hertz += variance * (float((pulls * left).sum()) + (nominal_hertz - hertz) / prior_variance)
    # Noise of the DACs is common to the columns and does not average over them.
    common = float(np.einsum("nj,jk,nk->", pulls, noise, pulls))
    passed = float(np.sinc(hertz * aperture_seconds)) ** 2
    of_amplitudes = cosines @ noise @ cosines + sines @ noise @ sines
    alone = (4 / count) ** 2 * (noise**2).sum()
    square_variance = max(8 / count * of_amplitudes - alone, alone)
    return Line(
        hertz=MeasuredValue(float(hertz), variance * float(np.sqrt(common + 1 / prior_variance))),
        square=MeasuredValue(
            float((cosines**2 + sines**2 - 4 / count * np.diag(noise)).mean()) / passed,
            float(np.sqrt(square_variance)) / readings.shape[1] / passed,
        ),
    )
