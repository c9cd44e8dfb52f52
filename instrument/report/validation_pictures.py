"""Pictures of repeatability and of intermediate precision, as SVG."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from calibration.statistics import as_finite_bits
from instrument import wording
from instrument.drawing import BLUE, MUTED, SHORT_INCHES, TALL_INCHES, VERMILION, draw, legend_above
from instrument.validation import Checks, IntermediatePrecision, Validation


def averaging(validation: Validation, checks: Checks) -> str:
    """Draw the scatter of means of k answers over k, in bits, and the error of one answer."""
    scatter = checks.repeatability.relative_scatter
    readings = np.array(list(scatter))
    bits = as_finite_bits(np.array(list(scatter.values())))

    def picture(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(
            readings,
            bits[0] + np.log2(readings) / 2,
            color=MUTED,
            linewidth=1,
            linestyle=(0, (1, 2)),
            label="1/√k",
        )
        axes.plot(readings, bits, "o-", color=BLUE, label="scatter of the mean")
        if np.isfinite(validation.bits):
            axes.axhline(
                validation.bits,
                color=VERMILION,
                linewidth=1.2,
                linestyle=(0, (4, 2)),
                label=f"error of one answer: {wording.bits(validation.bits)}",
            )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(readings.tolist()))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(readings, [str(k) for k in readings])
        axes.margins(y=0.12)
        axes.set_xlabel("readings averaged, k")
        axes.set_ylabel("bits of ‖y‖")
        legend_above(figure, 3, handlelength=1.8, columnspacing=1.2)

    return draw(picture, SHORT_INCHES)


def over_hours(measured: IntermediatePrecision) -> str:
    """Draw the bits of the products over hours, and below them the board's temperature.

    Three kinds of products are shown: as programmed, watched, and reprogrammed at the end.
    """
    visits, anew = measured.visits, measured.reprogrammed.validation
    hours = [visit.hours for visit in visits]
    bits, watched = (
        as_finite_bits(np.array([getattr(visit, kind).relative_error for visit in visits]))
        for kind in ("validation", "watched")
    )
    kelvin = np.array([visit.board_kelvin for visit in visits])

    def picture(figure: Figure) -> None:
        above, below = figure.subplots(2, sharex=True, height_ratios=[1.6, 1])
        above.plot(hours, bits, "o-", color=BLUE, label="as programmed")
        above.plot(hours, watched, "s-", color=MUTED, markersize=4, label="watched by sentinels")
        above.plot(hours[-1:], [anew.bits], "^", color=VERMILION, label="reprogrammed")
        intervals = [visit.validation.bits_interval for visit in visits]
        if all(intervals):
            low, high = np.array(intervals).T
            above.fill_between(hours, low, high, color=BLUE, alpha=0.15, linewidth=0)
        above.margins(y=0.12)
        above.set_ylabel("bits of relative error")
        below.plot(hours, kelvin - kelvin[0], "o-", color=VERMILION, markersize=3.5, linewidth=1.2)
        below.margins(y=0.15)
        below.set_ylabel("warmer by, K")
        below.set_xlabel("hours on the board's clock")
        legend_above(figure, 3, handlelength=1.8, columnspacing=1.2)

    return draw(picture, TALL_INCHES)
