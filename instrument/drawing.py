"""Style of all pictures: SVG, and the same bytes for the same data.

Figures are made without pyplot, which leaves no global state, and without date or random names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

INK, MUTED, HAIRLINE = "#1b2530", "#6b7681", "#dfe3e7"


# From the Okabe-Ito palette: distinguishable with every common colour blindness, and in grey.
BLUE, VERMILION = "#0072b2", "#c44e00"


DIVERGING = "RdBu_r"


WIDTH_INCHES, SHORT_INCHES, TALL_INCHES = 4.9, 3.4, 4.5


RASTER_DPI = 200


TEXT_POINTS, SMALL_POINTS, POINTS_PER_INCH = 9.5, 8.5, 72.0


# Margins are computed here: matplotlib's own layout takes as long as the rest of the drawing.
MARGIN_INCHES, RIGHT_INCHES = 0.05, 0.1


LINE_INCHES = 0.18


TICK_INCHES, LABEL_INCHES = 0.1, 0.07
"""Distance between an axis and its numbers, and between these and the axis' name."""


PANELS_APART = 0.08
"""Distance between panels, relative to their mean size."""


# Matplotlib measures text in the font that it ships with, so that the layout is the same
# everywhere. The page shows its own font, which is narrower.
LAYOUT_FONT = "DejaVu Sans"


READER_FONTS = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"


def draw(picture: Callable[[Figure], None], height_inches: float) -> str:
    """Return a picture as an SVG document; `picture` fills the empty figure that it receives."""
    with mpl.rc_context():
        _set_style()
        figure = Figure(figsize=(WIDTH_INCHES, height_inches), dpi=RASTER_DPI)
        _set_top(figure, MARGIN_INCHES)
        picture(figure)
        _make_room(figure)
        text = StringIO()
        FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
            text, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return text.getvalue().replace(f"'{LAYOUT_FONT}'", READER_FONTS)


def _set_style() -> None:
    # A person's own matplotlib settings shall not change a report. `rcdefaults` would read every
    # style sheet.
    mpl.rcParams.update(
        {key: value for key, value in mpl.rcParamsDefault.items() if "backend" not in key}
    )
    mpl.rc("font", family=[LAYOUT_FONT], size=TEXT_POINTS)
    mpl.rc("text", color=INK)
    mpl.rc("figure", facecolor="none")
    mpl.rc("figure.subplot", wspace=PANELS_APART, hspace=PANELS_APART)
    mpl.rc("axes", labelcolor=INK, edgecolor=MUTED, facecolor="none", linewidth=0.7)
    mpl.rc("axes", grid=True, axisbelow=True)
    mpl.rc("axes.spines", top=False, right=False)
    mpl.rc("xtick", labelsize=SMALL_POINTS, color=MUTED, labelcolor=INK)
    mpl.rc("ytick", labelsize=SMALL_POINTS, color=MUTED, labelcolor=INK)
    mpl.rc("xtick.major", width=0.7)
    mpl.rc("ytick.major", width=0.7)
    mpl.rc("grid", color=HAIRLINE, linewidth=0.6)
    mpl.rc("lines", linewidth=1.6, markersize=4.5)
    mpl.rc("legend", fontsize=SMALL_POINTS, frameon=False)
    mpl.rc("svg", fonttype="none", hashsalt="ohmsum")


def legend_above(figure: Figure, columns: int, **options: float) -> None:
    """Put the legend of the whole figure above its axes."""
    legend = figure.legend(loc="upper center", ncols=columns, borderaxespad=0.3, **options)
    lines = math.ceil(len(legend.get_texts()) / columns)
    _set_top(figure, 2 * MARGIN_INCHES + lines * LINE_INCHES)


def _set_top(figure: Figure, inches: float) -> None:
    figure.subplots_adjust(top=1 - inches / figure.get_figheight())


def _make_room(figure: Figure) -> None:
    """Leave the margins that the numbers and the names of the axes need."""
    left = right = 0.0
    for axes in figure.axes:
        beside = _beside(axes)
        if axes.yaxis.get_ticks_position() == "right":
            right = max(right, beside)
        else:
            left = max(left, beside)
        if axes.yaxis.get_major_formatter().get_offset():
            above = (1 - figure.subplotpars.top) * figure.get_figheight()
            _set_top(figure, max(above, MARGIN_INCHES + LINE_INCHES))
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=(MARGIN_INCHES + left) / width,
        right=1 - (RIGHT_INCHES + right) / width,
        bottom=(MARGIN_INCHES + 2 * LINE_INCHES + LABEL_INCHES) / height,
    )


def _beside(axes: Axes) -> float:
    """Return the width, inches, of the numbers and the name of a vertical axis."""
    if not axes.yaxis.get_tick_params()["labelleft"] and axes.yaxis.get_ticks_position() == "left":
        return 0.0
    font = FontProperties(family=[LAYOUT_FONT], size=SMALL_POINTS)
    widths = (
        text_to_path.get_text_width_height_descent(label.get_text(), font, ismath=False)[0]
        for label in axes.get_yticklabels()
    )
    name = axes.get_ylabel()
    lines = (name.count("\n") + 1) * LINE_INCHES + LABEL_INCHES if name else 0.0
    return max(widths, default=0.0) / POINTS_PER_INCH + TICK_INCHES + lines
