"""Whether what was measured is what the error budget foresees.

The budget is found without looking at the products. A relative error that differs from it by more
than MAX_ERROR_RATIO was made by something that no calibration saw, and is no property of the board.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from instrument.budget.predicted import Budgets
from instrument.validation import Validation

MAX_ERROR_RATIO = 3.0
MAX_OUTPUTS_LISTED = 6
WHAT_TO_CHECK = (
    "another host on the board, contacts and cables, supply and temperature, settle_seconds, a "
    "calibration of another day; calibrate and run again"
)


@dataclass(frozen=True)
class Unforeseen:
    """Products that are not what the budget foresees."""

    output: int | None
    """Counted from 0; None for all outputs together."""
    factor: float
    """Measured over predicted relative error."""

    @property
    def worse(self) -> bool:
        """Whether the products err by more than foreseen, and not by less."""
        return self.factor > 1


def unforeseen(
    whole: Validation, outputs: Sequence[Validation], budgets: Budgets
) -> tuple[Unforeseen, ...]:
    """Return the products whose error differs from its budget by more than MAX_ERROR_RATIO.

    All outputs together come first, then single outputs. The ratio counts in both directions. A few
    vectors may have small errors by chance: an error below the budget, and any statement on a
    single output, needs products that state a confidence interval.
    """
    found = []
    predicted = [budgets.whole.relative_error, *budgets.output_relative_error.tolist()]
    for output, (products, error) in enumerate(zip([whole, *outputs], predicted, strict=True), -1):
        factor = products.relative_error / error if error else math.nan
        told = products.interval is not None
        if (factor > MAX_ERROR_RATIO and (told or output < 0)) or (
            factor < 1 / MAX_ERROR_RATIO and told
        ):
            found.append(Unforeseen(None if output < 0 else output, factor))
    return tuple(found)


def unforeseen_in_words(found: Sequence[Mapping[str, Any]]) -> str:
    """Write what a result document lists as not foreseen, outputs counted from 1, and what to check
    or to make of it.
    """
    said = [
        f"{'all products' if one['output'] is None else 'output ' + str(one['output'] + 1)} "
        f"{one['factor']:.3g} times"
        for one in found[:MAX_OUTPUTS_LISTED]
    ]
    more = (
        f" and {len(found) - MAX_OUTPUTS_LISTED} more outputs"
        if len(found) > MAX_OUTPUTS_LISTED
        else ""
    )
    advice = (
        f"Not published as a property of this board. Check {WHAT_TO_CHECK}."
        if any(one["factor"] > 1 for one in found)
        else "The products are better than the budget: what the budget supposes is too much."
    )
    return (
        f"Measured relative error over what the budget foresees: {', '.join(said)}{more}. {advice}"
    )
