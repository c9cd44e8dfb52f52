"""The report's pictures, as SVG.

Figures are made without pyplot, so nothing global is touched or left behind, and without date or random names,
so the same data give the same bytes. Clouds of points are rasterized inside the vector picture: thousands of
products stay small.
"""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from calibration.coverage import Coverage
from calibration.refinement import Programmed
from instrument.validation import Validation

INK, MUTED, HAIRLINE = "#1b2530", "#6b7681", "#dfe3e7"
# Blue and vermilion of the Okabe-Ito palette: distinct under every common colour blindness, and in grey.
BLUE, VERMILION = "#0072b2", "#c44e00"
DIVERGING = "RdBu_r"

WIDTH_INCHES, SHORT_INCHES, TALL_INCHES = 4.9, 3.5, 4.9
RASTER_DPI = 200
PPM = 1e6
MOST_BITS = 60.0
"""Drawn in place of the infinity of an error that is exactly zero."""

# Matplotlib measures text in the font it brings along, which makes the layout the same everywhere;
# the reader sees the page's own font, which runs narrower.
LAYOUT_FONT = "DejaVu Sans"
READER_FONTS = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"

STYLE = {
    "font.family": [LAYOUT_FONT],
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": HAIRLINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "ohmsum",
}


def draw(picture: Callable[[Figure], None], height_inches: float) -> str:
    """Return a picture as an SVG document; `picture` fills the empty figure that it is given."""
    defaults = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}
    with mpl.rc_context({**defaults, **STYLE}):
        figure = Figure(figsize=(WIDTH_INCHES, height_inches))
        picture(figure)
        text = StringIO()
        figure.savefig(
            text,
            format="svg",
            dpi=RASTER_DPI,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return text.getvalue().replace(f"'{LAYOUT_FONT}'", READER_FONTS)


def predicted_against_measured(validation: Validation) -> str:
    """Draw answered over exact products, and below it the errors in ppm of full scale."""
    exact, answered = validation.exact.ravel(), validation.answered.ravel()
    errors = validation.error.ravel() / validation.full_scale * PPM
    ends = np.array([min(exact.min(), answered.min()), max(exact.max(), answered.max())])
    points = {
        "linestyle": "none",
        "marker": "o",
        "markeredgewidth": 0,
        "color": BLUE,
        "rasterized": True,
    }

    def picture(figure: Figure) -> None:
        above, below = figure.subplots(2, sharex=True, height_ratios=[2.3, 1])
        above.plot(ends, ends, color=VERMILION, linewidth=1, label="ŷ = y")
        above.plot(
            exact, answered, markersize=3, alpha=_opacity(exact.size), label="products", **points
        )
        above.set_ylabel("answered by the board, ŷ")
        above.legend(loc="upper left", markerscale=1.5)

        rms = _rms(errors)
        below.axhspan(-rms, rms, color=VERMILION, alpha=0.12, linewidth=0)
        below.axhline(0, color=VERMILION, linewidth=1)
        below.plot(exact, errors, markersize=2.2, alpha=_opacity(exact.size), **points)
        below.set_ylim(_symmetric(errors))
        below.set_ylabel("ŷ − y, ppm of\nfull scale")
        below.set_xlabel("exact product, y")

    return draw(picture, TALL_INCHES)


def error_histogram(validation: Validation) -> str:
    """Draw how the errors of the products spread, in ppm of full scale, beside a normal curve of equal rms."""
    errors = validation.error.ravel() / validation.full_scale * PPM
    rms = _rms(errors)
    bins = int(np.clip(2 * errors.size ** (1 / 3), 9, 61)) | 1  # odd: one bin is centred on zero

    def picture(figure: Figure) -> None:
        axes = figure.subplots()
        low, high = _symmetric(errors)
        edges = np.linspace(low, high, bins + 1)
        counts, _ = np.histogram(errors, edges)
        axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.35, label="products")
        axes.stairs(counts, edges, color=BLUE, linewidth=0.9)
        if rms > 0:
            grid = np.linspace(low, high, 301)
            normal = np.exp(-0.5 * (grid / rms) ** 2) / (rms * np.sqrt(2 * np.pi))
            axes.plot(
                grid,
                errors.size * (edges[1] - edges[0]) * normal,
                color=INK,
                linewidth=1.3,
                label="normal curve of the same rms",
            )
            for side in (-rms, rms):
                axes.axvline(side, color=VERMILION, linewidth=1.1, linestyle=(0, (4, 2)))
        axes.plot(
            [],
            [],
            color=VERMILION,
            linewidth=1.1,
            linestyle=(0, (4, 2)),
            label=f"± rms = {rms:,.3g} ppm",
        )
        axes.set_ylim(0, None)
        axes.margins(y=0.3)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel("error ŷ − y, ppm of full scale")
        axes.set_ylabel("products")
        figure.legend(loc="outside upper center", ncols=3, handlelength=1.5, columnspacing=1.2)

    return draw(picture, SHORT_INCHES)


def error_map(programmed: Programmed) -> str:
    """Draw the residual of every weight over the array (rows, outputs), in ppm of the largest weight."""
    largest = np.abs(programmed.targets.difference_siemens).max()
    residual = programmed.residual_siemens / largest * PPM
    reachable = residual[~programmed.unreachable]
    limit = 3 * _rms(reachable) or 1.0

    def picture(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(
            residual,
            cmap=DIVERGING,
            vmin=-limit,
            vmax=limit,
            aspect="auto",
            interpolation="nearest",
        )
        if programmed.unreachable.any():
            rows, outputs = np.nonzero(programmed.unreachable)
            axes.plot(
                outputs,
                rows,
                "x",
                color=INK,
                markersize=5,
                markeredgewidth=1.4,
                label="beyond reach",
            )
            figure.legend(loc="outside upper right")
        axes.grid(visible=False)
        axes.spines[:].set_visible(True)
        axes.set_xlabel("output")
        axes.set_ylabel("row")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        bar = figure.colorbar(image, extend="both", aspect=32, pad=0.02)
        bar.outline.set_linewidth(0.5)  # type: ignore[operator]
        bar.set_label("measured − wanted, ppm of the largest weight")

    return draw(picture, TALL_INCHES)


def bits_against_branches(coverage: Coverage, validated_bits: float) -> str:
    """Draw the precision of selection over the number of branches, and the bits of the validated products."""
    branches = coverage.branches_per_weight

    def picture(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(
            branches,
            branches,
            color=MUTED,
            linewidth=1,
            linestyle=(0, (1, 2)),
            label="one bit per branch",
        )
        axes.plot(branches, coverage.median_bits, "o-", color=BLUE, label="median weight")
        axes.plot(
            branches,
            coverage.worst_bits,
            "s-",
            color=BLUE,
            markerfacecolor="white",
            linewidth=1.1,
            label="worst weight",
        )
        if np.isfinite(validated_bits):
            axes.axhline(
                validated_bits,
                color=VERMILION,
                linewidth=1.2,
                linestyle=(0, (4, 2)),
                label=f"products: {validated_bits:.1f}",
            )
        axes.set_ylim(0, None)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        axes.set_xlabel("branches per weight")
        axes.set_ylabel("bits")
        axes.legend(loc="upper left")

    return draw(picture, SHORT_INCHES)


def convergence(programmed: Programmed) -> str:
    """Draw the residual after each round of refinement, in bits of the largest weight."""
    residuals = np.array(programmed.round_residuals)
    rounds = np.arange(1, len(residuals) + 1)
    bits = as_bits(residuals)
    kept = int(residuals.argmin())
    noise_bits = float(as_bits(np.array(measuring_noise(programmed))))

    def picture(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(rounds, bits, "o-", color=BLUE, label="after the round")
        axes.plot(
            rounds[kept],
            bits[kept],
            "o",
            markersize=10,
            markerfacecolor="none",
            markeredgecolor=VERMILION,
            markeredgewidth=1.5,
            label="kept",
        )
        if noise_bits < MOST_BITS:
            axes.axhline(
                noise_bits,
                color=MUTED,
                linewidth=1.1,
                linestyle=(0, (1, 2)),
                label="noise of the measurement",
            )
        axes.margins(x=0.06, y=0.12)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        axes.set_xlabel("round")
        axes.set_ylabel("rms residual, bits of the largest weight")
        figure.legend(loc="outside upper center", ncols=3, handlelength=1.5, columnspacing=1.2)

    return draw(picture, SHORT_INCHES)


def as_bits(fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return −log2 of fractions of any shape, at most MOST_BITS."""
    return np.asarray(-np.log2(np.maximum(fraction, 2.0**-MOST_BITS)))


def measuring_noise(programmed: Programmed) -> float:
    """Return the rms standard uncertainty of a measured weight (type A), over the largest weight."""
    wanted = programmed.targets.difference_siemens
    uncertainty = programmed.transfer.uncertainty_siemens[: 2 * wanted.shape[1]]
    return float(np.sqrt(2 * (uncertainty**2).mean()) / np.abs(wanted).max())


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean())) if values.size else 0.0


def _symmetric(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return limits of an axis, centred on zero, that hold all values."""
    limit = 1.08 * float(np.abs(values).max()) or 1.0
    return -limit, limit


def _opacity(points: int) -> float:
    """Return how opaque a point is drawn, so that a crowd of them still shows where it is dense."""
    return float(np.clip(25 / np.sqrt(points), 0.12, 0.8))
