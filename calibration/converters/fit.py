"""From readings to curves: least squares over all rows and columns at once.

In block b, vector m, a column j in which the rows r meet reads

    y_bmj = z_bj + Σ_s T_bjs·u_bms + Σ_r g_bjr·d_r(u_bmr) + ρ·a_j(y_bmj/ρ) + noise,

u the codes as voltages, s the sequences, z the column's zero, T the lines (of the rows that meet
there, and of all that leaks), g the conductances, d the curves of the DACs, a those of the
ADCs, ρ the range. z and T are projected out block by block. The rest is linear in the curves'
coefficients but for g, which multiplies what is smaller by 10⁻⁴ and comes from the lines.
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
MIN_TERMS, SPARE_TERMS = 3, 4
"""Of a curve; beyond those that the data ask for."""
CLASS_DAC_STEPS, CLASS_ADC = 4.0, 10e-6
"""What is supposed of every coefficient before anything is measured: zero, give or take so many
DAC steps, or so much of the range. It is what remains of a channel that nothing was learnt about.
"""
MAX_LINE_SCATTER, MAX_CURVE_SCATTER = 10.0, 5.0
"""A column's block that scatters so many times more than the usual one is left out: about its lines
alone, because a row that died in the middle would spoil all it is solved with; about its curves.
"""
ADC_LINE_END = 0.85
"""Of the range. Readings of the design reach about as far."""


@dataclass(frozen=True)
class CurveFit:
    """What the readings of a design tell."""

    rows: Curves
    """Of a DAC's setting, volts: what it puts out beyond its line, volts."""
    columns: Curves
    """Of a reading over its range: what the ADC adds to its line, over the range."""
    crosspoint_siemens: Floats
    """(blocks, columns, meeting): slopes of the rows that meet there."""
    kept: Bools
    """(blocks, columns): what the fit rests on."""
    reading_amperes: float
    """Standard deviation of a reading."""


def fit_curves(
    design: ConverterDesign,
    amperes: Floats,
    kept: Bools,
    open_siemens: Floats,
    line_end_volts: float,
) -> CurveFit:
    """Fit the curves to readings (blocks, vectors, columns), ampere, of which `kept` (blocks,
    columns) are good; `open_siemens` (rows, columns) conduct whatever the switches do.

    Two rounds: with all degrees and rough conductances, then with the degrees that show, without
    the blocks that scatter wildly, and without the curves that stuck branches of other rows bring.
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
    found = solve(blocks, len(row_coefficients), priors, noise)
    kept = _scattering_as_usual(found.residuals, kept, MAX_CURVE_SCATTER, noise)
    row_terms = _terms_that_show(found.row_coefficients, found.row_covariance)
    column_terms = _terms_that_show(found.column_coefficients, found.column_covariance)

    blocks = _project(
        design,
        amperes - _of_other_rows(design, found.row_coefficients, open_siemens),
        kept,
        open_siemens,
        found.row_coefficients[:, :row_terms],
        found.column_coefficients[:, :column_terms],
    )
    noise = max(found.reading_amperes, MIN_NOISE_RATIO * noise)
    found = solve(blocks, len(row_coefficients), priors, noise)
    found = with_vectors_as_clusters(found, blocks)
    return CurveFit(
        rows=Curves(
            found.row_coefficients, found.row_covariance, design.volts_limit, line_end_volts
        ),
        columns=Curves(found.column_coefficients, found.column_covariance, 1.0, ADC_LINE_END),
        crosspoint_siemens=np.stack([block.siemens for block in blocks]),
        kept=kept,
        reading_amperes=found.reading_amperes,
    )


def _of_other_rows(
    design: ConverterDesign, row_coefficients: Floats, open_siemens: Floats
) -> Floats:
    """Return what the curves of rows that do not meet in a column bring into it all the same,
    (blocks, vectors, columns), ampere.
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
    """Return which of the kept blocks (blocks, columns) leave (blocks, columns, vectors) less than
    so many times what is usual.
    """
    scatter = np.sqrt((left_amperes**2).mean(axis=2))
    usual = float(np.median(scatter[kept])) if kept.any() else 0.0
    return np.asarray(kept & (scatter <= times * max(usual, noise_amperes)))


def _terms_that_show(coefficients: Floats, covariance: Floats) -> int:
    """Return how many terms to keep: as many as Akaike's criterion asks of all channels together,
    and four more, so that what is left out does not matter.

    With W(n) the mean over channels of cᵀ Σ⁻¹ c, c the coefficients behind the first n and Σ their
    covariance (Wald), it takes the n that makes W(n) + 2n least.
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
    """Return the equations of the curves, block by block, with the lines projected out and nothing
    of what is not kept; the conductances are those that go with the curves so far.
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
        alike = design.sequence_of_row[block] == sequences[..., None]  # (columns, meeting, rows)
        columns = np.arange(len(rows))[:, None]
        shared = np.einsum("cmr,rc->cm", alike, open_siemens) - open_siemens[rows, columns]
        siemens = np.zeros(sequences.shape)
        for _ in range(2):  # the bends' share in the lines is 10⁻⁴ of them, then the square of it
            flat = (straight - (bends * siemens).sum(axis=-1)).T[..., None]
            constants = np.linalg.solve(triangle, np.swapaxes(span, 1, 2) @ flat)[..., 0]
            siemens = np.take_along_axis(constants[:, 1:], sequences, axis=1) - shared

        own = (of_volts[:, sequences] * siemens[..., None]).reshape(*read.shape, -1)
        unknowns = np.moveaxis(np.concatenate([own, of_reading], axis=2), 1, 0)
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
    """Return values (columns, vectors, n) without their part in orthonormal spans (columns,
    vectors, lines).
    """
    return np.asarray(values - span @ (np.swapaxes(span, 1, 2) @ values))
