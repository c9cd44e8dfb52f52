"""Curves of converters: by how much each channel departs from a straight line.

The two constants of the line are measured elsewhere, as part of every conductance and of every
zero. The rest is the integral nonlinearity. It is stated from the line through the channel's own
values at two points, ±`line_end`, as datasheets state end-point nonlinearity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre

from calibration.arrays import Floats
from calibration.records import Record

FIRST_DEGREE = 2
"""Lowest degree of a curve: the constant and the linear term are the line."""


class Largest(NamedTuple):
    """The largest deviation of any channel, with its standard uncertainty."""

    channel: int
    deviation: float
    uncertainty: float


@dataclass(frozen=True, eq=False, repr=False)
class Curves(Record):
    """One smooth curve for each channel, `d(x) = Σ_n c_n [P_n(x/s) − ℓ_n(x)]`.

    P_n are Legendre polynomials from degree 2 on, s is the full scale, ℓ_n the line through
    P_n(x/s) at x = ±line_end. So d is zero at ±line_end.
    """

    coefficients: Floats
    """(channels, degrees), in the unit of the deviation."""
    covariance: Floats
    """(channels, degrees, degrees): covariance of each channel's coefficients."""
    full_scale: float
    line_end: float

    def deviation(self, x: Floats) -> Floats:
        """Return d at x (…, channels), in the unit of the coefficients; NaN where x is."""
        return np.asarray((self.basis(x) * self.coefficients).sum(axis=-1))

    def uncertainty(self, x: Floats) -> Floats:
        """Return the standard uncertainty of d at x (…, channels)."""
        return self.spread(self.basis(x))

    def largest(self) -> Largest:
        """Return the largest deviation of all channels between the ends of the line."""
        grid = np.linspace(-self.line_end, self.line_end, 513)
        x = np.repeat(grid[:, None], len(self.coefficients), axis=1)
        deviation = self.deviation(x)
        point, channel = np.unravel_index(np.abs(deviation).argmax(), x.shape)
        uncertainty = self.uncertainty(x)[point, channel]
        return Largest(int(channel), float(deviation[point, channel]), float(uncertainty))

    def basis(self, x: Floats) -> Floats:
        """Return the factors of the coefficients at x (…, channels): (…, channels, degrees)."""
        degree = self.coefficients.shape[1] + FIRST_DEGREE - 1
        # At both ends of the line an even polynomial is the same, an odd one the opposite.
        (end,) = bent(np.array([self.line_end]) / self.full_scale, degree)
        line = np.where(np.arange(degree + 1)[FIRST_DEGREE:] % 2, x[..., None] / self.line_end, 1.0)
        return np.asarray(bent(x / self.full_scale, degree) - end * line)

    def spread(self, weights: Floats) -> Floats:
        """Return the standard uncertainty (…, channels) of Σ weight · coefficient.

        The weights are (…, channels, degrees).
        """
        variance = np.einsum("...cm,cmn,...cn->...c", weights, self.covariance, weights)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def bent(x: Floats, degree: int) -> Floats:
    """Return the Legendre polynomials P_2 … P_degree at x (…,): (…, degree − 1)."""
    return np.asarray(legendre.legvander(x, degree)[..., FIRST_DEGREE:])
