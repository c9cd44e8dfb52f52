"""The error budget: what each cause should contribute to the error of products.

Read `causes` first: `Products` holds what the budget needs, `predict_squares` computes what each
cause contributes, `budget_of_squares` sums the causes in squares. `products` then fills `Products`
from a programmed board, its calibration and the row voltages. docs/uncertainty.md derives the
equations.
"""

from calibration.budget.causes import Budget, Products, budget_of_squares, predict_squares
from calibration.budget.products import products_of

__all__ = [
    "Budget",
    "Products",
    "budget_of_squares",
    "predict_squares",
    "products_of",
]
