"""What stops a calibration or a program, with a reason that a person can act on."""

from __future__ import annotations


class MatrixError(ValueError):
    """A matrix that the board cannot take; the message says why."""


class OverloadError(Exception):
    """A column read beyond its range where it must not."""


class GainError(Exception):
    """A gain that no board can have: what is read is not the matrix that was programmed."""
