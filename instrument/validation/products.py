"""One-shot products as the board answered them, the exact ones, and their precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from calibration.arrays import Floats
from calibration.crossbar import Progress, no_progress
from calibration.records import Record
from calibration.statistics import as_bits
from instrument.display import as_html, as_text
from instrument.matrix import TiledMatrix
from instrument.validation.interval import (
    MIN_EFFECTIVE_VECTORS,
    Interval,
    effective_vectors,
    independent,
    relative_error_interval,
)


@dataclass(frozen=True, eq=False, repr=False)
class Validation(Record):
    """Products as the board answered them, beside the exact ones."""

    inputs: Floats
    """(vectors, rows)"""
    exact: Floats
    """(vectors, outputs): x W in float64."""
    answered: Floats
    """(vectors, outputs): the board's products."""
    full_scale: float
    """Largest product any input could give: max over outputs of Σ|W|, times the largest |x|."""
    sampled: bool = True
    """Whether the vectors are a sample of their kind; otherwise they are all of it."""

    def __repr__(self) -> str:
        return as_text("Validation", self._figures())

    def _repr_html_(self) -> str:
        return as_html("Validation", self._figures())

    def _figures(self) -> dict[str, str]:
        return {
            "of": f"{len(self.inputs)} vectors × {self.exact.shape[1]} outputs",
            "relative error": f"{self.relative_error:.2e}",
            "bits": f"{self.bits:.2f}",
            "worst bits": f"{self.worst_bits:.2f}",
        }

    @property
    def error(self) -> Floats:
        """Answered minus exact products (vectors, outputs)."""
        return self.answered - self.exact

    @property
    def relative_error(self) -> float:
        """Relative error ‖ŷ − y‖₂ / ‖y‖₂ of all products; NaN where every product is zero."""
        return ratio(self.error, self.exact)

    @cached_property
    def interval(self) -> Interval | None:
        """Confidence interval of the relative error, for all vectors of this kind on this board.

        The board is the one that is programmed. None where `why_no_interval` gives a reason.
        """
        return relative_error_interval(*self._observed) if self.sampled else None

    @property
    def effective_vectors(self) -> float:
        """Number of different vectors that effectively decide the relative error."""
        return effective_vectors(*self._observed)

    @property
    def why_no_interval(self) -> str | None:
        """Why no interval is stated; None where one is."""
        if not self.sampled:
            return "these are all vectors of their kind"
        if self.interval is not None:
            return None
        if not self.exact.any():
            return "every product is zero"
        different = len(self._observed[0])
        if different < MIN_EFFECTIVE_VECTORS:
            return f"{len(self.inputs)} vectors, {different} of them different: too few"
        return (
            f"a few of {different} vectors outweigh the rest: they tell as much as "
            f"{self.effective_vectors:.1f}"
        )

    @cached_property
    def _observed(self) -> tuple[Floats, Floats]:
        """Square errors and square norms of independent vectors; alike vectors are summed."""
        alike = independent(self.inputs)
        errors, norms = (self.error**2).sum(axis=1), (self.exact**2).sum(axis=1)
        sums = [np.zeros(alike.max() + 1), np.zeros(alike.max() + 1)]
        for total, squares in zip(sums, (errors, norms), strict=True):
            np.add.at(total, alike, squares)
        return sums[0], sums[1]

    @property
    def bits(self) -> float:
        """Bits of precision, −log2 of the relative error."""
        return as_bits(self.relative_error)

    @property
    def bits_interval(self) -> Interval | None:
        """Confidence interval of the bits: low is the worse end."""
        if self.interval is None:
            return None
        return Interval(as_bits(self.interval.high), as_bits(self.interval.low))

    @property
    def worst_bits(self) -> float:
        """Bits of the worst product, −log2 of the largest error over the full scale.

        NaN where the full scale is zero.
        """
        if not self.full_scale:
            return math.nan
        return as_bits(float(np.abs(self.error).max()) / self.full_scale)

    def meets(self, bits: float) -> bool:
        """Return whether the worse end of the interval reaches so many bits.

        Products without an interval meet nothing.
        """
        return self.bits_interval is not None and self.bits_interval.low >= bits


def validate(
    program: TiledMatrix,
    inputs: Floats,
    progress: Progress = no_progress,
    *,
    sampled: bool = True,
) -> Validation:
    """Multiply all inputs (vectors, rows) on the board once and compare with float64."""
    return compare(program, inputs, multiply(program, inputs, progress), sampled=sampled)


def compare(
    program: TiledMatrix,
    inputs: Floats,
    answered: Floats,
    *,
    sampled: bool = True,
) -> Validation:
    """Return answers (vectors, outputs) to inputs (vectors, rows) beside float64.

    Lost outputs do not count: their answers and their weights are zero.
    """
    return Validation(
        inputs=inputs,
        exact=inputs @ program.weights,
        answered=np.where(program.lost, 0.0, answered),
        full_scale=full_scale(program),
        sampled=sampled,
    )


def by_output(program: TiledMatrix, validation: Validation) -> tuple[Validation, ...]:
    """Return the products of each output by itself, divided by the largest of them.

    Divided so, outputs of any size can be squared. Worst errors are relative to the largest product
    that the output could give.
    """
    largest = np.abs(validation.exact).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    full_scales = np.abs(program.weights).sum(axis=0) * program.input_full_scale
    return tuple(
        replace(
            validation,
            exact=validation.exact[:, [output]] / unit[output],
            answered=validation.answered[:, [output]] / unit[output],
            full_scale=float(full_scales[output] / unit[output]),
        )
        for output in range(len(unit))
    )


def compare_tiles(
    program: TiledMatrix, inputs: Floats, partial: Sequence[Floats]
) -> tuple[Validation, ...]:
    """Return the partial products of each tile (vectors, outputs of the tile) beside float64.

    The exact ones are the tile's own rows of inputs (vectors, rows) times its own weights.
    """
    return tuple(
        Validation(
            inputs=inputs[:, part.tile.of_rows],
            exact=inputs[:, part.tile.of_rows] @ part.matrix.weights,
            answered=answered,
            full_scale=_full_scale(part.matrix.weights, program.input_full_scale),
        )
        for part, answered in zip(program.tiles, partial, strict=True)
    )


def multiply(program: TiledMatrix, inputs: Floats, progress: Progress = no_progress) -> Floats:
    """Return the board's one-shot products (vectors, outputs) of inputs (vectors, rows).

    `progress` counts batches, tile by tile. Before a batch the tile's sentinels are read if its
    gain is old.
    """
    return program.sum_of(program.partial_products(inputs, progress))


def full_scale(program: TiledMatrix) -> float:
    """Return the largest product that any input within the program's full scale could give."""
    return _full_scale(program.weights, program.input_full_scale)


def _full_scale(weights: Floats, input_full_scale: float) -> float:
    return float(np.abs(weights).sum(axis=0).max() * input_full_scale)


def ratio(part: Floats, whole: Floats) -> float:
    """Return ‖part‖₂ / ‖whole‖₂ over all elements; NaN where the whole is zero."""
    norm = float(np.linalg.norm(whole))
    return float(np.linalg.norm(part)) / norm if norm else math.nan
