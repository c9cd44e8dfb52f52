"""Ranges of use: products are read in the lowest one that holds their currents.

Hardly any input draws what the worst one could. In the range that holds the vectors of a transfer
measurement, and with them most inputs, the ADC's noise is a third or a tenth of that in the range
which holds any input. Wider ranges are tied to that first one, because each has an offset and, for
each column, a gain of its own.
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
    """A range that products are read in, and what its readings mean in the range of use."""

    range_amperes: float
    gain: Floats
    """(columns,): what a column reads here over what the same current reads in the range of use."""
    offset_amperes: Floats
    """(columns,): what it reads here for a current that reads zero there."""
    uncertainty_siemens: Floats
    """(columns,): standard uncertainty of the elements of the two transfer matrices that were
    compared, together.
    """
    apart_seconds: float = 0.0
    """From the middle of the other's measurement to the middle of this one's."""
    warmer_kelvin: float = 0.0
    """How much warmer the board was for this one: a gain that is taken for the range's."""

    def in_range_of_use(self, amperes: Floats) -> Floats:
        """Return what the currents that read `amperes` (vectors, columns) here would read there."""
        return np.asarray((amperes - self.offset_amperes) / self.gain)


def range_of_use(range_amperes: float, columns: int) -> ProductRange:
    """Return the range that the others are tied to."""
    return ProductRange(range_amperes, np.ones(columns), np.zeros(columns), np.zeros(columns))


def tie(used: TransferMeasurement, wide: TransferMeasurement, range_amperes: float) -> ProductRange:
    """Return a wider range, from transfer matrices of one pattern measured in both.

    gain = Σ_i T_wide T / Σ_i T², least squares over the rows; 1 for a column that conducts nothing
    or overloads. The offset is what the zeros differ by then: all that flows at 0 V flows in both.
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
    """Return what the voltages of each vector (vectors, used rows) are divided by, a power of two,
    so that the last of ascending ranges holds the currents foreseen in the first `columns`.

    It is 1 for all, unless the board's widest range does not hold any input.
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
    """Return which of ascending ranges each vector (vectors, used rows) is to be read in, by the
    currents that the measured transfer matrix foresees in the first `columns`.
    """
    foreseen = (row_volts @ transfer.siemens + transfer.zero_amperes)[:, :columns]
    return lowest_that_holds(ranges, np.abs(foreseen).max(axis=1, initial=0.0))


def lowest_that_holds(ranges: tuple[ProductRange, ...], amperes: Floats) -> NDArray[np.int_]:
    """Return which of ascending ranges each current (vectors,) is to be read in: the last for those
    that none holds.
    """
    limits = [one.range_amperes for one in ranges[:-1]]
    return np.searchsorted(np.asarray(limits), amperes)
