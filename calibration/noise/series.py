"""Series of readings under one pattern, as observations of the causes of noise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from calibration.arrays import Floats
from calibration.noise.readings import alternating
from calibration.statistics import (
    THREE_SPANS,
    TWO_SPANS,
    MeanSquare,
    contrast_weights,
    contrasts,
    flicker_square,
    project,
)


class Cause(IntEnum):
    """A cause of scatter: a variance at the aperture in use, or a density at 1 Hz."""

    ADC = 0
    """Variance over the square of the range."""
    JOHNSON = 1
    """A²/S, of a column's total conductance."""
    AMPLIFIER = 2
    """V², across a column's total conductance."""
    FLICKER = 3
    """V²/Hz at 1 Hz, falling as 1/f, in the same place."""
    DAC = 4
    """V², on each row."""
    EXCESS = 5
    """1/Hz at 1 Hz, falling as 1/f, of each branch's current."""


@dataclass(frozen=True)
class Series:
    """Readings under one pattern, one every period."""

    amperes: Floats
    """(readings, columns)"""
    crosspoint_siemens: Floats
    """(rows, columns)"""
    range_amperes: float
    period_seconds: float
    aperture_seconds: float
    branch_amperes: Floats | None = None
    """(columns,): root sum square of the currents of a column's branches, where the rows are
    driven. The row voltages then change sign with every reading.
    """
    drift_amperes: Floats | None = None
    """(columns,): the proportions in which the readings drift, whatever the course in time."""

    def mean_squares(self, line_hertz: float) -> list[MeanSquare]:
        """Return the mean squares of contrasts over spans of 1, 2, 4 … readings.

        With rows at 0 V, contrasts have two spans. With driven rows, the signs of the voltages are
        first taken off the readings, so that what follows the voltages stays and the rest
        alternates, which even spans cancel; contrasts then have three spans, which cancel a steady
        drift. The direction of the drift is left out altogether.

        The DACs' noise is nearly alike on all columns where these are joined to the same rows. So
        the columns' common direction, where it is large, is observed separately.

        Pickup at `line_hertz` is fitted and removed, which costs degrees of freedom.
        """
        count = len(self.amperes)
        driven = self.branch_amperes is not None
        signs = alternating(count) if driven else np.ones(count)
        spans, span = (THREE_SPANS, 2) if driven else (TWO_SPANS, 1)

        turns = 2 * np.pi * line_hertz * self.period_seconds * np.arange(count)
        unwanted = signs[:, None] * np.stack([np.cos(turns), np.sin(turns), np.ones(count)], axis=1)
        basis = _orthonormal(np.column_stack([unwanted, np.ones(count)]))
        series = signs[:, None] * self.amperes
        series = series - basis @ (basis.T @ series)

        covariances = self.covariances()
        directions = [
            (direction, *project(covariances, direction))
            for direction in self._directions()
            if np.trace(direction) > 0.5
        ]
        observed = []
        while len(spans) * span <= count:
            differences = contrasts(series, span, spans)
            degrees = len(differences) - (contrasts(basis, span, spans) ** 2).sum()
            if degrees > 0.5:
                gains = self._gains(contrast_weights(span, spans), signs)
                observed += [
                    MeanSquare(
                        value=float(((differences @ direction) ** 2).sum() / degrees),
                        degrees=float(degrees),
                        traces=gains * traces,
                        products=gains * products * gains[:, None],
                    )
                    for direction, traces, products in directions
                ]
            span *= 2
        return observed

    def _directions(self) -> list[Floats]:
        """Return projections (columns, columns): on the common direction, and on the rest."""
        columns = len(self.crosspoint_siemens[0])
        common = np.linalg.svd(self.crosspoint_siemens, full_matrices=False)[2][0]
        kept = np.eye(columns)
        if self.drift_amperes is not None and self.drift_amperes.any() and columns > 1:
            drift = self.drift_amperes / np.linalg.norm(self.drift_amperes)
            kept -= np.outer(drift, drift)
            common = kept @ common
        together = np.outer(common, common) / max(common @ common, 1e-12)
        return [together, kept - together]

    def covariances(self) -> Floats:
        """Return the columns' covariance (causes, columns, columns) for a unit of each cause."""
        total = self.crosspoint_siemens.sum(axis=0)
        covariances = np.zeros((len(Cause), len(total), len(total)))
        covariances[Cause.ADC] = self.range_amperes**2 * np.eye(len(total))
        covariances[Cause.JOHNSON] = np.diag(total)
        covariances[Cause.AMPLIFIER] = covariances[Cause.FLICKER] = np.diag(total**2)
        covariances[Cause.DAC] = self.crosspoint_siemens.T @ self.crosspoint_siemens
        if self.branch_amperes is not None:
            covariances[Cause.EXCESS] = np.diag(self.branch_amperes**2)
        return covariances

    def _gains(self, weights: Floats, signs: Floats) -> Floats:
        """Return the mean square of a contrast (causes,) for a unit of each cause; white: 1."""
        gains = np.ones(len(Cause))
        times = self.period_seconds, self.aperture_seconds
        gains[Cause.FLICKER] = flicker_square(weights * signs[: len(weights)], *times)
        gains[Cause.EXCESS] = flicker_square(weights, *times)
        return gains


def _orthonormal(vectors: Floats) -> Floats:
    """Return an orthonormal basis of the span of the columns of (readings, vectors)."""
    directions, sizes, _ = np.linalg.svd(vectors, full_matrices=False)
    return np.asarray(directions[:, sizes > 1e-6 * sizes[0]])
