"""Validate: state the precision of a programmed matrix, and what it is made of."""

from instrument.validation.checks import Checks, Scope, Step, check, check_hours
from instrument.validation.products import (
    Validation,
    by_output,
    compare,
    compare_tiles,
    validate,
)

__all__ = [
    "Checks",
    "Scope",
    "Step",
    "Validation",
    "by_output",
    "check",
    "check_hours",
    "compare",
    "compare_tiles",
    "validate",
]
