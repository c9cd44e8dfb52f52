"""Populations of banks: what is at a crosspoint, in theory and on real boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats

RADIX = 1.8
"""Just below 2 / (1 + 10 %), where a geometric ladder starts to leave gaps."""


@dataclass(frozen=True)
class Bank:
    """A population of banks of n switches."""

    key: str
    title: str
    draw: Callable[[np.random.Generator, int, int], Floats]
    """(generator, instances, n) to weights (instances, n)."""
    states: int = 2
    """Of a switch: off and on, or with three −, 0 and +."""
    fixed_interval: tuple[float, float] | None = None
    """Targets, where they do not depend on the bank; else the central half of what it reaches."""

    def interval(self, weights: Floats) -> tuple[float, float]:
        """Return the lowest and the highest target of one bank, weights (n,)."""
        if self.fixed_interval is not None:
            return self.fixed_interval
        if self.states == 3:
            half = 0.5 * float(np.abs(weights).sum())
            return -half, half
        low, high = float(np.minimum(weights, 0).sum()), float(np.maximum(weights, 0).sum())
        return 0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high

    def mirrored(self) -> bool:
        """Whether the sums are symmetric about the middle of the targets."""
        return self.fixed_interval is None


def resistors(
    nominal: Callable[[int], Floats], tolerance: float
) -> Callable[[np.random.Generator, int, int], Floats]:
    """Return a function that draws conductances 1 / (nominal · (1 ± tolerance)).

    The tolerance is uniform; the unit is the largest nominal conductance.
    """

    def draw(generator: np.random.Generator, instances: int, n: int) -> Floats:
        deviation = generator.uniform(-tolerance, tolerance, (instances, n))
        return np.asarray(1.0 / (nominal(n) * (1.0 + deviation)))

    return draw


def equal(n: int) -> Floats:
    """Return n equal nominal resistances (n,)."""
    return np.ones(n)


def one_decade(n: int) -> Floats:
    """Return a ladder of equal ratios over one decade (n,): 10^(k/n)."""
    return np.asarray(10.0 ** (np.arange(n) / n))


def geometric(radix: float) -> Callable[[int], Floats]:
    """Return the ladder radix^k."""
    return lambda n: np.asarray(radix ** np.arange(n))


def _uniform(generator: np.random.Generator, instances: int, n: int) -> Floats:
    return generator.uniform(-1.0, 1.0, (instances, n))


def _log_uniform(generator: np.random.Generator, instances: int, n: int) -> Floats:
    return np.asarray(10.0 ** -generator.uniform(0.0, 1.0, (instances, n)))


BANKS = (
    Bank(
        "uniform",
        "uniform on [−1, 1] (theory), targets in [−½, ½]",
        _uniform,
        fixed_interval=(-0.5, 0.5),
    ),
    Bank("equal-5", "equal nominals, 5 %", resistors(equal, 0.05)),
    Bank("equal-10", "equal nominals, 10 %", resistors(equal, 0.10)),
    Bank("equal-20", "equal nominals, 20 %", resistors(equal, 0.20)),
    Bank("binary-10", "binary weighted, 10 %", resistors(geometric(2.0), 0.10)),
    Bank("radix-10", f"geometric, radix {RADIX:g}, 10 %", resistors(geometric(RADIX), 0.10)),
    Bank("decade-10", "one decade, 10 %", resistors(one_decade, 0.10)),
    Bank("log-uniform", "log-uniform over one decade", _log_uniform),
    Bank("three-way-10", "one decade, 10 %, three-way", resistors(one_decade, 0.10), states=3),
)
