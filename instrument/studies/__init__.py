"""Running studies: on which machines, from where on, into which files and pictures."""

from instrument.studies.design import effort_of, offered_values, run_design
from instrument.studies.pictures import bits_against_resistances
from instrument.studies.run import run_study
from instrument.studies.theory_pictures import (
    nearest_against_subset,
    sizes,
    transition,
    weights_needed,
)

__all__ = [
    "bits_against_resistances",
    "effort_of",
    "nearest_against_subset",
    "offered_values",
    "run_design",
    "run_study",
    "sizes",
    "transition",
    "weights_needed",
]
