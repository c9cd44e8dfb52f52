"""A measured array with names for its dimensions: what every export is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from numpy.typing import NDArray

NO_UNIT = "1"
DIMENSIONS = {
    "row": "row of the board, from 1",
    "column": "column of the board, from 1",
    "branch": "branch of a crosspoint, from 1",
    "output": "output of the matrix, from 1",
    "vector": "input vector, from 1",
    "matrix_row": "row of the matrix, from 1; that of the board in the first tile",
    "tile": "tile of the matrix, from 1",
    "range": "range of the columns' amplifiers, from 1, ascending",
    "cause": "cause of the error of products",
    "row_degree": "degree of a Legendre polynomial of a DAC's curve",
    "column_degree": "degree of a Legendre polynomial of an ADC's curve",
}
"""Every dimension, and what its labels count."""


@dataclass(frozen=True, eq=False)
class Quantity:
    """An array with a name for each dimension, a unit and a meaning."""

    name: str
    dimensions: tuple[str, ...]
    unit: str
    meaning: str
    values: NDArray[Any]
    statuses: type[IntEnum] | None = None
    """What its numbers mean, where they are statuses."""


@dataclass(frozen=True, eq=False)
class Measured:
    """All that a run has measured, and where it comes from."""

    provenance: Mapping[str, str | int | float]
    quantities: tuple[Quantity, ...]
    labels: Mapping[str, NDArray[Any]]
    """Labels of each dimension: from 1, degrees, or names of causes."""
