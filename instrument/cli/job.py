"""A job: what a command was asked to do, all of it read and checked."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.arrays import Floats, Ints
from instrument.opening import LinkKind
from instrument.pipeline import LastStep, PipelineOptions
from instrument.results import Specification


@dataclass(frozen=True)
class Job:
    """What a command was asked to do."""

    title: str
    bench: str
    seed: int
    link: LinkKind
    specification: Specification
    options: PipelineOptions
    last: LastStep = "validate"
    """The step that ends the run."""
    weights: Floats | None = None
    """(rows, outputs); None for random weights of the board's full size."""
    inputs: Floats | None = None
    """(vectors, rows); None for random vectors."""
    labels: Ints | None = None
    """(vectors,): right classes, if the products are scores of classes."""
    take_over: bool = False
    """Whether to use a board that another host works with."""
    opened_as: str | None = None
    """Where the bench is found now, if not under its name: a copy of its file."""
    matrix_name: str = "the matrix"
    inputs_name: str = "the inputs"
    """Names that messages about the matrix and the inputs begin with: their files."""
    matrix_sha256: str | None = None
    inputs_sha256: str | None = None
    """SHA-256 of the files of matrix and inputs, where they come from files."""
    note: str | None = None
    """Remark that the result and the report carry."""
