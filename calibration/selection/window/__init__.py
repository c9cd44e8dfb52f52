"""Two criteria: of the sums within a window, the one with the best second sum."""

from calibration.selection.window.dispatch import nearest_in_window
from calibration.selection.window.one_by_one import SecondCriterion, nearest_second

__all__ = [
    "SecondCriterion",
    "nearest_in_window",
    "nearest_second",
]
