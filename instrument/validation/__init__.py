"""Validate: state the precision of a programmed matrix, and what it is made of."""

from instrument.validation.checks import Checks, Scope, Step, check, check_hours
from instrument.validation.interval import CONFIDENCE_LEVEL, Interval
from instrument.validation.linearity import Superposition
from instrument.validation.over_hours import IntermediatePrecision
from instrument.validation.products import Validation, by_output, compare, compare_tiles
from instrument.validation.repeatability import AVERAGED_READINGS
from instrument.validation.worst import worst_vectors, worst_weights

__all__ = [
    "AVERAGED_READINGS",
    "CONFIDENCE_LEVEL",
    "Checks",
    "IntermediatePrecision",
    "Interval",
    "Scope",
    "Step",
    "Superposition",
    "Validation",
    "by_output",
    "check",
    "check_hours",
    "compare",
    "compare_tiles",
    "worst_vectors",
    "worst_weights",
]
