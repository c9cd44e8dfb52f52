"""Noise of readings: thermal, of the amplifier, of the ADC, of the DACs, of the resistors, of the
mains.
"""

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
"""Noise-free bits count the peak-to-peak noise, 6.6 standard deviations (as converter datasheets
do).
"""


def bandwidth_hertz(aperture_seconds: float) -> float:
    """Return the equivalent noise bandwidth of an average over the aperture: `1 / (2·T)`."""
    return 1 / (2 * aperture_seconds)


def johnson_amperes(column_siemens: Floats, kelvin: float, aperture_seconds: float) -> Floats:
    """Return the standard deviation (columns,) of the thermal noise current: `√(4kT·G·B)` (Nyquist
    1928), ampere.

    `column_siemens` (columns,) is the total conductance on each column, all of it at `kelvin`.
    """
    power = 4 * BOLTZMANN_JOULES_PER_KELVIN * kelvin * column_siemens
    return np.asarray(np.sqrt(power * bandwidth_hertz(aperture_seconds)))


def amplifier_amperes(
    column_siemens: Floats, volts_per_root_hertz: float, aperture_seconds: float
) -> Floats:
    """Return the standard deviation (columns,) of `e_n · ΣG · √B`, ampere.

    The amplifier's input noise voltage appears across everything that hangs on the column.
    """
    root_bandwidth = float(np.sqrt(bandwidth_hertz(aperture_seconds)))
    return column_siemens * volts_per_root_hertz * root_bandwidth


def adc_amperes(spec: Adc, range_amperes: float, aperture_seconds: float) -> float:
    """Return the standard deviation of the ADC's own noise in a range, ampere; white, so it falls
    as 1/√T.
    """
    peak_to_peak = 2 * spec.overrange * range_amperes / 2**spec.noise_free_bits
    longer = np.sqrt(spec.noise_free_at_seconds / aperture_seconds)
    return float(spec.noise * peak_to_peak / PEAK_TO_PEAK_SIGMAS * longer)


class ReadingNoise:
    """All noise of the columns' readings; each kind draws from a stream of its own."""

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
        """Return the noise (n, columns) of readings, ampere.

        `volts` (n, rows) drive the rows, apertures are centred on `centres_seconds` (n,), the board
        is `deviation_kelvin` (n,) away from its reference temperature.

        Excess noise of thick film: the branches' resistances fluctuate independently with a power
        density `A/f`, `A = NI²/ln 10` with NI the noise index as a fraction per decade
        (IEC 60195). A column's sum is taken as one process with the branches' root sum
        square as its size and the sign of the column's current: all branches of a column fluctuate
        together in time.
        """
        preset, siemens = self._preset, network.column_siemens
        shape = len(volts), preset.shape.columns
        kelvin = preset.environment.kelvin + float(deviation_kelvin.mean())
        seen = (
            preset.environment.johnson
            * self._johnson.standard_normal(shape)
            * johnson_amperes(siemens, kelvin, aperture_seconds)
        )
        seen += self._amplifier.standard_normal(shape) * amplifier_amperes(
            siemens, preset.tia.noise_volts_per_root_hertz, aperture_seconds
        )
        seen += self._adc.standard_normal(shape) * adc_amperes(
            preset.adc, range_amperes, aperture_seconds
        )
        if preset.dac.noise_volts_per_root_hertz and outputs_on:
            sigma = preset.dac.noise_volts_per_root_hertz * np.sqrt(
                bandwidth_hertz(aperture_seconds)
            )
            seen += network.spread(sigma * self._dac.standard_normal(volts.shape))
        if preset.tia.flicker_volts:
            flicker = self._flicker.sample(centres_seconds, aperture_seconds)
            seen += preset.tia.flicker_volts * flicker * siemens
        if preset.population.excess_noise_per_decade:
            amplitude = preset.population.excess_noise_per_decade / np.sqrt(np.log(10))
            excess = self._excess.sample(centres_seconds, aperture_seconds)
            seen += amplitude * excess * network.excess_amperes(volts)
        if preset.environment.mains_volts:
            seen += self._mains.volts(centres_seconds, aperture_seconds) * siemens
        return np.asarray(seen)
