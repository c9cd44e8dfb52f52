"""Comparison of the measured errors with the error budget.

The budget is predicted without any product. A relative error that differs from it by more than the
factor MAX_ERROR_RATIO has a cause that no calibration measured, and is no property of the board.
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
    """Products whose measured error differs from the budget."""

    output: int | None
    """Output, counted from 0; None for all outputs together."""
    factor: float
    """Measured over predicted relative error."""

    @property
    def worse(self) -> bool:
        """Whether the measured error is larger than predicted."""
        return self.factor > 1


def unforeseen(
    whole: Validation, outputs: Sequence[Validation], budgets: Budgets
) -> tuple[Unforeseen, ...]:
    """Return the products whose error differs from its budget by more than MAX_ERROR_RATIO.

    All outputs together come first, then single outputs. The ratio counts in both directions. A few
    vectors may have small errors by chance: an error below the budget, and any statement on a
    single output, needs products that state a confidence interval.
    """
    deviating = []
    predicted = [budgets.whole.relative_error, *budgets.output_relative_error.tolist()]
    for output, (products, error) in enumerate(zip([whole, *outputs], predicted, strict=True), -1):
        factor = products.relative_error / error if error else math.nan
        stated = products.interval is not None
        if (factor > MAX_ERROR_RATIO and (stated or output < 0)) or (
            factor < 1 / MAX_ERROR_RATIO and stated
        ):
            deviating.append(Unforeseen(None if output < 0 else output, factor))
    return tuple(deviating)


def unforeseen_in_words(listed: Sequence[Mapping[str, Any]]) -> str:
    """Describe the products that the result document lists as not foreseen, with advice.

    Outputs count from 1.
    """
    ratios = [
        f"{'all products' if entry['output'] is None else 'output ' + str(entry['output'] + 1)} "
        f"{entry['factor']:.3g} times"
        for entry in listed[:MAX_OUTPUTS_LISTED]
    ]
    more = (
        f" and {len(listed) - MAX_OUTPUTS_LISTED} more outputs"
        if len(listed) > MAX_OUTPUTS_LISTED
        else ""
    )
    advice = (
        f"Not published as a property of this board. Check {WHAT_TO_CHECK}."
        if any(entry["factor"] > 1 for entry in listed)
        else "The products are better than the budget: what the budget assumes is too large."
    )
    measured = f"{', '.join(ratios)}{more}"
    return f"Measured relative error over what the budget foresees: {measured}. {advice}"
