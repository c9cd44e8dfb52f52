"""What the error of products should be, cause by cause."""

from calibration.budget.causes import Budget, Products, budget_of_squares, predict_squares
from calibration.budget.products import products_of

__all__ = [
    "Budget",
    "Products",
    "budget_of_squares",
    "predict_squares",
    "products_of",
]
