"""The board's converters: the DAC of every row, the TIA and the ADC of every column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.arrays import Floats
from simulator.preset import Adc, Dac, Tia
from simulator.random_streams import random_stream

INL_HARMONICS = 4


@dataclass(frozen=True)
class InlCurves:
    """Smooth integral nonlinearity (INL), one curve per channel: zero at both ends, at most ±1.

    `Σ_k c_k sin(kπ(u + 1)/2)` for u from −1 to 1, k = 1 … 4: the deviation from the line through
    the end points, as converter datasheets define it.
    """

    coefficients: Floats
    """(channels, INL_HARMONICS)"""

    def __call__(self, u: Floats) -> Floats:
        """Return the deviation at positions u (…, channels) in the range."""
        turns = np.arange(1, INL_HARMONICS + 1) * np.pi / 2
        return np.asarray((self.coefficients * np.sin((u[..., None] + 1) * turns)).sum(axis=-1))


def draw_inl_curves(random: np.random.Generator, channels: int) -> InlCurves:
    """Draw curves whose largest deviation is 1."""
    curves = InlCurves(
        random.standard_normal((channels, INL_HARMONICS)) / np.arange(1, INL_HARMONICS + 1)
    )
    u = np.linspace(-1, 1, 401)[:, None]
    return InlCurves(
        curves.coefficients / np.abs(curves(np.repeat(u, channels, axis=1))).max(axis=0)[:, None]
    )


@dataclass(frozen=True)
class RowDacs:
    """The row DACs and their errors; arrays are (rows,)."""

    spec: Dac
    gain_error: Floats
    gain_per_kelvin: Floats
    offset_volts: Floats
    inl_curves: InlCurves

    @property
    def step_volts(self) -> float:
        """One step of the code, V: ±range spans 2^bits codes with zero in the middle."""
        return self.spec.range_volts * 2.0 ** (1 - self.spec.bits)

    def held(self, volts: Floats) -> Floats:
        """Return the settings (…, rows), V, as the codes hold them.

        They are rounded to whole steps; +range is held one step lower.
        """
        top = self.spec.range_volts - self.step_volts * min(self.spec.quantization, 1.0)
        return np.asarray(
            np.clip(
                _rounded(volts, self.step_volts * self.spec.quantization),
                -self.spec.range_volts,
                top,
            )
        )

    def output(self, held_volts: Floats, deviation_kelvin: Floats | float = 0.0) -> Floats:
        """Return the outputs of the DACs, V: `(1 + gain + tc·ΔT) · held + offset + INL`.

        `held_volts` (…, rows), V, are settings as `held` returns them; `deviation_kelvin` (…), K,
        is the deviation from the reference temperature.
        """
        warm = np.asarray(deviation_kelvin)[..., None]
        gain = 1 + self.gain_error + self.gain_per_kelvin * warm
        bent = (
            self.spec.inl_steps
            * self.step_volts
            * self.inl_curves(held_volts / self.spec.range_volts)
        )
        return np.asarray(gain * held_volts + self.offset_volts + bent)


def draw_dacs(spec: Dac, rows: int, seed: int) -> RowDacs:
    """Draw the errors of `rows` DACs, uniform within the limits of the part."""
    random = random_stream(seed, "dac")
    return RowDacs(
        spec,
        gain_error=spec.gain * random.uniform(-1, 1, rows),
        offset_volts=spec.offset_volts * random.uniform(-1, 1, rows),
        gain_per_kelvin=spec.gain_per_kelvin
        * random_stream(seed, "dac drift").uniform(-1, 1, rows),
        inl_curves=draw_inl_curves(random_stream(seed, "dac nonlinearity"), rows),
    )


@dataclass(frozen=True)
class ColumnReaders:
    """The columns' amplifiers and ADCs and their errors: one gain for each range and column."""

    tia: Tia
    adc: Adc
    tia_gain_error: Floats
    """(ranges, columns)"""
    tia_gain_per_kelvin: Floats
    """(columns,)"""
    tia_offset_volts: Floats
    """(columns,): voltage of the virtual ground, V."""
    adc_gain_error: Floats
    """(columns,)"""
    adc_gain_per_kelvin: Floats
    """(columns,)"""
    inl_curves: InlCurves

    def step_amperes(self, range_index: int) -> float:
        """Return one step of the ADC's code in a range, A: 2^bits steps over ±overrange·range."""
        full_scale = self.adc.overrange * self.tia.ranges_amperes[range_index]
        return 2 * full_scale / 2.0**self.adc.bits

    def offset_amperes(self, column_siemens: Floats) -> Floats:
        """Return the currents (columns,), A, that the amplifiers' offsets drive: `−V_os · ΣG`.

        `column_siemens` (columns,), S, is the total conductance ΣG on each column.
        """
        return -self.tia_offset_volts * column_siemens

    def codes_to_amperes(
        self, amperes: Floats, range_index: int, deviation_kelvin: Floats | float = 0.0
    ) -> Floats:
        """Return the ADCs' readings (…, columns), A, of currents (…, columns), A.

        `deviation_kelvin` (…), K, is the deviation from the reference temperature. The reading
        includes gains and their drift, INL, and quantization to 2^bits steps over ±overrange·range.
        Beyond that it is NaN: an overload is flagged, never clipped. The caller adds the noise.
        """
        full_scale = self.adc.overrange * self.tia.ranges_amperes[range_index]
        step = self.step_amperes(range_index) * self.adc.quantization
        warm = np.asarray(deviation_kelvin)[..., None]
        gained = (
            amperes
            * (1 + self.tia_gain_error[range_index] + self.tia_gain_per_kelvin * warm)
            * (1 + self.adc_gain_error + self.adc_gain_per_kelvin * warm)
        )
        inside = np.abs(gained) <= full_scale
        bent = (
            self.adc.inl * full_scale * self.inl_curves(np.where(inside, gained, 0.0) / full_scale)
        )
        return np.where(inside, _rounded(gained + bent, step), np.nan)


def draw_readers(tia: Tia, adc: Adc, columns: int, seed: int) -> ColumnReaders:
    """Draw the errors of `columns` amplifiers and ADCs, uniform within the limits of the parts."""
    amplifiers = random_stream(seed, "tia")
    drift = random_stream(seed, "column drift")
    return ColumnReaders(
        tia,
        adc,
        tia_gain_error=tia.gain * amplifiers.uniform(-1, 1, (len(tia.ranges_amperes), columns)),
        tia_offset_volts=tia.offset_volts * amplifiers.uniform(-1, 1, columns),
        tia_gain_per_kelvin=tia.gain_per_kelvin * drift.uniform(-1, 1, columns),
        adc_gain_error=adc.gain * random_stream(seed, "adc gain").uniform(-1, 1, columns),
        adc_gain_per_kelvin=adc.gain_per_kelvin * drift.uniform(-1, 1, columns),
        inl_curves=draw_inl_curves(random_stream(seed, "adc nonlinearity"), columns),
    )


def _rounded(values: Floats, step: float) -> Floats:
    """Return values rounded to whole steps; a step of zero rounds nothing."""
    return np.rint(values / step) * step if step else values
