"""Validate: state the precision of a programmed matrix, and what it is made of."""

from instrument.validation.products import Validation, validate

__all__ = ["Validation", "validate"]
