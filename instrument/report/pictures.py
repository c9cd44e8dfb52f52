"""Pictures of the report, as SVG.

Clouds of points are rasterized inside the vector picture, so that thousands of products stay small.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from calibration.arrays import Floats
from calibration.converters import ChannelStatus, Converters
from calibration.programming import PrecisionByBranches, Programmed
from calibration.statistics import MAX_BITS, as_finite_bits
from instrument import wording
from instrument.drawing import (
    BLUE,
    DIVERGING,
    INK,
    MUTED,
    SHORT_INCHES,
    TALL_INCHES,
    VERMILION,
    draw,
    legend_above,
)
from instrument.matrix import TiledMatrix
from instrument.validation import Validation

PPM = 1e6
COVERAGE_FACTOR = 1.96
"""Half width of a 95 % interval over the standard uncertainty."""


def predicted_against_measured(validation: Validation) -> str:
    """Draw answered over exact products, and below it the errors in ppm of full scale."""
    exact, answered = validation.exact.ravel(), validation.answered.ravel()
    errors = validation.error.ravel() / validation.full_scale * PPM
    ends = min(exact.min(), answered.min(), 0), max(exact.max(), answered.max(), 0)
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
    """Draw the distribution of errors, ppm of full scale, and a normal curve of equal rms."""
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
            label=f"± rms = {wording.ppm(rms / PPM)}",
        )
        axes.set_ylim(0, None)
        axes.yaxis.set_major_locator(_whole_numbers())
        axes.set_xlabel("error ŷ − y, ppm of full scale")
        axes.set_ylabel("products")
        legend_above(figure, 3, handlelength=1.5, columnspacing=1.2)

    return draw(picture, TALL_INCHES)


def error_map(program: TiledMatrix) -> str:
    """Draw the residual of every pair (rows, outputs), ppm of the largest wanted difference.

    Pairs are shown as on the board, each output at its own scale.
    """
    residual = program.residual_of_largest * PPM
    marked = program.unreachable | program.coarse
    shown = residual[~marked] if not marked.all() else residual
    limit = 3 * _rms(shown) or 1.0
    rows, outputs = residual.shape

    def picture(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(
            residual,
            cmap=DIVERGING,
            vmin=-limit,
            vmax=limit,
            aspect="auto",
            interpolation="nearest",
            extent=(0.5, outputs + 0.5, rows + 0.5, 0.5),  # they count from 1
        )
        kinds = (
            (program.unreachable, "X", INK, "beyond reach"),
            (program.coarse, "o", "none", "too coarse"),
        )
        for where, marker, face, label in kinds:
            if where.any():
                of_row, of_output = np.nonzero(where)
                axes.plot(
                    of_output + 1,
                    of_row + 1,
                    marker,
                    color=INK,
                    markerfacecolor=face,
                    markeredgecolor="white" if face == INK else INK,
                    markersize=8,
                    label=label,
                )
        if marked.any():
            legend_above(figure, 2)
        for part in program.tiles[1:]:
            axes.axhline(part.tile.first_row + 0.5, color=INK, linewidth=0.5)
            axes.axvline(part.tile.first_output + 0.5, color=INK, linewidth=0.5)
        axes.grid(visible=False)
        axes.spines[:].set_visible(True)
        axes.set_xlabel("output")
        axes.set_ylabel("row")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(_whole_numbers())
        bar = figure.colorbar(image, extend="both", fraction=0.05, aspect=32, pad=0.03)
        bar.outline.set_linewidth(0.5)
        bar.set_label("measured − wanted, ppm of the largest pair")

    return draw(picture, TALL_INCHES)


def bits_against_branches(coverage: PrecisionByBranches, validated_bits: float) -> str:
    """Draw the bits of selection over the number of branches, and those of the products."""
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
                label=f"products: {wording.bits(validated_bits)}",
            )
        axes.set_ylim(0, None)
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.yaxis.set_major_locator(_whole_numbers())
        axes.set_xlabel("branches per weight")
        axes.set_ylabel("bits")
        legend_above(figure, 2, handlelength=2, columnspacing=2)

    return draw(picture, TALL_INCHES)


def convergence(program: TiledMatrix) -> str:
    """Draw the residual after each round of refinement, in bits of the tile's largest weight.

    All tiles are drawn; a line marks the noise of measuring the first one.
    """
    bits = [
        as_finite_bits(np.array(part.matrix.programmed.round_residuals)) for part in program.tiles
    ]
    first = program.tiles[0].matrix.programmed
    noise_bits = float(as_finite_bits(np.array(measuring_noise(first))))
    max_rounds = max(map(len, bits))

    def picture(figure: Figure) -> None:
        axes = figure.subplots()
        for tile, of_tile in enumerate(bits):
            axes.plot(
                np.arange(1, len(of_tile) + 1),
                of_tile,
                "o-",
                color=BLUE,
                alpha=1 / math.sqrt(len(bits)),
                label="" if tile else "after the round",
            )
            axes.plot(
                len(of_tile),
                of_tile[-1],
                "o",
                markersize=10,
                markerfacecolor="none",
                markeredgecolor=VERMILION,
                markeredgewidth=1.5,
                label="" if tile else "stays",
            )
        if noise_bits < MAX_BITS:
            axes.axhline(
                noise_bits,
                color=MUTED,
                linewidth=1.1,
                linestyle=(0, (1, 2)),
                label="noise of the measurement",
            )
        axes.set_xlim(0.5, max_rounds + 0.5)
        axes.margins(y=0.12)
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.set_xlabel("round")
        axes.set_ylabel("rms residual, bits of the largest weight")
        legend_above(figure, 3, handlelength=1.5, columnspacing=1.2)

    return draw(picture, SHORT_INCHES)


def converter_curves(converters: Converters) -> str:
    """Draw the integral nonlinearity of every row's DAC, in code steps, over its setting.

    The half width of its 95 % interval is drawn below.
    """
    limit, step = converters.rows.full_scale, converters.step_volts
    working = converters.row_status == ChannelStatus.OK
    volts = np.linspace(-limit, limit, 201)
    settings = np.repeat(volts[:, None], len(working), axis=1)
    deviation = converters.rows.deviation(settings)[:, working] / step
    half_width = COVERAGE_FACTOR * converters.rows.uncertainty(settings)[:, working] / step

    def picture(figure: Figure) -> None:
        above, below = figure.subplots(2, sharex=True, height_ratios=[2.3, 1])
        above.plot(volts, deviation, color=BLUE, linewidth=0.7, alpha=0.4)
        above.plot([], [], color=BLUE, linewidth=0.9, label="rows")
        if working.any():
            worst = int(np.abs(deviation).max(axis=0).argmax())
            above.plot(
                volts,
                deviation[:, worst],
                color=VERMILION,
                label=f"row {np.flatnonzero(working)[worst] + 1}, the largest",
            )
            above.fill_between(
                volts,
                deviation[:, worst] - half_width[:, worst],
                deviation[:, worst] + half_width[:, worst],
                color=VERMILION,
                alpha=0.25,
                linewidth=0,
            )
            below.fill_between(
                volts,
                half_width.min(axis=1),
                half_width.max(axis=1),
                color=BLUE,
                alpha=0.3,
                linewidth=0,
            )
            below.plot(volts, np.median(half_width, axis=1), color=BLUE, linewidth=1)
        above.axhline(0, color=MUTED, linewidth=0.7)
        above.set_ylabel("deviation, steps of the code")
        below.set_ylim(0, None)
        below.set_ylabel("half width of\n95 %, steps")
        below.set_xlabel("setting, V")
        legend_above(figure, 2, handlelength=1.5, columnspacing=1.2)

    return draw(picture, TALL_INCHES)


def measuring_noise(programmed: Programmed) -> float:
    """Return the rms standard uncertainty (type A) of a measured weight over the largest one."""
    wanted = programmed.targets.difference_siemens
    uncertainty = programmed.transfer.uncertainty_siemens[: 2 * wanted.shape[1]]
    return float(np.sqrt(2 * (uncertainty**2).mean()) / np.abs(wanted).max())


def _whole_numbers() -> MaxNLocator:
    return MaxNLocator(10, integer=True, min_n_ticks=1)


def _rms(values: Floats) -> float:
    return float(np.sqrt((values**2).mean())) if values.size else 0.0


def _symmetric(values: Floats) -> tuple[float, float]:
    """Return limits of an axis, centred on zero, that hold all values."""
    limit = 1.08 * float(np.abs(values).max()) or 1.0
    return -limit, limit


def _opacity(points: int) -> float:
    """Return the opacity of a point, at which many points still show where they are dense."""
    return float(np.clip(25 / np.sqrt(points), 0.12, 0.8))
