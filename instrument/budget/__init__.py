"""Error budget of a programmed matrix, and whether the measured errors agree with it.

`budgets_of` predicts the relative error of products from the calibration and from what was measured
when the matrix was programmed; it sees no product. `unforeseen` compares the measured errors with
that prediction. Read first: predicted.py.
"""

from instrument.budget.foreseen import (
    MAX_ERROR_RATIO,
    Unforeseen,
    unforeseen,
    unforeseen_in_words,
)
from instrument.budget.predicted import Budgets, budgets_of

__all__ = [
    "MAX_ERROR_RATIO",
    "Budgets",
    "Unforeseen",
    "budgets_of",
    "unforeseen",
    "unforeseen_in_words",
]
