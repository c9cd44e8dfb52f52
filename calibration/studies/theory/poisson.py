"""What is predicted: around a target, sums lie like the points of a Poisson process.

Where N sums are expected within ε of a target, the nearest one is that near with probability
1 − exp(−N): the subsets of neighbouring sums are as if drawn independently. Bauke, Franz and
Mertens conjectured it (J. Stat. Mech. P04003, 2004), Borgs, Chayes, Mertens and Nair proved it for
the middle of the range (Random Structures & Algorithms 34, 217, 2009).

Nothing here is fitted: N follows from the first two moments of the weights. The sums of a random
subset of a bank are taken as normal, of mean μ = Σg/2 and variance V = Σg²/4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from calibration.arrays import Floats

_MAX_BITS = 80.0
"""Bits are looked for from −80 to 80; 24 weights reach some 25."""
_DRAW = np.linspace(-8.0, 8.0, 801)
"""Standard normal abscissae of how far a bank's mean is off; the trapezoid rule suffices."""
_WEIGHT = np.exp(-0.5 * _DRAW**2) / np.exp(-0.5 * _DRAW**2).sum()
_TARGET = (np.arange(20) + 0.5) / 40
"""Midpoints of [0, ½]; the other half of the targets is the mirror image."""


def at_least_one(expected: Floats | float) -> Floats:
    """Return the probability that there is a sum at all where so many are `expected`."""
    return np.asarray(-np.expm1(-expected))


def uniform_random(n: int, error: float) -> float:
    """Return the predicted share of banks of n weights that come near a random target.

    Weights are uniform on [−1, 1], the target is of [−½, ½], near is within `error`. μ is normal of
    variance n/12 from bank to bank, V nearly n/12 in each.
    """
    deviation = np.sqrt(n / 12)
    away = _TARGET[:, None] / deviation - _DRAW
    width = error / deviation
    expected = 2.0**n * (ndtr(away + width) - ndtr(away - width))
    return float((at_least_one(expected) @ _WEIGHT).mean())


def uniform_every(n: int, error: float) -> float:
    """Return the predicted share of banks of n weights that come near every target.

    Weights are uniform on [−1, 1], targets are of [−½, ½], near is within `error`. With ρ the
    density of the sums, the first target is met with probability 1 − exp(−2ερ), and ∫ρ exp(−2ερ)dz
    sums are expected to have no other one within 2ε above them; that there is none such is
    Poisson's exp of minus that.
    """
    deviation = np.sqrt(n / 12)
    target = np.concatenate([-_TARGET[::-1], _TARGET])
    away = target[:, None] / deviation - _DRAW
    density = 2.0**n / (np.sqrt(2 * np.pi) * deviation) * np.exp(-0.5 * away**2)
    nothing = np.exp(-2 * error * density)
    return float(((1 - nothing[0]) * np.exp(-(density * nothing).mean(axis=0))) @ _WEIGHT)


def bits_reached(share_within: Callable[[float], float], share: float) -> float:
    """Return the bits log2(1 / (2·error)) at which `share_within`(error) is `share`.

    The share falls as the bits rise.
    """
    return float(brentq(lambda bits: share_within(0.5 * 2.0**-bits) - share, -_MAX_BITS, _MAX_BITS))
