"""Errors as bits."""

from __future__ import annotations

import math


def as_bits(relative_error: float) -> float:
    """Return −log₂ of a relative error."""
    return -math.log2(relative_error) if relative_error else math.inf
