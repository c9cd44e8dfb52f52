"""Digitally refined products: one-shot answers, less what the measured residual predicts."""

from __future__ import annotations

from dataclasses import replace

from instrument.matrix import TiledMatrix
from instrument.validation.products import Validation


def refine(program: TiledMatrix, validation: Validation) -> Validation:
    """Return one-shot products less the error that was known when they were made.

        ŷ' = ŷ − x E,   E = (ΔT − ΔT_wanted) / scale,

    ΔT are the pairs' measured transfer differences, (rows, outputs), and scale is that of each
    output. It costs as many multiply-adds as the whole product, so it shows where errors come from
    rather than how to multiply: it removes the residual of programming, and leaves noise, drift and
    nonlinearity.
    """
    known = validation.inputs @ program.residual_weights
    return replace(validation, answered=validation.answered - known)
