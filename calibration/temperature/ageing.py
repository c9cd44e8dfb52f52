"""Ageing of branches, from the class of the parts."""

from __future__ import annotations

import numpy as np

from calibration.arrays import Floats

AGEING_PER_DECADE = 100e-6
"""Relative change of a branch in a decade of hours: the stability of thick film at constant load.
"""
SECONDS_PER_HOUR = 3600.0


def decades(seconds: Floats | float) -> Floats:
    """Return the decades of age at times since power-on, seconds: log₁₀ of (1 + hours)."""
    return np.asarray(np.log10(1 + np.asarray(seconds) / SECONDS_PER_HOUR))
