"""A measured value and its standard uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import erfcx

RESOLVED_SIGMAS = 2.0
"""Standard uncertainties that a value must exceed to count as resolved."""
ONE_SIDED_SIGMAS = 1.645
"""Standard uncertainties from the value to the end of a one-sided 95 % interval."""


@dataclass(frozen=True)
class MeasuredValue:
    """A measured value and its standard uncertainty, in the unit that the field's name gives.

    The estimate of a quantity that cannot be negative may be negative: an unbiased estimate of
    something absent is below zero half of the time.
    """

    value: float
    uncertainty: float

    @property
    def resolved(self) -> bool:
        """Whether the value exceeds what chance alone may show."""
        return bool(self.value > RESOLVED_SIGMAS * self.uncertainty)

    @property
    def upper_limit(self) -> float:
        """The upper end of the one-sided 95 % interval of a quantity that is not negative."""
        return max(self.value, 0.0) + ONE_SIDED_SIGMAS * self.uncertainty

    def scaled(self, factor: float) -> MeasuredValue:
        """Return the value and its uncertainty, both multiplied by `factor`."""
        return MeasuredValue(self.value * factor, self.uncertainty * factor)

    @property
    def expected(self) -> float:
        """The mean of the normal distribution N(value, uncertainty²) truncated at zero.

        It is the expected value of a quantity that is not negative: an unresolved cause so
        contributes a bound, not nothing (Johnson, Kotz and Balakrishnan 1994, 13.10).
        """
        if not self.uncertainty:
            return max(self.value, 0.0)
        sigmas = self.value / self.uncertainty
        if sigmas < -1000:  # the difference below would be lost in rounding: its asymptotic series
            return -self.uncertainty / sigmas * (1 - 2 / sigmas / sigmas)
        hazard = math.sqrt(2 / math.pi) / float(erfcx(-sigmas / math.sqrt(2)))
        return self.value + self.uncertainty * hazard
