"""The steps of the converters, as the board's own readings tell them.

A reading is a whole number of the ADC's steps, so that the coarsest binary grid that holds all
readings is the ADC's. Rows that are set to 0.7 of a step of the DACs go to that step, and to
nothing where they are set to half as much: the finest setting that moves them at all tells the
DACs' step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Floats
from calibration.crossbar import Crossbar, held_volts, smallest_range

USUAL_DAC_BITS, USUAL_ADC_BITS = 16, 24
"""Of a board that says nothing of its converters (docs/board-protocol.md, version 1.0)."""
MAX_BITS = 24
OVERRANGE = 1.05
"""Of a range, either side: what the ADCs' codes span (docs/board-protocol.md)."""
MIN_CODES = 8
"""Different readings that it takes to tell a grid."""
MAX_OFF_GRID = 1e-3
"""Of a step, beside what numbers of 32 bits round."""
DAC_BITS_TRIED = range(19, 3, -1)
"""That are tried, finest first; what moves before is finer."""
STEP_SHARE = 0.7
MAX_ROWS_DRIVEN = 8
WHOLE_SHARE, MIN_WHOLE_SHARE = 1 / 4, 1 / 64
"""Of the row voltage limit: what small settings are compared with, and how low it may be."""
OFFSET_SHARE = 2e-3
"""Of the row voltage limit: what offsets of the DACs may add to a setting."""
MIN_LIVE_SHARE = 0.25
MAX_SCATTER = 0.25
"""Of a setting: where two readings of it differ by more, it cannot be told whether it moved."""


def adc_step(bits: int) -> float:
    """Return the step of an ADC over its range."""
    return 2 * OVERRANGE / 2.0**bits


def find_adc_bits(shares: Floats, stated_bits: int = USUAL_ADC_BITS) -> int:
    """Return the bits of the ADCs from readings over their ranges, of any shape: those of the
    coarsest grid that all of them are on; what the board says of itself, `stated_bits`, where there
    are too few different ones.
    """
    values = np.unique(shares[np.isfinite(shares)])
    if len(values) < MIN_CODES:
        return stated_bits
    for bits in range(4, MAX_BITS):
        codes = values / adc_step(bits)
        tolerance = MAX_OFF_GRID + np.abs(codes) * 2.0**-22
        tell = tolerance < 0.1
        off = np.abs(codes - np.rint(codes)) > tolerance
        if tell.sum() >= MIN_CODES and not off[tell].any():
            return bits
    return MAX_BITS


def find_dac_bits(board: Crossbar, stated_bits: int = USUAL_DAC_BITS) -> int:
    """Return the bits of the rows' DACs, as their steps show them; what the board says of itself,
    `stated_bits`, where nothing can be seen.

    Takes some 20 readings. Every branch of up to eight rows is closed meanwhile, of fewer where
    the widest range would not hold them; all switches are open afterwards; the range is changed.
    """
    of_row = float((1 / board.nominal_ohms).sum())
    held = board.ranges_amperes[-1] / (2 * MIN_WHOLE_SHARE * board.row_volts_limit * of_row)
    closed = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
    closed[: int(np.clip(held, 1, MAX_ROWS_DRIVEN))] = True
    board.apply(closed)
    found = _dac_bits(board, closed[:, 0].sum(axis=0))
    board.apply(np.zeros_like(closed))
    return stated_bits if found is None else found


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
    live = whole > MIN_LIVE_SHARE * nominal_siemens  # not where it overloads and is NaN
    if not live.any():
        return None
    still = False
    for bits in DAC_BITS_TRIED:
        seen = (
            siemens(STEP_SHARE * board.row_volts_limit * 2.0 ** (1 - bits))[:, live] / whole[live]
        )
        readable = np.isfinite(seen).all(axis=0)
        if not readable.any():
            continue
        first, second = np.median(seen[:, readable], axis=1)
        if abs(first - second) > MAX_SCATTER:
            continue
        moved = (first + second) / 2
        if moved < 0.5:
            still = True
        elif still:
            return bits
        else:
            return _bits_beyond_the_finest_setting(bits, moved)
    return None


def _bits_beyond_the_finest_setting(bits: int, moved: float) -> int:
    """Return the bits where the finest setting that could be seen did move: 0.7 steps move by one,
    1.4 steps by one as well, and more by what they are.
    """
    if moved > 1.2:
        return bits
    return bits + 1 if moved < 0.9 else MAX_BITS
