"""Picture of a board over its runs, as SVG on white paper."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calibration.arrays import Floats
from instrument.drawing import BLUE, INK, MUTED, VERMILION, draw
from instrument.history.pictures import PAPER
from instrument.history.trend import Trend
from instrument.history.trend_records import CalibrationPoint

WIDTH_INCHES, MARGIN_INCHES, PANEL_INCHES = 6.4, 0.6, 2.15
ALL_PANELS = 4
DAYS_AROUND_ONE = 0.5
"""Days that are shown before and after a single run."""
BRANCHES_DRAWN = 3
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))
"""Lines of the branches: told apart in a grey print."""
MICRO = 1e6


def over_runs(trend: Trend) -> str:
    """Draw bits, gains, offsets and the branches that have moved most, over the dates.

    Without two calibrations there is no change to draw, and the bits stand alone.
    """
    points = trend.changes.points
    days = _days([point.made_at for point in points])
    started = _days([run.claim.started for run in trend.runs])
    panels_drawn = ALL_PANELS if len(points) > 1 else 1

    def picture(figure: Figure) -> None:
        figure.set_facecolor(PAPER)
        figure.set_figwidth(WIDTH_INCHES)
        figure.subplots_adjust(hspace=0.12)
        panels = figure.subplots(panels_drawn, sharex=True, squeeze=False)[:, 0]
        _bits(panels[0], trend)
        if panels_drawn == ALL_PANELS:
            _gains(panels[1], days, points)
            _offsets(panels[2], days, points)
            _branches(panels[3], days, trend)
        for axes in panels:
            axes.margins(x=0.04, y=0.12)
            axes.legend(loc="best", fontsize=7.5)
        if np.ptp(started) == 0:
            panels[0].set_xlim(started[0] - DAYS_AROUND_ONE, started[0] + DAYS_AROUND_ONE)
        locator = dates.AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
        formatter = dates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        panels[-1].xaxis.set_major_locator(locator)
        panels[-1].xaxis.set_major_formatter(formatter)
        panels[-1].set_xlabel(f"date; board {trend.board}")

    return draw(picture, MARGIN_INCHES + PANEL_INCHES * panels_drawn)


def _bits(axes: Axes, trend: Trend) -> None:
    for name, marker, colour, values in (
        ("measured", "o", BLUE, [run.bits for run in trend.runs]),
        ("predicted", "_", INK, [_predicted(trend, at) for at in range(len(trend.runs))]),
    ):
        stated = [
            (run.claim.started, bits)
            for run, bits in zip(trend.runs, values, strict=True)
            if bits is not None
        ]
        axes.plot(
            _days([started for started, _ in stated]),
            [bits for _, bits in stated],
            marker=marker,
            markersize=4.5 if marker == "o" else 11,
            linestyle="-" if marker == "o" else "none",
            linewidth=1.0,
            color=colour,
            label=name,
        )
    axes.set_ylabel("bits of products")


def _predicted(trend: Trend, at: int) -> float | None:
    result = trend.runs[at].result
    return None if result is None or result.budget is None else result.budget.predicted_bits


def _gains(axes: Axes, days: Floats, points: Sequence[CalibrationPoint]) -> None:
    for name, colour, values in (
        ("rows", BLUE, [point.row_gain_ppm for point in points]),
        ("columns", VERMILION, [point.column_gain_ppm for point in points]),
    ):
        _lines(axes, days, values, colour, name)
    axes.plot(
        days, [point.common_ppm for point in points], "s-", color=INK, linewidth=1.2, label="all"
    )
    axes.set_ylabel("change of gains,\nppm")


def _offsets(axes: Axes, days: Floats, points: Sequence[CalibrationPoint]) -> None:
    for name, colour, values in (
        ("rows", BLUE, [point.row_offset_volts for point in points]),
        ("columns", VERMILION, [point.column_offset_volts for point in points]),
    ):
        changes = [MICRO * (np.array(now) - np.array(values[0])) for now in values]
        _lines(axes, days, changes, colour, name)
    axes.set_ylabel("change of offsets,\nµV")


def _branches(axes: Axes, days: Floats, trend: Trend) -> None:
    points = trend.changes.points
    low, high = np.array([point.own_ppm for point in points]).T
    axes.fill_between(
        days, low, high, color=MUTED, alpha=0.35, linewidth=0, label="90 % of the branches"
    )
    for branch, dashes in zip(trend.changes.branches[:BRANCHES_DRAWN], DASHES, strict=False):
        changes = [np.nan if change is None else change for change in branch.change_ppm]
        errors = [error or 0.0 for error in branch.uncertainty_ppm]
        axes.errorbar(
            days,
            changes,
            yerr=errors,
            marker="o",
            linestyle=dashes,
            linewidth=1.2,
            color=VERMILION if branch.moved else BLUE,
            label=str(branch),
        )
    axes.set_ylabel("own change of\nbranches, ppm")


def _lines(
    axes: Axes,
    days: Floats,
    values: Sequence[Sequence[float]],
    colour: str,
    name: str,
) -> None:
    """Draw a thin line with dots for each row or column."""
    lines = np.array(values)
    axes.plot(days, lines, ".-", color=colour, linewidth=0.7, markersize=3, alpha=0.5)
    axes.plot([], [], ".-", color=colour, linewidth=0.9, label=name)


def _days(moments: Sequence[datetime]) -> Floats:
    """Return moments as matplotlib counts days, by this computer's clock."""
    local = [moment.astimezone().replace(tzinfo=None) for moment in moments]
    numbers: Any = dates.date2num(local)  # type: ignore[no-untyped-call]
    return np.asarray(numbers, dtype=np.float64)
