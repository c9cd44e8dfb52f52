"""Errors as bits: −log₂ of a relative error."""

from __future__ import annotations

import math

import numpy as np

from calibration.arrays import Floats

MAX_BITS = 60.0
"""Bits of an error that is exactly zero, where infinity would not do: in means and pictures."""


def as_bits(relative_error: float) -> float:
    """Return −log₂ of a relative error, infinity for none."""
    return -math.log2(relative_error) if relative_error else math.inf


def as_finite_bits(relative_error: Floats) -> Floats:
    """Return −log₂ of relative errors of any shape, at most MAX_BITS."""
    return np.asarray(-np.log2(np.maximum(relative_error, 2.0**-MAX_BITS)))
