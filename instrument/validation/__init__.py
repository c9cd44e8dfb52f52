"""Validation: the precision of a programmed matrix, and what its errors are made of.

products.py multiplies and compares with float64, interval.py states how sure the precision is. The
other files each measure one property: worst vectors and weights, repeatability, linearity,
hysteresis, intermediate precision over hours, cost. Read first: products.py, then checks.py.
"""

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
