"""From readings to curves: one least squares fit over all rows and columns.

In block b and vector m, column j, in which the rows r meet, reads

    y_bmj = z_bj + Σ_s T_bjs·u_bms + Σ_r g_bjr·d_r(u_bmr) + ρ·a_j(y_bmj/ρ) + noise,

u the codes as voltages, s the sequences, z the column's zero, T the lines (of the meeting rows and
of all leakage), g the conductances, d the curves of the DACs, a those of the ADCs, ρ the range. z
and T are projected out block by block. The rest is linear in the curves' coefficients except for g,
which multiplies terms smaller by 10⁻⁴ and comes from the lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.converters.curves import FIRST_DEGREE, Curves, bent
from calibration.converters.design import ConverterDesign
from calibration.converters.normal_equations import (
    MIN_NOISE_RATIO,
    Block,
    Priors,
    solve,
    with_vectors_as_clusters,
)
from calibration.reading_noise import ReadingNoise

MAX_DEGREE = 14
"""Highest degree of a curve."""
MIN_TERMS, SPARE_TERMS = 3, 4
"""Minimum number of terms of a curve; terms kept beyond those that the data ask for."""
CLASS_DAC_STEPS, CLASS_ADC = 4.0, 10e-6
"""Prior standard deviation of every coefficient, with mean zero: of a DAC in steps, of an ADC over
the range. A channel that the readings say nothing of keeps this uncertainty.
"""
MAX_LINE_SCATTER, MAX_CURVE_SCATTER = 10.0, 5.0
"""Largest scatter of a column's block over the median block's. First about the lines alone, because
a row that failed during the measurement would spoil all blocks solved with it; then about the
curves.
"""
ADC_LINE_END = 0.85
"""End of an ADC's line, over the range. The design's readings reach about this far."""


@dataclass(frozen=True)
class CurveFit:
    """The curves, and the conductances and noise found with them."""

    rows: Curves
    """Of a DAC's setting, volts: the output beyond its line, volts."""
    columns: Curves
    """Of a reading over its range: the ADC's deviation from its line, over the range."""
    crosspoint_siemens: Floats
    """(blocks, columns, meeting): slopes of the meeting rows."""
    kept: Bools
    """(blocks, columns): the blocks that the fit uses."""
    reading_amperes: float
    """Standard deviation of a reading."""


def fit_curves(
    design: ConverterDesign,
    amperes: Floats,
    kept: Bools,
    open_siemens: Floats,
    line_end_volts: float,
) -> CurveFit:
    """Fit the curves to readings (blocks, vectors, columns), ampere.

    `kept` (blocks, columns) marks the good blocks; `open_siemens` (rows, columns) is the
    conductance with all switches open.

    The first round has all degrees and rough conductances. The second has the degrees that are
    significant, without the blocks that scatter too much, and without the curves that stuck
    branches of other rows bring in.
    """
    kept = kept & np.isfinite(amperes).all(axis=1)
    amperes = np.where(kept[:, None], amperes, 0.0)
    terms = MAX_DEGREE + 1 - FIRST_DEGREE
    row_coefficients = np.zeros((design.sequence_of_row.shape[1], terms))
    column_coefficients = np.zeros((amperes.shape[2], terms))
    noise = ReadingNoise().range_fraction * design.range_amperes
    priors = Priors(CLASS_DAC_STEPS * design.volts_limit / design.codes, CLASS_ADC)

    zero = row_coefficients, column_coefficients
    blocks = _project(design, amperes, kept, open_siemens, *zero)
    kept = _scattering_as_usual(
        np.stack([block.amperes for block in blocks]), kept, MAX_LINE_SCATTER, noise
    )
    blocks = _project(design, amperes, kept, open_siemens, *zero)
    solution = solve(blocks, len(row_coefficients), priors, noise)
    kept = _scattering_as_usual(solution.residuals, kept, MAX_CURVE_SCATTER, noise)
    row_terms = _terms_that_show(solution.row_coefficients, solution.row_covariance)
    column_terms = _terms_that_show(solution.column_coefficients, solution.column_covariance)

    blocks = _project(
        design,
        amperes - _of_other_rows(design, solution.row_coefficients, open_siemens),
        kept,
        open_siemens,
        solution.row_coefficients[:, :row_terms],
        solution.column_coefficients[:, :column_terms],
    )
    noise = max(solution.reading_amperes, MIN_NOISE_RATIO * noise)
    solution = solve(blocks, len(row_coefficients), priors, noise)
    solution = with_vectors_as_clusters(solution, blocks)
    return CurveFit(
        rows=Curves(
            solution.row_coefficients, solution.row_covariance, design.volts_limit, line_end_volts
        ),
        columns=Curves(solution.column_coefficients, solution.column_covariance, 1.0, ADC_LINE_END),
        crosspoint_siemens=np.stack([block.siemens for block in blocks]),
        kept=kept,
        reading_amperes=solution.reading_amperes,
    )


def _of_other_rows(
    design: ConverterDesign, row_coefficients: Floats, open_siemens: Floats
) -> Floats:
    """Return the currents that the curves of rows which do not meet in a column bring into it.

    Returns (blocks, vectors, columns), ampere.
    """
    degree = row_coefficients.shape[1] + FIRST_DEGREE - 1
    brought = []
    for block, rows in enumerate(design.rows_of_column):
        siemens = open_siemens.copy()
        siemens[rows, np.arange(len(rows))[:, None]] = 0.0
        of_volts = bent(design.row_volts(block) / design.volts_limit, degree)
        brought.append((of_volts * row_coefficients).sum(axis=-1) @ siemens)
    return np.stack(brought)


def _scattering_as_usual(
    left_amperes: Floats, kept: Bools, times: float, noise_amperes: float
) -> Bools:
    """Return which of the kept blocks (blocks, columns) scatter at most `times` the median block.

    `left_amperes` (blocks, columns, vectors) are their residuals.
    """
    scatter = np.sqrt((left_amperes**2).mean(axis=2))
    usual = float(np.median(scatter[kept])) if kept.any() else 0.0
    return np.asarray(kept & (scatter <= times * max(usual, noise_amperes)))


def _terms_that_show(coefficients: Floats, covariance: Floats) -> int:
    """Return the number of terms to keep: Akaike's criterion over all channels, plus SPARE_TERMS.

    The spare terms make the omitted ones negligible. With W(n) the mean over channels of cᵀ Σ⁻¹ c,
    c the coefficients after the first n and Σ their covariance (Wald), the criterion minimizes W(n)
    + 2n.
    """
    terms = coefficients.shape[1]
    price = []
    for kept in range(terms):
        rest, spread = coefficients[:, kept:], covariance[:, kept:, kept:]
        solved = np.linalg.solve(spread, rest[..., None])[..., 0]
        price.append(float((rest * solved).sum(axis=1).mean()) + 2.0 * kept)
    wanted = int(np.argmin([*price, 2.0 * terms])) + SPARE_TERMS
    return int(np.clip(wanted, MIN_TERMS, terms))


def _project(
    design: ConverterDesign,
    amperes: Floats,
    kept: Bools,
    open_siemens: Floats,
    row_coefficients: Floats,
    column_coefficients: Floats,
) -> list[Block]:
    """Return the equations of the curves, block by block, with the lines projected out.

    Blocks that are not kept hold zeros. The conductances are those that fit the given curves.
    """
    row_degree = row_coefficients.shape[1] + FIRST_DEGREE - 1
    column_degree = column_coefficients.shape[1] + FIRST_DEGREE - 1
    blocks = []
    for block, (volts, rows, read, keep) in enumerate(
        zip(design.volts, design.rows_of_column, amperes, kept, strict=True)
    ):
        of_volts = bent(volts / design.volts_limit, row_degree)
        of_reading = design.range_amperes * bent(read / design.range_amperes, column_degree)
        sequences, lines = design.sequences_of_column(block), design.lines(block)
        span, triangle = np.linalg.qr(lines)

        straight = read - (of_reading * column_coefficients).sum(axis=-1)
        bends = (of_volts[:, sequences] * row_coefficients[rows]).sum(axis=-1)
        # Rows that follow the same sequence share its line.
        same_sequence = (
            design.sequence_of_row[block] == sequences[..., None]
        )  # (columns, meeting, rows)
        columns = np.arange(len(rows))[:, None]
        shared = np.einsum("cmr,rc->cm", same_sequence, open_siemens) - open_siemens[rows, columns]
        siemens = np.zeros(sequences.shape)
        for _ in range(2):  # the curves change the lines by 10⁻⁴, then by the square of that
            flat = (straight - (bends * siemens).sum(axis=-1)).T[..., None]
            constants = np.linalg.solve(triangle, np.swapaxes(span, 1, 2) @ flat)[..., 0]
            siemens = np.take_along_axis(constants[:, 1:], sequences, axis=1) - shared

        of_rows = (of_volts[:, sequences] * siemens[..., None]).reshape(*read.shape, -1)
        unknowns = np.moveaxis(np.concatenate([of_rows, of_reading], axis=2), 1, 0)
        blocks.append(
            Block(
                rows_of_column=rows,
                unknowns=np.where(keep[:, None, None], _beside(span, unknowns), 0.0),
                amperes=np.where(keep[:, None], _beside(span, read.T[..., None])[..., 0], 0.0),
                siemens=np.where(keep[:, None], siemens, 0.0),
                freedom=int(keep.sum()) * (lines.shape[1] - lines.shape[2]),
                row_terms=row_coefficients.shape[1],
            )
        )
    return blocks


def _beside(span: Floats, values: Floats) -> Floats:
    """Return values (columns, vectors, n) without their part in orthonormal spans.

    The spans are (columns, vectors, lines).
    """
    return np.asarray(values - span @ (np.swapaxes(span, 1, 2) @ values))
