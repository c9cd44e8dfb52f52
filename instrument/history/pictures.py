"""Pictures of runs, as SVG on white paper: legible on light pages and on dark ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calibration.arrays import Floats
from calibration.statistics import as_finite_bits
from instrument import wording
from instrument.drawing import BLUE, INK, VERMILION, draw, legend_above
from instrument.history.comparison import Comparison

PAPER = "#ffffff"
WIDTH_INCHES, MARGIN_INCHES, INCHES_PER_ROW = 8.6, 1.2, 0.21
HALF_BAR, APART = 0.33, 0.14
COLOURS = BLUE, VERMILION
"""Of the first run and of the second."""
BITS_LEFT, BITS_ALONE = 1.0, 10.0
"""Bits beyond those of the sum that the waterfalls, and the single causes, are drawn to."""


def waterfalls(comparison: Comparison) -> str:
    """Draw how the causes reduce the bits to those of their sum, in one run and in the other.

    Both take the causes in the same order, and a bit is as long in one as in the other. On the
    right, dots mark the bits that each cause alone would leave; one beyond the edge is marked
    there.
    """
    causes = sorted(comparison.causes, key=lambda cause: -max(cause.a, cause.b))
    errors = np.array([[cause.a, cause.b] for cause in causes]).T
    left = as_finite_bits(np.sqrt(np.cumsum(errors**2, axis=1)))
    measured = [run.bits for run in (comparison.a, comparison.b)]
    places = np.arange(len(causes))

    def picture(figure: Figure) -> None:
        figure.set_facecolor(PAPER)
        figure.set_figwidth(WIDTH_INCHES)
        panels = figure.subplots(1, 3, sharey=True)
        limits = _limits(left, measured)
        for index, (colour, name) in enumerate(zip(COLOURS, "AB", strict=True)):
            _waterfall(panels[index], left[index], measured[index], colour, name)
            panels[index].set_xlabel(f"bits that are left in {name}")
            panels[index].set_xlim(*limits[index])
        edge = float(left[:, -1].max()) + BITS_ALONE
        for index, (colour, name) in enumerate(zip(COLOURS, "AB", strict=True)):
            dots = np.asarray(places + APART * (2 * index - 1), dtype=np.float64)
            _alone(panels[2], dots, as_finite_bits(errors[index]), edge, colour, name)
        panels[2].set_xlim(None, edge + 0.4)
        panels[2].set_xlabel("bits by the cause alone")
        panels[0].set_yticks(places, [cause.cause for cause in causes])
        panels[0].invert_yaxis()
        for axes in panels:
            axes.tick_params(axis="y", length=0)
            axes.grid(visible=False, axis="y")
        legend_above(figure, 6, columnspacing=1.2, handlelength=1.5)

    return draw(picture, MARGIN_INCHES + INCHES_PER_ROW * len(causes))


def _waterfall(axes: Axes, left: Floats, measured: float | None, colour: str, name: str) -> None:
    places = np.arange(len(left))
    before = np.concatenate([left[:1], left[:-1]])
    axes.barh(places, before - left, left=left, height=2 * HALF_BAR, color=colour)
    axes.vlines(left[:-1], places[:-1] + HALF_BAR, places[1:] - HALF_BAR, color=colour, lw=0.8)
    axes.plot(left[0], 0, marker="o", color=colour, markeredgewidth=0)
    axes.axvline(
        left[-1], color=INK, linewidth=1.1, label=f"{name} sum {wording.bits(float(left[-1]))}"
    )
    if measured is not None:
        axes.axvline(
            measured,
            color=INK,
            linewidth=1.2,
            linestyle=(0, (4, 2)),
            label=f"{name} measured {wording.bits(measured)}",
        )


def _alone(axes: Axes, places: Floats, alone: Floats, edge: float, colour: str, name: str) -> None:
    beyond = alone > edge
    for where, at, marker, label in (
        (~beyond, alone[~beyond], "o", f"{name} alone"),
        (beyond, np.full(beyond.sum(), edge), ">", None),
    ):
        axes.plot(
            at,
            places[where],
            linestyle="none",
            marker=marker,
            color=colour,
            markeredgewidth=0,
            label=label,
        )


def _limits(left: Floats, measured: Sequence[float | None]) -> list[tuple[float, float]]:
    """Return the ends of each waterfall's axis: of the same length."""
    ends = []
    for run, bits in zip(left, measured, strict=True):
        marked = [run[-1], min(run[0], run[-1] + BITS_LEFT)]
        if bits is not None and abs(bits - run[-1]) < BITS_ALONE:
            marked.append(bits)
        ends.append((min(marked), max(marked)))
    length = max(high - low for low, high in ends) or 1.0
    return [(low - 0.08 * length, low + 1.08 * length) for low, _ in ends]
