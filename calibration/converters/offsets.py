"""Offsets of the DACs and of the column amplifiers, from readings with all rows at ±V.

The mean of two readings at opposite voltages does not contain what follows the voltage. It is the
reading with all switches open, plus

    Σ_r g_jr · (e_r − v_j)

over the rows r that meet in the column: e are the offsets of the DACs' lines, v those of the
amplifiers' inputs. Only differences are observable: both are relative to the mean of the
amplifiers' offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.converters.design import ConverterDesign
from calibration.converters.fit import CurveFit
from calibration.converters.normal_equations import MAX_LEARNT_RATIO
from calibration.reading_noise import ReadingNoise
from calibration.records import Record

CLASS_ROW_VOLTS, CLASS_COLUMN_VOLTS = 10e-3, 1e-3
"""Prior standard deviation of the offsets, whose prior mean is zero."""


@dataclass(frozen=True, eq=False, repr=False)
class Offsets(Record):
    """Offsets of the converters, each with its standard uncertainty."""

    row_volts: Floats
    """(rows,): of a DAC's line, relative to the mean of the amplifiers' offsets."""
    row_uncertainty_volts: Floats
    column_volts: Floats
    """(columns,): of an amplifier's input, relative to the mean of all."""
    column_uncertainty_volts: Floats
    zero_amperes: Floats
    """(columns,): reading with all switches open; zero where it overloads."""
    zero_uncertainty_amperes: Floats


def find_offsets(
    design: ConverterDesign,
    fit: CurveFit,
    answers: Bools,
    open_siemens: Floats,
    ends: Floats,
    opened: Floats,
) -> Offsets:
    """Return the offsets from readings with all rows at ±V, by least squares.

    `ends` (blocks, 2, columns) are the readings in each block, `opened` (readings, 2, columns)
    those with all switches open, ampere. `answers` (columns,) marks the columns that work;
    `open_siemens` (rows, columns) is the conductance with all switches open.

    The uncertainty allows for the noise of the DACs, which the columns of a block share, as that of
    the curves does (`normal_equations`). It also allows for what stays the same from block to block
    and so looks like an amplifier's offset: the even part of the ADC's curve, and the reading with
    all switches open.
    """
    rows, columns = design.sequence_of_row.shape[1], ends.shape[2]
    full = design.range_amperes
    straight_ends, straight_open = (
        read - full * fit.columns.deviation(read / full) for read in (ends, opened)
    )
    zero = straight_open.mean(axis=(0, 1))
    amperes = straight_ends.mean(axis=1) - zero

    kept = fit.kept & answers & np.isfinite(amperes)
    block, column = np.nonzero(kept)
    factors = _factors(design, fit, open_siemens, block, column)
    prior = np.repeat([CLASS_ROW_VOLTS, CLASS_COLUMN_VOLTS], [rows, columns])
    noise = fit.reading_amperes / np.sqrt(2)
    # Only differences are observable: offsets are relative to the mean of the working columns.
    relative = np.eye(rows + columns)
    relative[:, rows:] -= answers / max(answers.sum(), 1)
    prior_information = np.diag((ReadingNoise().range_fraction * full / prior) ** 2)
    inverse = np.linalg.inv(factors.T @ factors + prior_information)
    gain = relative @ inverse @ factors.T
    offsets = gain @ amperes[kept]
    residuals = amperes[kept] - factors @ offsets
    covariance = noise**2 * relative @ inverse @ relative.T

    pulls = np.zeros((len(ends), len(offsets)))
    np.add.at(pulls, block, (gain * residuals).T)
    # Errors that are common count once: as many as rows in blocks, or as readings.
    errors = min(len(residuals), len(ends) * rows)
    lost = errors / max(errors - len(offsets), 1)
    variance = np.diag(covariance)
    learnt = (variance > 0) & (variance < (MAX_LEARNT_RATIO * prior) ** 2)
    ratio = lost * (pulls**2).sum(axis=0) / np.where(learnt, variance, 1.0)
    for channels in (slice(rows), slice(rows, None)):
        if learnt[channels].any():
            factor = max(1.0, float(ratio[channels][learnt[channels]].mean()))
            covariance[channels] *= np.sqrt(factor)
            covariance[:, channels] *= np.sqrt(factor)

    # An ADC's even part and the open column's reading are the same in all blocks of a column.
    zero_uncertainty = np.full(columns, fit.reading_amperes / np.sqrt(opened[..., 0].size))
    shared_uncertainty = np.hypot(
        full * _even_uncertainty(fit, ends / full, kept), zero_uncertainty
    )
    of_column = np.zeros((len(residuals), columns))
    of_column[np.arange(len(residuals)), column] = shared_uncertainty[column]
    shared = gain @ of_column
    covariance += shared @ shared.T
    deviation = np.sqrt(np.diag(covariance))
    return Offsets(
        row_volts=offsets[:rows],
        row_uncertainty_volts=deviation[:rows],
        column_volts=offsets[rows:],
        column_uncertainty_volts=deviation[rows:],
        zero_amperes=np.nan_to_num(zero),
        zero_uncertainty_amperes=zero_uncertainty,
    )


def _factors(
    design: ConverterDesign,
    fit: CurveFit,
    open_siemens: Floats,
    block: NDArray[np.int_],
    column: NDArray[np.int_],
) -> Floats:
    """Return the equations (equations, rows + columns) of the given blocks of columns.

    Their elements are the conductances that closing the switches adds.
    """
    rows, columns = open_siemens.shape
    equation = np.arange(len(block))
    factors = np.zeros((len(block), rows + columns))
    for place in range(design.rows_of_column.shape[2]):
        row = design.rows_of_column[block, column, place]
        siemens = fit.crosspoint_siemens[block, column, place] - open_siemens[row, column]
        factors[equation, row] += siemens
        factors[equation, rows + column] -= siemens
    return factors


def _even_uncertainty(fit: CurveFit, readings: Floats, kept: Bools) -> Floats:
    """Return the standard uncertainty of the even part of each ADC's curve (columns,).

    It is over the range, at the size of the readings (blocks, 2, columns).
    """
    size = np.where(kept, np.abs(readings).mean(axis=1), 0.0)
    usual = size.sum(axis=0) / np.maximum(kept.sum(axis=0), 1)
    return fit.columns.spread((fit.columns.basis(usual) + fit.columns.basis(-usual)) / 2)
