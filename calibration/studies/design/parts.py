"""Which resistors to buy: nominal values that make a differential pair precise for every target.

A pair has b + b branches of the same nominal values. Its targets are |z| ≤ h, h being half of what
the weaker side reaches (as `calibration.programming` uses a board), and its bits log2(h / error) at
the worst target of all. A design is as good as the bits that a wanted share of all pairs reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.arrays import Floats
from calibration.programming import REACH_FRACTION
from calibration.statistics import as_finite_bits
from calibration.studies.sums import sorted_sums, worst_error
from kirchhoff.compiled import kernel

Distribution = Literal["uniform", "normal", "lognormal"]

MAX_BRANCHES = 12
"""Of a crosspoint: 2^24 sums of a pair."""
MIN_DEVIATION = -0.95
"""A normal draw is cut here, so that no resistor is negative."""


@dataclass(frozen=True)
class Parts:
    """What a crosspoint is built of, and how well its parts are known."""

    branches: int
    tolerance: float
    """Limit of the uniform distribution, three standard deviations of the others."""
    distribution: Distribution
    smallest_ohms: float
    largest_ratio: float
    """Of the largest to the smallest nominal resistance."""
    on_ohms: float
    on_spread: float
    """Uniform, ±."""
    off_ohms: float
    """In series with the resistor when its switch is open."""
    offered_ohms: Floats | None = None
    """Ascending nominal values that can be bought; any if None."""


@dataclass(frozen=True)
class Lot:
    """The chance in some pairs, apart from their nominal values; arrays (pairs, 2·branches).

    Candidates that are judged by the same lot differ by their nominal values alone.
    """

    factor: Floats
    """Actual over nominal resistance."""
    on_ohms: Floats


def draw_lot(parts: Parts, generator: np.random.Generator, pairs: int) -> Lot:
    """Draw the chance in a number of pairs."""
    shape = pairs, 2 * parts.branches
    if parts.distribution == "uniform":
        factor = 1 + parts.tolerance * generator.uniform(-1, 1, shape)
    else:
        deviation = parts.tolerance / 3 * generator.standard_normal(shape)
        cut = 1 + np.maximum(deviation, MIN_DEVIATION)
        factor = np.exp(deviation) if parts.distribution == "lognormal" else cut
    on_ohms = parts.on_ohms * (1 + parts.on_spread * generator.uniform(-1, 1, shape))
    return Lot(factor, on_ohms)


def pair_bits(parts: Parts, nominal_ohms: Floats, lot: Lot) -> Floats:
    """Return the bits (pairs,) that each pair of a lot reaches at its worst target.

    nominal_ohms: (branches,), of both sides.
    """
    ohms = np.tile(nominal_ohms, 2) * lot.factor
    opened = 1 / (ohms + parts.off_ohms)
    siemens = 1 / (ohms + lot.on_ohms) - opened
    sign = np.repeat([1.0, -1.0], parts.branches)
    sides = siemens.reshape(-1, 2, parts.branches).sum(axis=2)
    half = REACH_FRACTION * sides.min(axis=1)
    shift = (opened * sign).sum(axis=1)
    # Steep to flat, plus and minus in turn: the shorter list then spans the whole range.
    order = np.argsort(np.tile(nominal_ohms, 2), kind="stable")
    errors = _worst((siemens * sign)[:, order], -half - shift, half - shift)
    return as_finite_bits(errors / half)


@kernel
def _worst(weights: Floats, low: Floats, high: Floats) -> Floats:
    pairs, n = weights.shape
    errors = np.empty(pairs)
    for k in range(pairs):
        first = sorted_sums(weights[k, : 2 * n // 5], 2)
        second = sorted_sums(weights[k, 2 * n // 5 :], 2)
        # Sums are symmetric about half their total (complement the subset), so targets above it are
        # as far from a sum as their mirror images below. The walk begins where sums are sparse: the
        # wider the gaps it has met, the faster it goes.
        centre = 0.5 * weights[k].sum()
        start, end = low[k], high[k]
        if start <= centre <= end:
            start, end = min(start, 2.0 * centre - end), centre
        errors[k] = worst_error(first, second, start, end)
    return errors
