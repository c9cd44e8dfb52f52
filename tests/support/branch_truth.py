"""What branches truly are, as the board's own converters see them."""

import numpy as np

from calibration.crossbar import measuring_volts
from calibration.transfer.wires import without_wire_drop
from kirchhoff import Wire
from simulator.preset import load_preset

EVERYTHING = load_preset("8x4")
"""With all effects."""


def read_value(board, measured, seconds):
    """What the board's converters make of every branch in the state the values hold for: at the
    temperature of then and at an age, the DAC's gain at the measuring voltage, the range's gain.
    """
    now = board.clock.seconds
    sensor_off = board.moment()[1] - board.preset.environment.kelvin
    sensor_off -= float(board.ambient.deviation_kelvin(np.array([now]))[0])
    warm = measured.reference_kelvin - board.preset.environment.kelvin - sensor_off
    drawn, age = board.faults.branches, float(np.log10(1 + seconds / 3600))
    volts = measuring_volts(board.row_volts_limit)
    held = board.dacs.held(np.full((1, board.rows), volts))
    kelvin = np.array([warm])
    rows = (board.dacs.output(held, kelvin) - board.dacs.output(-held, kelvin))[0] / (2 * volts)
    readers = board.readers
    columns = 1 + readers.tia_gain_error[board.range_index] + readers.tia_gain_per_kelvin * warm
    columns = columns * (1 + readers.adc_gain_error + readers.adc_gain_per_kelvin * warm)
    siemens = drawn.closed.at(warm, age) - drawn.open.at(warm, age)
    siemens = siemens + drawn.closed.heating * volts**2
    return siemens * rows[:, None, None] * columns[:, None]


def errors(board, measured, seconds):
    """What branches err by, the wires' drop and the mean gain of each column left out, siemens: the
    slope of an ADC's curve is a gain like any other.
    """
    true = read_value(board, measured, seconds)
    wire = Wire(**board.preset.wire.model_dump())
    relative = without_wire_drop(measured, wire).branch_siemens / true - 1
    stated = np.where(measured.usable, measured.uncertainty_siemens, np.inf)
    weight = (true / stated) ** 2
    gain = (weight * relative).sum(axis=(0, 2)) / weight.sum(axis=(0, 2))
    return np.where(measured.usable, (relative - gain[:, None]) * true, 0.0)


def scores(board, measured, seconds):
    """Errors over stated uncertainties; 0 for what does not work."""
    return errors(board, measured, seconds) / np.where(
        measured.usable, measured.uncertainty_siemens, np.inf
    )
