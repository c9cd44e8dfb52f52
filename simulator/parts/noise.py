"""Noise of readings: Johnson, amplifier, ADC, DAC, excess noise of resistors, mains."""

from __future__ import annotations

import numpy as np

from simulator.arrays import Floats
from simulator.parts.flicker import Flicker
from simulator.parts.mains import Mains
from simulator.parts.wire_network import Network
from simulator.preset import Adc, Preset
from simulator.random_streams import random_stream

BOLTZMANN_JOULES_PER_KELVIN = 1.380649e-23
"""By definition of the kelvin (SI, 2019)."""
PEAK_TO_PEAK_SIGMAS = 6.6
"""Peak-to-peak noise in standard deviations, as converter datasheets define noise-free bits."""


def bandwidth_hertz(aperture_seconds: float) -> float:
    """Return the equivalent noise bandwidth, Hz, of an average over the aperture: `1 / (2·T)`."""
    return 1 / (2 * aperture_seconds)


def johnson_amperes(column_siemens: Floats, kelvin: float, aperture_seconds: float) -> Floats:
    """Return the standard deviation (columns,), A, of the thermal noise current: `√(4kT·G·B)`.

    `column_siemens` (columns,), S, is the total conductance on each column, all of it at `kelvin`.
    Source: Nyquist 1928.
    """
    power = 4 * BOLTZMANN_JOULES_PER_KELVIN * kelvin * column_siemens
    return np.asarray(np.sqrt(power * bandwidth_hertz(aperture_seconds)))


def amplifier_amperes(
    column_siemens: Floats, volts_per_root_hertz: float, aperture_seconds: float
) -> Floats:
    """Return the standard deviation (columns,), A, of the amplifiers' noise: `e_n · ΣG · √B`.

    The amplifier's input noise voltage appears across the column's total conductance ΣG,
    `column_siemens` (columns,), S.
    """
    root_bandwidth = float(np.sqrt(bandwidth_hertz(aperture_seconds)))
    return column_siemens * volts_per_root_hertz * root_bandwidth


def adc_amperes(spec: Adc, range_amperes: float, aperture_seconds: float) -> float:
    """Return the standard deviation of the ADC's own noise in a range, A.

    The noise is white, so it falls as 1/√T.
    """
    peak_to_peak = 2 * spec.overrange * range_amperes / 2**spec.noise_free_bits
    longer = np.sqrt(spec.noise_free_at_seconds / aperture_seconds)
    return float(spec.noise * peak_to_peak / PEAK_TO_PEAK_SIGMAS * longer)


class ReadingNoise:
    """All noise of the columns' readings; each kind draws from its own random stream."""

    def __init__(self, preset: Preset, seed: int) -> None:
        self._preset = preset
        columns = preset.shape.columns
        self._johnson = random_stream(seed, "johnson noise")
        self._amplifier = random_stream(seed, "amplifier noise")
        self._adc = random_stream(seed, "adc noise")
        self._dac = random_stream(seed, "dac noise")
        self._flicker = Flicker(random_stream(seed, "amplifier flicker"), columns)
        self._excess = Flicker(random_stream(seed, "excess noise"), columns)
        self._mains = Mains(preset.environment, columns, seed)

    def amperes(
        self,
        network: Network,
        volts: Floats,
        centres_seconds: Floats,
        deviation_kelvin: Floats,
        aperture_seconds: float,
        range_amperes: float,
        outputs_on: bool,
    ) -> Floats:
        """Return the noise (n, columns), A, of readings.

        `volts` (n, rows), V, drive the rows; `centres_seconds` (n,), s, are the centres of the
        apertures; `deviation_kelvin` (n,), K, is the deviation from the reference temperature.

        Excess noise of thick film: the branches' resistances fluctuate independently with a power
        density `A/f`, `A = NI²/ln 10` with NI the noise index as a fraction per decade
        (IEC 60195). A column's sum is modelled as one process, so that all branches of a column
        fluctuate together in time. Its size is the root sum square over the branches, its sign that
        of the column's current.
        """
        preset, siemens = self._preset, network.column_siemens
        shape = len(volts), preset.shape.columns
        kelvin = preset.environment.kelvin + float(deviation_kelvin.mean())
        noise = (
            preset.environment.johnson
            * self._johnson.standard_normal(shape)
            * johnson_amperes(siemens, kelvin, aperture_seconds)
        )
        noise += self._amplifier.standard_normal(shape) * amplifier_amperes(
            siemens, preset.tia.noise_volts_per_root_hertz, aperture_seconds
        )
        noise += self._adc.standard_normal(shape) * adc_amperes(
            preset.adc, range_amperes, aperture_seconds
        )
        if preset.dac.noise_volts_per_root_hertz and outputs_on:
            sigma = preset.dac.noise_volts_per_root_hertz * np.sqrt(
                bandwidth_hertz(aperture_seconds)
            )
            noise += network.wireless_currents(sigma * self._dac.standard_normal(volts.shape))
        if preset.tia.flicker_volts:
            flicker = self._flicker.sample(centres_seconds, aperture_seconds)
            noise += preset.tia.flicker_volts * flicker * siemens
        if preset.population.excess_noise_per_decade:
            amplitude = preset.population.excess_noise_per_decade / np.sqrt(np.log(10))
            excess = self._excess.sample(centres_seconds, aperture_seconds)
            noise += amplitude * excess * network.excess_amperes(volts)
        if preset.environment.mains_volts:
            noise += self._mains.volts(centres_seconds, aperture_seconds) * siemens
        return np.asarray(noise)
