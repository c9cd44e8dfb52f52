"""Picture of a design: its nominal values, and the share of pairs over the bits they reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from calibration.studies import Expected, Goal
from instrument.drawing import BLUE, INK, MUTED, VERMILION
from instrument.wording import quantity

COLOURS = (BLUE, MUTED, VERMILION, "#009e73")


def design_picture(figure: Figure, expected: Sequence[Expected], goal: Goal) -> None:
    """Draw nominal values above, and below the share of pairs against bits."""
    figure.set_size_inches(6.4, 6.2)
    above, below = figure.subplots(2, height_ratios=[1, 2])
    for place, (values, colour) in enumerate(zip(expected, COLOURS, strict=True)):
        ohms, heights = values.nominal_ohms, np.full(len(values.nominal_ohms), -place)
        above.plot(ohms, heights, "|", color=colour, markersize=16, markeredgewidth=1.8)
        reached = np.sort(values.bits)
        share = 1 - np.arange(reached.size) / reached.size
        below.step(reached, share, where="pre", color=colour, label=values.name)
    above.set_xscale("log")
    names = [values.name for values in expected]
    above.set_yticks([-place for place in range(len(expected))], names)
    above.set_ylim(0.6 - len(expected), 0.6)
    above.xaxis.set_major_formatter(FuncFormatter(lambda ohms, _: quantity(ohms, "Ω")))
    above.xaxis.set_minor_formatter(NullFormatter())
    above.set_xlabel("nominal resistance")
    below.plot([goal.bits], [goal.share], "*", color=INK, markersize=12, label="goal")
    below.axhline(goal.share, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    below.set_xlabel("bits at the worst target of a pair, log₂(largest weight / error)")
    below.set_ylabel("share of pairs that reach them")
    below.set_ylim(0, 1.04)
    figure.legend(loc="outside lower center", ncols=5, handlelength=1.5, columnspacing=1.2)
