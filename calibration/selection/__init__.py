"""Select: the subset of a cell's branches whose conductances add up nearest to a target.

Read first: `calls.py` is what a caller sees, `dispatch.py` says which kernel answers. `nearest/`
searches the nearest sum: sixteen cells abreast, or one by one, and again for new targets. `window/`
has a second criterion. `expected_error.py` judges many subsets of a cell, and `preset_switches.py`
picks the switches to search where there are too many.
"""

from calibration.selection.calls import (
    Objective,
    PreparedCells,
    Selection,
    Status,
    prepare,
    select,
    select_in_window,
    select_prepared,
)

__all__ = [
    "Objective",
    "PreparedCells",
    "Selection",
    "Status",
    "prepare",
    "select",
    "select_in_window",
    "select_prepared",
]
