"""Steps 2 and 4: how DACs and ADCs bend, where their zeros are, how their ranges differ."""

from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.curves import Curves, Largest
from calibration.converters.measure import ChannelStatus, Converters, measure_converters
from calibration.converters.range_gains import CLASS_RATIO, RangeGains, measure_ranges
from calibration.converters.resolution import (
    USUAL_ADC_BITS,
    USUAL_DAC_BITS,
    adc_step,
    find_adc_bits,
    find_dac_bits,
)

__all__ = [
    "CLASS_RATIO",
    "USUAL_ADC_BITS",
    "USUAL_DAC_BITS",
    "ChannelStatus",
    "Converters",
    "CorrectedCrossbar",
    "Curves",
    "Largest",
    "RangeGains",
    "adc_step",
    "find_adc_bits",
    "find_dac_bits",
    "measure_converters",
    "measure_ranges",
]
