"""Pictures of measured values with their intervals, beside the predicted lines.

Each function fills the empty figure that it receives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from calibration.arrays import Floats
from calibration.studies import (
    BANKS,
    CASES,
    NEAREST,
    SUBSET,
    WANTED_BITS,
    Row,
    Summary,
    column,
    critical_kappa,
    expected_perfect,
    perfect_probability,
)
from instrument.drawing import BLUE, INK, MUTED, VERMILION

DOTTED = (0, (1, 2))
SEQUENCE = ("#9ecae1", "#56b4e9", "#0072b2", "#3b3f8f", "#000000")
"""Colours from light to dark, as n grows."""


def weights_needed(figure: Figure, summary: Summary) -> None:
    """Draw the weights needed over the bits wanted, of a random target and of every target."""
    figure.set_size_inches(8.6, 4.6)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (targets, words) in zip(
        panels, {"random": "a random target", "every": "every target"}.items(), strict=True
    ):
        for share, colour, marker, label in (
            (0.5, BLUE, "o", "half of all banks"),
            (0.9, VERMILION, "s", "nine tenths of all banks"),
        ):
            rows = _where(summary.rows, targets=targets, share=share)
            n = column(rows, "n")
            axes.plot(column(rows, "predicted_bits"), n, color=colour, linewidth=1.2)
            bits, error = _with_error(rows, "bits")
            _points(axes, bits, n, colour, marker, label, x_error=error)
        axes.plot(n, n, color=MUTED, linewidth=1, linestyle=DOTTED, label="one bit a weight")
        axes.plot([], [], color=INK, linewidth=1.2, label="predicted, nothing fitted")
        axes.set_title(f"{words} of [−½, ½]", fontsize=10)
        axes.set_xlabel("bits, log₂(1 / 2ε)")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    panels[0].set_ylabel("weights needed, n")
    panels[0].yaxis.set_major_locator(MaxNLocator(10, integer=True))
    _legend(figure, panels[0], ncols=4)


def transition(figure: Figure, summary: Summary) -> None:
    """Draw the probability of a perfect partition over κ, and over the bits beyond κ_c."""
    figure.set_size_inches(8.6, 4.4)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.25, 1])
    lengths = sorted({int(n) for n in column(summary.rows, "n")})
    for place, n in enumerate(lengths):
        colour, marker = SEQUENCE[place], "ovs^D"[place]
        rows = _where(summary.rows, n=n)
        bits = column(rows, "bits")
        probability, error = _with_error(rows, "probability")
        grid = np.linspace(float(bits.min()), float(bits.max()), 201)
        predicted = [perfect_probability(expected_perfect(n, grid_bits)) for grid_bits in grid]
        left.plot(grid / n, predicted, color=colour, linewidth=1.2)
        label = f"n = {n}"
        for axes, at in ((left, bits / n), (right, bits - n * critical_kappa(n))):
            _points(axes, at, probability, colour, marker, label, y_error=error)
    first, last = right.get_xlim()
    beyond = np.linspace(first, last, 201)
    limit = [perfect_probability(0.5 * 2.0**-bits_beyond) for bits_beyond in beyond]
    right.plot(beyond, limit, color=INK, linewidth=1.2, zorder=0)
    left.plot([], [], color=INK, linewidth=1.2, label="predicted, nothing fitted")
    left.axvline(1, color=MUTED, linewidth=1, linestyle=DOTTED)
    left.annotate("κ = 1", (1, 1.0), (4, -2), textcoords="offset points", color=MUTED, fontsize=8.5)
    left.set_xlabel("bits for each number, κ = b/n")
    right.set_xlabel("bits beyond the predicted transition, b − n·κ_c(n)")
    left.set_ylabel("probability of a perfect partition")
    _legend(figure, left, ncols=6)


def sizes(figure: Figure, summary: Summary) -> None:
    """Draw for each bank the bits of half of its switches, and of any number, over n."""
    figure.set_size_inches(9.4, 4.4)
    panels = figure.subplots(1, len(CASES), sharex=True, sharey=True)
    titles = {bank.key: bank.title for bank in BANKS}
    for axes, bank in zip(panels, CASES, strict=True):
        for search, colour, marker, label in (
            ("anywhere", MUTED, "^", "any number closed, any target"),
            ("free", BLUE, "o", "any number closed, targets in reach of n/2"),
            ("fixed", VERMILION, "x", "exactly n/2 closed, same targets"),
        ):
            rows = _where(summary.rows, bank=bank, search=search)
            n = column(rows, "n")
            axes.plot(n, column(rows, "predicted_bits"), color=colour, linewidth=1.2)
            bits, error = _with_error(rows, "bits")
            _points(axes, n, bits, colour, marker, label, y_error=error)
        axes.plot([], [], color=INK, linewidth=1.2, label="predicted, nothing fitted")
        reach = column(_where(summary.rows, bank=bank, search="fixed"), "reach")[-1]
        title = titles[bank].partition(", targets")[0]
        axes.set_title(f"{title}\nn/2 reach {100 * reach:.0f} % of full scale", fontsize=9.5)
        axes.set_xlabel("resistances, n")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(10, integer=True))
    panels[0].set_ylabel("median bits, log₂(full scale / 2·error)")
    _legend(figure, panels[0], ncols=2)


def nearest_against_subset(figure: Figure, summary: Summary) -> None:
    """Draw the error of the nearest weight and of the best subset over n, logarithmically."""
    figure.set_size_inches(6.6, 4.8)
    axes = figure.subplots()
    for way, colour, words in (
        (NEAREST, BLUE, "nearest weight (Malach et al.)"),
        (SUBSET, VERMILION, "best subset (Pensia et al.)"),
    ):
        for share, marker, banks in ((0.5, "o", "half"), (0.9, "^", "nine tenths")):
            rows = _where(summary.rows, way=way, share=share)
            n = column(rows, "n")
            axes.plot(n, _error(column(rows, "predicted_bits")), color=colour, linewidth=1.1)
            error = _error(column(rows, "bits"))
            ends = _error(column(rows, "bits_high")), _error(column(rows, "bits_low"))
            reach = np.array([error - ends[0], ends[1] - error])
            _points(axes, n, error, colour, marker, f"{words}, {banks}", y_error=reach)
    axes.plot([], [], color=INK, linewidth=1.1, label="predicted, nothing fitted")
    axes.plot([], [], color=MUTED, linewidth=1, linestyle=DOTTED, label="ε = 2⁻¹⁰")
    wanted = float(_error(np.array([WANTED_BITS]))[0])
    axes.axhline(wanted, color=MUTED, linewidth=1, linestyle=DOTTED)
    for finding in summary.findings:
        at = finding[f"n_for_{WANTED_BITS:g}_bits"]
        if finding["share"] == 0.5 and at is not None:
            axes.annotate(
                f"{math.ceil(float(at)):,} weights",
                (float(at), wanted),
                (-6, -4),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=8.5,
            )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.set_xlabel("random weights, n")
    axes.set_ylabel("error ε of one target weight")
    _legend(figure, axes, ncols=2)


def _where(rows: Sequence[Row], **wanted: str | float) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _with_error(rows: Sequence[Row], name: str) -> tuple[Floats, Floats]:
    """Return a measured column (rows,) and the reach of its interval (2, rows); NaN if unknown."""
    value = column(rows, name)
    return value, np.array(
        [value - column(rows, f"{name}_low"), column(rows, f"{name}_high") - value]
    )


def _points(
    axes: Axes,
    x: Floats,
    y: Floats,
    colour: str,
    marker: str,
    label: str,
    *,
    x_error: Floats | None = None,
    y_error: Floats | None = None,
) -> None:
    axes.errorbar(
        x,
        y,
        xerr=x_error,
        yerr=y_error,
        fmt=marker,
        color=colour,
        label=label,
        markersize=4.5,
        markeredgewidth=1.3 if marker == "x" else 0,
        elinewidth=0.9,
    )


def _error(bits: Floats) -> Floats:
    return np.asarray(0.5 * 2.0**-bits)


def _legend(figure: Figure, axes: Axes, ncols: int) -> None:
    """Draw one legend below all panels, with the entries of one of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=ncols, columnspacing=1.4)
