"""Ranges of use: each product is read in the lowest range that holds its currents.

Hardly any input draws as much as the worst one. The range that holds the vectors of a transfer
measurement also holds most inputs; there the ADC's noise is a third or a tenth of that in the range
which holds any input. Wider ranges are tied to this range of use, because each has an offset and,
for each column, a gain of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Floats
from calibration.records import Record
from calibration.transfer.measure import TransferMeasurement


@dataclass(frozen=True, eq=False, repr=False)
class ProductRange(Record):
    """A range of products, and how its readings convert to the range of use."""

    range_amperes: float
    gain: Floats
    """(columns,): reading in this range over the reading of the same current in the range of use.
    """
    offset_amperes: Floats
    """(columns,): reading in this range of a current that reads zero in the range of use."""
    uncertainty_siemens: Floats
    """(columns,): combined standard uncertainty of the elements of the two transfer matrices that
    were compared.
    """
    apart_seconds: float = 0.0
    """From the middle of the measurement in the range of use to the middle of this one."""
    warmer_kelvin: float = 0.0
    """Board temperature of this measurement less that of the other. Its effect is part of `gain`.
    """

    def in_range_of_use(self, amperes: Floats) -> Floats:
        """Convert readings (vectors, columns) in this range to readings in the range of use."""
        return np.asarray((amperes - self.offset_amperes) / self.gain)


def range_of_use(range_amperes: float, columns: int) -> ProductRange:
    """Return the range that the others are tied to: gain 1, offset 0."""
    return ProductRange(range_amperes, np.ones(columns), np.zeros(columns), np.zeros(columns))


def tie(used: TransferMeasurement, wide: TransferMeasurement, range_amperes: float) -> ProductRange:
    """Tie a wider range to the range of use, by transfer matrices of one pattern measured in both.

    gain = Σ_i T_wide T / Σ_i T², least squares over the rows; 1 for a column that conducts nothing
    or overloads. The offset is the difference of the zeros at that gain: whatever flows at 0 V
    flows in both.
    """
    power = (used.siemens**2).sum(axis=0)
    together = (wide.siemens * used.siemens).sum(axis=0)
    conducts = (power > 0) & np.isfinite(together)
    gain = np.where(conducts, together / np.where(conducts, power, 1.0), 1.0)
    offset = wide.zero_amperes - gain * used.zero_amperes
    uncertainty = np.hypot(wide.uncertainty_siemens, gain * used.uncertainty_siemens)
    (used_seconds, used_kelvin), (wide_seconds, wide_kelvin) = used.middle, wide.middle
    return ProductRange(
        range_amperes,
        gain,
        offset_amperes=np.nan_to_num(offset),
        uncertainty_siemens=np.nan_to_num(uncertainty),
        apart_seconds=wide_seconds - used_seconds,
        warmer_kelvin=wide_kelvin - used_kelvin,
    )


def driven_lower(
    ranges: tuple[ProductRange, ...],
    transfer: TransferMeasurement,
    row_volts: Floats,
    columns: int,
) -> Floats:
    """Return the power of two (vectors,) by which the voltages of each vector are to be divided.

    Divided so, the currents predicted in the first `columns` fit the last of ascending ranges.
    `row_volts` is (vectors, used rows). The divisor is 1 for all, unless the board's widest range
    does not hold every input.
    """
    largest = np.abs(row_volts @ transfer.siemens[:, :columns]).max(axis=1, initial=0.0)
    zero = float(np.abs(transfer.zero_amperes[:columns]).max(initial=0.0))
    held = max(ranges[-1].range_amperes - zero, ranges[-1].range_amperes / 2)
    return np.asarray(2.0 ** np.ceil(np.log2(np.maximum(largest / held, 1.0))))


def ranges_of_products(
    ranges: tuple[ProductRange, ...],
    transfer: TransferMeasurement,
    row_volts: Floats,
    columns: int,
) -> NDArray[np.int_]:
    """Return the index of the range in which each product (vectors,) is to be read.

    `ranges` ascend. The currents in the first `columns` are predicted from the measured transfer
    matrix for `row_volts` (vectors, used rows).
    """
    predicted = (row_volts @ transfer.siemens + transfer.zero_amperes)[:, :columns]
    return lowest_that_holds(ranges, np.abs(predicted).max(axis=1, initial=0.0))


def lowest_that_holds(ranges: tuple[ProductRange, ...], amperes: Floats) -> NDArray[np.int_]:
    """Return the index of the lowest of ascending ranges that holds each current (vectors,).

    It is the last range for a current that none holds.
    """
    limits = [wider.range_amperes for wider in ranges[:-1]]
    return np.searchsorted(np.asarray(limits), amperes)
