"""Steps 2 and 4: the DACs and the ADCs, beyond a straight line with one gain; the gains of ranges.

Read `measure.py` first: it runs step 2 from first to last and holds its result. It leads to
`design.py` (what to drive), `fit.py` over `normal_equations.py` (from readings to `curves.py`) and
`offsets.py`. `resolution.py` finds the converters' steps before that. `range_gains.py` is step 4.
`corrected.py` is the board as all later steps see it, with these corrections made.
"""

from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.curves import FIRST_DEGREE, Curves, Largest
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
    "FIRST_DEGREE",
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
