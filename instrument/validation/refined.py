"""Digitally refined products: one-shot answers, less what the measured residual predicts."""

from __future__ import annotations

from dataclasses import replace

from instrument.matrix import TiledMatrix
from instrument.validation.products import Validation


def refine(program: TiledMatrix, validation: Validation) -> Validation:
    """Return one-shot products with the error taken off that was known when they were made:

        ŷ' = ŷ − x E,   E = (ΔT − ΔT_wanted) / scale,

    with ΔT the pairs' measured transfer differences, (rows, outputs), and the scale of each output.
    It costs as many multiply-adds as the whole product, so it tells where errors come from rather
    than how to multiply: what it removes was the residual of programming, what it leaves is noise,
    drift and what is not linear.
    """
    known = validation.inputs @ program.residual_weights
    return replace(validation, answered=validation.answered - known)
