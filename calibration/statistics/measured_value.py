"""A measured value and its standard uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import log_ndtr

RESOLVED_SIGMAS = 2.0
"""Standard uncertainties that something must exceed to be called seen."""
ONE_SIDED_SIGMAS = 1.645
"""Standard uncertainties to the end of a 95 % interval that is open on the other side."""


@dataclass(frozen=True)
class MeasuredValue:
    """A measured value and its standard uncertainty, in the unit that its name says.

    What cannot be negative may still be measured so: an estimate without a bias of something that
    is not there is below zero half of the time.
    """

    value: float
    uncertainty: float

    @property
    def resolved(self) -> bool:
        """Whether it is more than what may come of nothing."""
        return bool(self.value > RESOLVED_SIGMAS * self.uncertainty)

    @property
    def upper_limit(self) -> float:
        """The upper end of the one-sided 95 % interval of something that is not negative."""
        return max(self.value, 0.0) + ONE_SIDED_SIGMAS * self.uncertainty

    def scaled(self, factor: float) -> MeasuredValue:
        """Return what is so many times as large, and as uncertain."""
        return MeasuredValue(self.value * factor, self.uncertainty * factor)

    @property
    def expected(self) -> float:
        """The mean of something that is not negative, given that it was measured so: that of the
        normal distribution's part above zero.
        """
        if not self.uncertainty:
            return max(self.value, 0.0)
        places = self.value / self.uncertainty
        if places < -100:  # where the difference below would be lost in rounding
            return -self.uncertainty / places
        log_density = -(places**2) / 2 - math.log(2 * math.pi) / 2
        return self.value + self.uncertainty * math.exp(log_density - float(log_ndtr(places)))
