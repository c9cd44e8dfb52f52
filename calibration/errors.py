"""Errors that stop a calibration or a program, each with a reason that a person can act on."""

from __future__ import annotations


class MatrixError(ValueError):
    """A matrix that cannot be programmed; the message says why."""


class OverloadError(Exception):
    """A column that overloads its range where a reading is needed."""


class GainError(Exception):
    """A gain that no board can have: the readings are not those of the programmed matrix."""
