"""Noise of one reading: thermal, of the amplifier, of the ADC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.constants import k as boltzmann_joules_per_kelvin

from simulator.preset import Adc

PEAK_TO_PEAK_SIGMAS = 6.6
"""Noise-free bits count the peak-to-peak noise, 6.6 standard deviations (as converter datasheets
do).
"""


def bandwidth_hertz(aperture_seconds: float) -> float:
    """Return the equivalent noise bandwidth of an average over the aperture: `1 / (2·T)`."""
    return 1 / (2 * aperture_seconds)


def johnson_amperes(
    column_siemens: NDArray[np.float64], kelvin: float, aperture_seconds: float
) -> NDArray[np.float64]:
    """Return the standard deviation (columns,) of the thermal noise current: `√(4kT·G·B)` (Nyquist
    1928), ampere.

    `column_siemens` (columns,) is the total conductance on each column, all of it at `kelvin`.
    """
    power = 4 * boltzmann_joules_per_kelvin * kelvin * column_siemens
    return np.asarray(np.sqrt(power * bandwidth_hertz(aperture_seconds)))


def amplifier_amperes(
    column_siemens: NDArray[np.float64], volts_per_root_hertz: float, aperture_seconds: float
) -> NDArray[np.float64]:
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
    at_seconds = spec.noise_free_at_seconds
    return float(peak_to_peak / PEAK_TO_PEAK_SIGMAS * np.sqrt(at_seconds / aperture_seconds))
