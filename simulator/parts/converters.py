"""The board's converters: DAC of every row, TIA and ADC of every column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.preset import Adc, Dac, Tia
from simulator.streams import stream


@dataclass(frozen=True)
class RowDacs:
    """Gain and offset errors of the row DACs; arrays (rows,)."""

    spec: Dac
    gain_error: NDArray[np.float64]
    offset_volts: NDArray[np.float64]

    @property
    def step_volts(self) -> float:
        """One step of the code: the range spans 2^bits codes, zero in the middle."""
        return self.spec.range_volts * 2.0 ** (1 - self.spec.bits)

    def held(self, volts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the settings (…, rows) as the codes hold them: rounded, and +range one step lower,
        in volts.
        """
        top = 2 ** (self.spec.bits - 1)
        return np.clip(np.rint(volts / self.step_volts), -top, top - 1) * self.step_volts

    def output(self, volts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the DACs put out for settings (…, rows): `(1 + gain) · held + offset`, in
        volts.
        """
        return (1 + self.gain_error) * self.held(volts) + self.offset_volts


def draw_dacs(spec: Dac, rows: int, seed: int) -> RowDacs:
    """Draw the errors of `rows` DACs, uniform within the limits of the part."""
    random = stream(seed, "dac")
    return RowDacs(
        spec,
        gain_error=spec.gain * random.uniform(-1, 1, rows),
        offset_volts=spec.offset_volts * random.uniform(-1, 1, rows),
    )


@dataclass(frozen=True)
class ColumnReaders:
    """Errors of the columns' amplifiers and ADCs: one gain for each range and column."""

    tia: Tia
    adc: Adc
    tia_gain_error: NDArray[np.float64]
    """(ranges, columns)"""
    tia_offset_volts: NDArray[np.float64]
    """(columns,): how far the virtual ground is from ground."""
    adc_gain_error: NDArray[np.float64]
    """(columns,)"""

    def offset_amperes(self, column_siemens: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the current (columns,) that the amplifier's offset drives back through all that
        hangs on a column.

        `−V_os · ΣG`, with ΣG the column's total conductance (columns,) in siemens.
        """
        return -self.tia_offset_volts * column_siemens

    def codes_to_amperes(
        self, amperes: NDArray[np.float64], range_index: int
    ) -> NDArray[np.float64]:
        """Return what the ADC answers for currents (…, columns), noise included by the caller, in
        amperes.

        Gains, quantization to 2^bits steps over ±overrange·range, and NaN beyond that.
        """
        range_amperes = self.tia.ranges_amperes[range_index]
        full_scale = self.adc.overrange * range_amperes
        step = 2 * full_scale / 2**self.adc.bits
        seen = amperes * (1 + self.tia_gain_error[range_index]) * (1 + self.adc_gain_error)
        return np.where(np.abs(seen) > full_scale, np.nan, np.rint(seen / step) * step)


def draw_readers(tia: Tia, adc: Adc, columns: int, seed: int) -> ColumnReaders:
    """Draw the errors of `columns` amplifiers and ADCs, uniform within the limits of the parts."""
    amplifiers = stream(seed, "tia")
    return ColumnReaders(
        tia,
        adc,
        tia_gain_error=tia.gain * amplifiers.uniform(-1, 1, (len(tia.ranges_amperes), columns)),
        tia_offset_volts=tia.offset_volts * amplifiers.uniform(-1, 1, columns),
        adc_gain_error=adc.gain * stream(seed, "adc gain").uniform(-1, 1, columns),
    )
