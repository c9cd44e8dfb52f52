"""Select: the subset of a cell's branches whose conductances add up nearest to a target.

`calls` is what a caller sees, `search` says which kernel answers. `sums` holds what every kernel
stands on, and searches cells one after another; `sums_abreast` searches sixteen at once on the
networks of `bitonic`, `sums_prepared` does so again for new targets. `window` and its neighbours,
of which `two_criteria` takes the quickest, know two criteria; `candidates` judges many subsets of
a cell, and `part` picks the switches to search where there are too many.
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
