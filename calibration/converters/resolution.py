"""The steps of the converters, from the board's own readings.

A reading is a whole number of the ADC's steps, so the coarsest binary grid that holds all readings
is the ADC's. A row set to 0.7 of a step of its DAC goes to that step; set to half as much, it stays
at zero. So the finest setting that moves the rows gives the DACs' step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Floats
from calibration.crossbar import Crossbar, held_volts, smallest_range

USUAL_DAC_BITS, USUAL_ADC_BITS = 16, 24
"""Of a board that does not state its converters (docs/board-protocol.md, version 1.0)."""
MAX_BITS = 24
"""Of the finest converter that is distinguished."""
OVERRANGE = 1.05
"""Span of the ADCs' codes to either side, over the range (docs/board-protocol.md)."""
MIN_CODES = 8
"""Different readings needed to recognize a grid."""
MAX_OFF_GRID = 1e-3
"""Distance from the grid, in steps, beside the rounding of numbers of 32 bits."""
DAC_BITS_TRIED = range(19, 3, -1)
"""In the order of the trials, finest first."""
STEP_SHARE = 0.7
"""Setting of the rows, in steps."""
MAX_ROWS_DRIVEN = 8
"""Rows whose branches are closed."""
WHOLE_SHARE, MIN_WHOLE_SHARE = 1 / 4, 1 / 64
"""Over the row voltage limit: the setting that small settings are compared with, and its minimum.
"""
OFFSET_SHARE = 2e-3
"""Over the row voltage limit: what the DACs' offsets may add to a setting."""
MIN_LIVE_SHARE = 0.25
"""Over the nominal conductance: columns that conduct less are ignored."""
MAX_SCATTER = 0.25
"""Over a setting: where two readings differ by more, they do not show whether the rows moved."""


def adc_step(bits: int) -> float:
    """Return the step of an ADC over its range."""
    return 2 * OVERRANGE / 2.0**bits


def find_adc_bits(shares: Floats, stated_bits: int = USUAL_ADC_BITS) -> int:
    """Return the bits of the ADCs from readings over their ranges, of any shape.

    They are those of the coarsest binary grid that holds all readings. `stated_bits`, what the
    board says of itself, are returned where too few readings differ.
    """
    values = np.unique(shares[np.isfinite(shares)])
    if len(values) < MIN_CODES:
        return stated_bits
    for bits in range(4, MAX_BITS):
        codes = values / adc_step(bits)
        tolerance = MAX_OFF_GRID + np.abs(codes) * 2.0**-22
        countable = tolerance < 0.1
        off = np.abs(codes - np.rint(codes)) > tolerance
        if countable.sum() >= MIN_CODES and not off[countable].any():
            return bits
    return MAX_BITS


def find_dac_bits(board: Crossbar, stated_bits: int = USUAL_DAC_BITS) -> int:
    """Return the bits of the rows' DACs, from the smallest setting that moves the rows.

    `stated_bits`, what the board says of itself, are returned where nothing can be observed.

    It takes about 20 readings. Meanwhile every branch of up to eight rows is closed, of fewer rows
    where the widest range would not hold them. Afterwards all switches are open; the range is
    changed.
    """
    of_row = float((1 / board.nominal_ohms).sum())
    rows_held = board.ranges_amperes[-1] / (2 * MIN_WHOLE_SHARE * board.row_volts_limit * of_row)
    closed = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
    closed[: int(np.clip(rows_held, 1, MAX_ROWS_DRIVEN))] = True
    board.apply(closed)
    bits = _dac_bits(board, closed[:, 0].sum(axis=0))
    board.apply(np.zeros_like(closed))
    return stated_bits if bits is None else bits


def _dac_bits(board: Crossbar, closed: NDArray[np.int_]) -> int | None:
    nominal_siemens = float((closed / board.nominal_ohms).sum())

    def siemens(volts: float) -> Floats:
        """Return two readings (2, columns) of what all columns conduct at ±volts."""
        amperes = (2 * volts + OFFSET_SHARE * board.row_volts_limit) * nominal_siemens
        board.configure(range_amperes=smallest_range(board.ranges_amperes, amperes))
        signs = np.tile([[1.0], [-1.0]], (2, board.rows))
        read = board.column_currents(volts * signs)
        return np.asarray((read[0::2] - read[1::2]) / (2 * volts))

    # Halves of an exact code are exact codes as well.
    volts = WHOLE_SHARE * board.row_volts_limit
    volts = held_volts(board.ranges_amperes, volts, np.array([2 * nominal_siemens]))
    whole = siemens(volts).mean(axis=0)
    live = whole > MIN_LIVE_SHARE * nominal_siemens  # false where it overloads and is NaN
    if not live.any():
        return None
    was_still = False
    for bits in DAC_BITS_TRIED:
        moved_share = (
            siemens(STEP_SHARE * board.row_volts_limit * 2.0 ** (1 - bits))[:, live] / whole[live]
        )
        readable = np.isfinite(moved_share).all(axis=0)
        if not readable.any():
            continue
        first, second = np.median(moved_share[:, readable], axis=1)
        if abs(first - second) > MAX_SCATTER:
            continue
        moved = (first + second) / 2
        if moved < 0.5:
            was_still = True
        elif was_still:
            return bits
        else:
            return _bits_beyond_the_finest_setting(bits, moved)
    return None


def _bits_beyond_the_finest_setting(bits: int, moved: float) -> int:
    """Return the bits where the finest observable setting did move the rows.

    A setting of 0.7 steps moves by one step, of 1.4 steps by one as well, and larger ones by about
    their size.
    """
    if moved > 1.2:
        return bits
    return bits + 1 if moved < 0.9 else MAX_BITS
