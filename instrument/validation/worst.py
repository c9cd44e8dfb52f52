"""Places of the largest errors: of the products, vector by vector, and of the weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from instrument.matrix import TiledMatrix
from instrument.validation.products import Validation

WORST_LISTED = 8


@dataclass(frozen=True)
class WorstVector:
    """The largest error of the products of one vector."""

    vector: int
    output: int
    exact: float
    answered: float
    of_full_scale: float
    """Absolute error |ŷ − y| over the full scale."""


@dataclass(frozen=True)
class WorstWeight:
    """A weight whose measured value is far from the wanted one."""

    row: int
    output: int
    wanted: float
    has: float
    of_largest: float
    """Residual |measured − wanted| over the largest difference in conductance of its tile."""


def worst_vectors(validation: Validation) -> tuple[WorstVector, ...]:
    """Return the vectors with the largest single errors, the worst first."""
    error = np.abs(validation.error)
    output = error.argmax(axis=1)
    largest = np.take_along_axis(error, output[:, None], axis=1)[:, 0]
    return tuple(
        WorstVector(
            vector=vector,
            output=int(output[vector]),
            exact=float(validation.exact[vector, output[vector]]),
            answered=float(validation.answered[vector, output[vector]]),
            of_full_scale=float(largest[vector] / validation.full_scale),
        )
        for vector in _largest(largest)
    )


def worst_weights(program: TiledMatrix) -> tuple[WorstWeight, ...]:
    """Return the weights with the largest residuals, the worst first; none of lost outputs."""
    of_largest = np.where(program.lost, 0.0, np.abs(program.residual_of_largest))
    residual, outputs = program.residual_weights, program.weights.shape[1]
    return tuple(
        WorstWeight(
            row=row,
            output=output,
            wanted=float(program.weights[row, output]),
            has=float(program.weights[row, output] + residual[row, output]),
            of_largest=float(of_largest[row, output]),
        )
        for row, output in (divmod(index, outputs) for index in _largest(of_largest.ravel()))
    )


def _largest(values: Floats) -> list[int]:
    """Return where the largest of some values (n,) are, the first of equals first."""
    return [int(index) for index in np.argsort(-values, kind="stable")[:WORST_LISTED]]
