"""What a simulated board's converters really are, in the terms in which they are measured."""

import numpy as np
from numpy.typing import NDArray

from calibration.converters.fit import ADC_LINE_END
from calibration.crossbar import measuring_volts
from simulator.electronics import SimulatedCrossbar

Floats = NDArray[np.float64]


def dac_beyond_line(board: SimulatedCrossbar, volts: Floats) -> Floats:
    """Return what the DACs put out for settings (n,) beyond the line through their values at the
    measuring voltages, (n, rows), in volts of the setting.
    """
    end = measuring_volts(board.row_volts_limit)
    return _beyond_line(lambda x: _dac_output(board, x), volts, end) / (1 + board.dacs.gain_error)


def dac_offset(board: SimulatedCrossbar) -> Floats:
    """Return the offsets (rows,) of those lines, relative to the mean of the amplifiers'."""
    end = measuring_volts(board.row_volts_limit)
    mean = _dac_output(board, np.array([-end, end])).mean(axis=0) / (1 + board.dacs.gain_error)
    return mean - board.readers.tia_offset_volts.mean()


def amplifier_offset(board: SimulatedCrossbar) -> Floats:
    """Return the offsets (columns,) of the amplifiers, relative to their mean."""
    offsets = board.readers.tia_offset_volts
    return offsets - offsets.mean()


def adc_beyond_line(board: SimulatedCrossbar, share: Floats) -> Floats:
    """Return what the ADCs add at shares (n,) of the range, beyond the line through the ends of the
    calibration's, (n, columns), over the range.
    """
    overrange = board.preset.adc.overrange

    def added(x: Floats) -> Floats:
        place = np.repeat(x[:, None] / overrange, board.columns, axis=1)
        return board.preset.adc.inl * overrange * board.readers.inl_curves(place)

    return _beyond_line(added, share, ADC_LINE_END)


def range_factors(board: SimulatedCrossbar, reference_amperes: float) -> Floats:
    """Return what brings readings of each range on the scale of one, (ranges, columns)."""
    gains = 1 + board.readers.tia_gain_error
    return gains[board.ranges_amperes == reference_amperes] / gains


def _dac_output(board: SimulatedCrossbar, volts: Floats) -> Floats:
    return board.dacs.output(np.repeat(volts[:, None], board.rows, axis=1))


def _beyond_line(curve, x: Floats, end: float) -> Floats:
    low, high = curve(np.array([-end, end]))
    return curve(x) - ((low + high) / 2 + (high - low) / 2 * x[:, None] / end)
