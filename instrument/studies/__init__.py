"""Runs of studies and designs: their machines, their files and their pictures.

The theory itself is in calibration.studies. `run_study` computes chunks in threads or on a Dask
cluster, keeps them so that it can continue, and writes tables and a picture; `run_design` searches
nominal values and writes a board preset. Read first: run.py and design.py.
"""

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
