"""Repeatability: the same vectors many times, and the effect of averaging their answers.

Repeatability (JCGM 200:2012, 2.21) is that of the same board, procedure and place within a short
time. The vectors take turns, so that every repeat follows another vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.crossbar import Progress, no_progress
from instrument.matrix import TiledMatrix
from instrument.validation.products import Validation, compare, multiply, ratio

VECTORS = 16
FEW_PASSES, MANY_PASSES = 16, 64
"""Passes of a default and of a thorough validation."""
AVERAGED_READINGS = 16


@dataclass(frozen=True)
class Repeatability:
    """Repeated one-shot products of a few vectors."""

    inputs: Floats
    """(vectors, rows)"""
    answered: Floats
    """(passes, vectors, outputs)"""
    exact: Floats
    """(vectors, outputs)"""

    @property
    def relative_noise(self) -> float:
        """Scatter of one answer relative to ‖y‖₂: the share of noise in the relative error."""
        return self.relative_scatter[1]

    @property
    def relative_scatter(self) -> dict[int, float]:
        """Scatter of means of k successive answers, for k = 1, 2, 4 …, relative to ‖y‖₂.

        Half the mean square difference of neighbouring means (Allan 1966) is the square of the
        scatter. It falls as 1/k while answers are independent, and stays or rises where drift
        begins.
        """
        passes = len(self.answered)
        scatter = {}
        for k in (2**power for power in range((passes // 2).bit_length())):
            means = self.answered[: passes // k * k].reshape(-1, k, *self.exact.shape).mean(axis=1)
            variance = (np.diff(means, axis=0) ** 2).mean(axis=0) / 2
            scatter[k] = ratio(np.sqrt(variance), self.exact)
        return scatter


def repeat(
    program: TiledMatrix,
    inputs: Floats,
    passes: int,
    progress: Progress = no_progress,
) -> Repeatability:
    """Multiply the first VECTORS of the inputs (vectors, rows) in turn, `passes` times."""
    chosen = inputs[:VECTORS]
    answered = multiply(program, np.tile(chosen, (passes, 1)), progress)
    exact = chosen @ program.weights
    return Repeatability(chosen, answered.reshape(passes, *exact.shape), exact)


def averaged(program: TiledMatrix, repeated: Repeatability, readings: int) -> Validation:
    """Return the products averaged over the first readings of each vector: one-shot for one."""
    return compare(program, repeated.inputs, repeated.answered[:readings].mean(axis=0))
