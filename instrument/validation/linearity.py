"""Linearity: whether products superpose.

    r = ŷ(a + b) − ŷ(a) − ŷ(b) + ŷ(0)

is zero on a linear board, whatever its weights and offsets are. Two designs tell where it comes
from. With a and b on *shared* rows every DAC outputs a, b and a + b: its steps and its nonlinearity
show. With a and b on rows *apart* every DAC outputs the same voltages on both sides, its errors
cancel, and the rest is due to the columns: amplifiers, converters, noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.crossbar import Progress, no_progress
from instrument.matrix import TiledMatrix
from instrument.validation.products import full_scale, multiply, ratio

PAIRS, PASSES = 32, 4
PARTS = 4
"""Vectors of one superposition: a + b, a, b, and zero."""


@dataclass(frozen=True)
class Superposition:
    """Residuals of superposition in one design."""

    residuals: Floats
    """(passes, pairs, outputs): r of each pass."""
    exact: Floats
    """(pairs, outputs): (a + b) W in float64."""
    full_scale: float

    @property
    def relative_residual(self) -> float:
        """Relative residual ‖r‖₂ / ‖y‖₂, with r averaged over the passes."""
        return ratio(self.residuals.mean(axis=0), self.exact)

    @property
    def relative_noise(self) -> float:
        """Relative residual that the scatter of the passes alone would give."""
        variance = self.residuals.var(axis=0, ddof=1) / len(self.residuals)
        return ratio(np.sqrt(variance), self.exact)

    @property
    def relative_nonlinearity(self) -> float:
        """Relative residual after the noise is subtracted from its square."""
        excess = self.relative_residual**2 - self.relative_noise**2
        return float(np.sqrt(np.maximum(excess, 0.0)))

    @property
    def worst_of_full_scale(self) -> float:
        """Largest |r|, averaged over the passes, relative to the full scale."""
        return float(np.abs(self.residuals.mean(axis=0)).max()) / self.full_scale


@dataclass(frozen=True)
class Linearity:
    """Superposition on shared rows and on rows apart."""

    shared_rows: Superposition
    rows_apart: Superposition


def superpose(
    program: TiledMatrix, random: np.random.Generator, progress: Progress = no_progress
) -> Linearity:
    """Measure how well products superpose: PAIRS of vectors, PASSES times, in both designs.

    On shared rows a and b are uniform within half of the full scale. On rows apart a is uniform
    within the full scale on a random half of the rows, and b on the others.
    """
    shape, limit = (PAIRS, len(program.weights)), program.input_full_scale
    first, second = random.uniform(-limit / 2, limit / 2, (2, *shape))
    whole = random.uniform(-limit, limit, shape)
    in_first = random.random(shape) < 0.5
    apart = np.where(in_first, whole, 0.0), np.where(in_first, 0.0, whole)
    designs = np.array([(a + b, a, b, np.zeros(shape)) for a, b in ((first, second), apart)])
    # The vectors of a pair follow one another, so that drift is common to them.
    in_turn = designs.swapaxes(1, 2).reshape(-1, shape[1])
    answered = multiply(program, np.tile(in_turn, (PASSES, 1)), progress)
    at_sum, at_a, at_b, at_zero = np.moveaxis(
        answered.reshape(PASSES, len(designs), PAIRS, PARTS, -1), 3, 0
    )
    residuals = at_sum - at_a - at_b + at_zero
    exact, largest = designs[:, 0] @ program.weights, full_scale(program)
    return Linearity(
        shared_rows=Superposition(residuals[:, 0], exact[0], largest),
        rows_apart=Superposition(residuals[:, 1], exact[1], largest),
    )
