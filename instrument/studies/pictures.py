"""Picture of bits against resistances. Each function fills the empty figure that it receives."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from calibration.studies import BANKS, Row, Summary
from instrument.drawing import MUTED

# From the Okabe-Ito palette; markers distinguish the lines in a grey print.
COLOURS = ["#000000", "#9ecae1", "#56b4e9", "#0072b2", "#c44e00", "#e69f00", "#009e73", "#cc79a7"]
COLOURS += ["#7a4fa3"]
MARKERS = "ov^s*DPXh"


def bits_against_resistances(figure: Figure, summary: Summary) -> None:
    """Draw median and worst bits over n, for a random target and for every target."""
    figure.set_size_inches(9.0, 8.4)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for across, (targets, words) in enumerate(
        {"pair": "a random target", "every": "every target of the interval"}.items()
    ):
        for down, statistic in enumerate(("median", "worst")):
            axes = panels[down, across]
            column = f"{targets}_{statistic}_bits"
            for bank, colour, marker in zip(BANKS, COLOURS, MARKERS, strict=True):
                n, bits = columns([row for row in summary.rows if row["bank"] == bank.key], column)
                label = bank.title if (across, down) == (0, 0) else None
                style = {"markersize": 4, "linewidth": 1.2, "markeredgewidth": 0}
                axes.plot(n, bits, marker=marker, color=colour, label=label, **style)
            one_bit_each(
                axes, summary.rows, "one bit per resistance" if not across + down else None
            )
            axes.set_title(f"{statistic} of all banks, {words}", fontsize=10)
            axes.set_ylim(-1, None)
    for axes in panels[1]:
        axes.set_xlabel("resistances, n")
    for axes in panels[:, 0]:
        axes.set_ylabel("bits, log₂(full scale / 2·error)")
    figure.legend(loc="outside lower center", ncols=2)


def one_bit_each(axes: Axes, rows: Sequence[Row], label: str | None) -> None:
    """Draw the line bits = n."""
    n, _ = columns(rows, "n")
    ends = min(n), max(n)
    axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (1, 2)), label=label)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))


def columns(rows: Sequence[Row], y: str, x: str = "n") -> tuple[list[float], list[float]]:
    """Return two columns of rows, without the rows that lack the second one."""
    points = [(row[x], row[y]) for row in rows if row.get(y) is not None]
    return [float(point[0] or 0) for point in points], [float(point[1] or 0) for point in points]
