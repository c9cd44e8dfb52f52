"""Picture of the error budget in the report."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from calibration.budget import Budget
from calibration.statistics import as_finite_bits
from instrument import wording
from instrument.drawing import BLUE, INK, VERMILION, draw, legend_above

MARGIN_INCHES, INCHES_PER_ROW = 1.2, 0.21
HALF_BAR = 0.33
BITS_SHOWN = 10.0
"""Bits beyond those of the sum: a cause with more bits is marked at the edge."""


def waterfall(budget: Budget, measured_bits: float) -> str:
    """Draw how the causes, the largest first, reduce the bits to those of their sum.

    On the left, a bar reaches from the bits that remain with all larger causes to those that remain
    with this cause as well. On the right, a dot marks the bits that the cause alone would leave.
    """
    rows = sorted(budget.rows, key=lambda row: -row.relative_error)
    errors = np.array([row.relative_error for row in rows])
    left, alone = as_finite_bits(np.sqrt(np.cumsum(errors**2))), as_finite_bits(errors)
    edge = float(left[-1]) + BITS_SHOWN
    beyond = alone > edge
    places = np.arange(len(rows))

    def picture(figure: Figure) -> None:
        falls, dots = figure.subplots(1, 2, sharey=True)
        without = np.concatenate([left[:1], left[:-1]])
        falls.barh(places, without - left, left=left, height=2 * HALF_BAR, color=BLUE)
        falls.vlines(left[:-1], places[:-1] + HALF_BAR, places[1:] - HALF_BAR, color=BLUE, lw=0.8)
        falls.plot(left[0], 0, marker="o", color=BLUE, markeredgewidth=0)
        falls.axvline(left[-1], color=INK, linewidth=1.1, label=f"sum: {_bits(left[-1])}")
        if np.isfinite(measured_bits):
            falls.axvline(
                measured_bits,
                color=VERMILION,
                linewidth=1.2,
                linestyle=(0, (4, 2)),
                label=f"measured: {_bits(measured_bits)}",
            )
        falls.set_xlabel("bits that are left")
        falls.set_yticks(places, [row.cause for row in rows])
        falls.invert_yaxis()
        ends = left[0], left[-1], measured_bits if np.isfinite(measured_bits) else left[-1]
        margin = 0.08 * (max(ends) - min(ends)) or 0.1
        falls.set_xlim(min(ends) - margin, max(ends) + margin)
        marks = {"linestyle": "none", "color": BLUE, "markeredgewidth": 0}
        dots.plot(alone[~beyond], places[~beyond], marker="o", **marks)
        dots.plot(np.full(beyond.sum(), edge), places[beyond], marker=">", **marks)
        dots.set_xlim(None, edge + 0.4)
        dots.set_xlabel("bits by the cause alone")
        for axes in (falls, dots):
            axes.tick_params(axis="y", length=0)
            axes.grid(visible=False, axis="y")
        legend_above(figure, 2, columnspacing=1.2)

    return draw(picture, MARGIN_INCHES + INCHES_PER_ROW * len(rows))


def _bits(value: float) -> str:
    return wording.bits(float(value))
