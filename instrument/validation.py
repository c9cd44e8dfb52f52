"""Validate: state the precision of one-shot products."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.crossbar import Progress, no_progress
from instrument.mvm import ProgrammedMatrix

BATCH_VECTORS = 64


@dataclass(frozen=True)
class Validation:
    """Products as the board answered them, beside the exact ones."""

    inputs: NDArray[np.float64]
    """(vectors, rows)"""
    exact: NDArray[np.float64]
    """(vectors, outputs): x W in float64."""
    answered: NDArray[np.float64]
    """(vectors, outputs): the board's one-shot products."""
    full_scale: float
    """Largest product any input could give: max over outputs of Σ|W|, times the largest |x|."""

    @property
    def error(self) -> NDArray[np.float64]:
        """(vectors, outputs): answered minus exact."""
        return self.answered - self.exact

    @property
    def relative_error(self) -> float:
        """‖ŷ − y‖₂ / ‖y‖₂ over all vectors and outputs."""
        return float(np.linalg.norm(self.error) / np.linalg.norm(self.exact))

    @property
    def bits(self) -> float:
        """−log2 of the relative error."""
        return _bits(self.relative_error)

    @property
    def worst_bits(self) -> float:
        """−log2 of the largest single error over the full scale."""
        return _bits(float(np.abs(self.error).max()) / self.full_scale)


def validate(
    program: ProgrammedMatrix, inputs: NDArray[np.float64], progress: Progress = no_progress
) -> Validation:
    """Run all inputs (vectors, rows) through the board once and compare with float64."""
    answered = []
    for first in range(0, len(inputs), BATCH_VECTORS):
        answered.append(program @ inputs[first : first + BATCH_VECTORS])
        progress(min(first + BATCH_VECTORS, len(inputs)), len(inputs))
    return Validation(
        inputs=inputs,
        exact=inputs @ program.weights,
        answered=np.concatenate(answered),
        full_scale=float(np.abs(program.weights).sum(axis=0).max() * np.abs(inputs).max()),
    )


def _bits(error: float) -> float:
    """Return −log2 of an error; infinity for none."""
    return -math.log2(error) if error else math.inf
