"""The readings of the noise survey: their patterns, their vectors and their duration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.branches import BranchCalibration
from calibration.crossbar import (
    MAX_DELAY_SECONDS,
    Crossbar,
    held_volts,
    largest_usual,
    measuring_volts,
    smallest_range,
)

ALL_READINGS, FEW_READINGS, SPARSE_READINGS, OPEN_READINGS = 320, 48, 32, 48
CHOPPED_READINGS, LINE_READINGS = 48, 40
STEP_READINGS, STEP_SHARE = 26, 10 / 13
"""Voltages that grow by this share of a step visit 13 places between two steps."""
SETTLING_DELAYS = 0.0, 0.05, 0.1, 0.2, 1.0, 2.0
"""Over the delay in use, or over a twentieth of the aperture where that is longer."""
DAC_STEP = 2.0**-15
"""Of the row voltage limit (docs/board-protocol.md)."""
HEADROOM = 1.5
"""Of a range, over the largest current observed."""
TRIAL_VECTORS = 4
"""Vectors that are tried to find the range."""
GAIN_HEADROOM = 1.1
GAIN_SIGNS = 1.0, -1.0, 1.0, -1.0
GAIN_WEIGHTS = 0.0, -0.25, 0.5, -0.25
"""Half difference of readings at both polarities, without a steady drift. The first reading follows
0 V and does not count.
"""


@dataclass(frozen=True)
class Settings:
    """The settings with which products are read."""

    range_amperes: float
    aperture_seconds: float
    delay_seconds: float
    line_hertz: float
    """Nominal."""

    @property
    def period_seconds(self) -> float:
        """From one reading to the next."""
        return self.aperture_seconds + self.delay_seconds


@dataclass(frozen=True)
class Reading:
    """Readings of vectors under one pattern, one of each."""

    amperes: Floats
    """(readings, columns)"""
    pattern: Bools
    """(rows, columns, branches)"""
    row_volts: Floats
    """(readings, rows)"""
    range_amperes: float
    aperture_seconds: float
    period_seconds: float


@dataclass(frozen=True)
class GainReading:
    """Currents with all rows driven alike, read some time after the rows have turned."""

    siemens: Floats
    """(columns,): current over the voltage."""
    volts: float
    range_amperes: float
    delay_seconds: float


@dataclass(frozen=True)
class SurveyReadings:
    """All readings of a survey; `survey` says what each is for."""

    everything: Reading
    few: Reading
    sparse: Reading
    opened: Reading
    chopped: tuple[Reading, Reading]
    line: Reading
    steps: Reading
    early: tuple[GainReading, ...]
    """After the longest delay, before and after the thermometer was read."""
    delayed: tuple[GainReading, ...]
    """After several delays, shortest first, and back again, with the thermometer read in between.
    """
    thermometer: tuple[tuple[float, float], ...]
    """Seconds and kelvin: between the early gains, after the first of the chopped readings, before
    the last of them, and in between the delayed gains.
    """
    count: int
    """Number of readings of each column."""


def take_readings(
    board: Crossbar,
    calibration: BranchCalibration,
    settings: Settings,
) -> SurveyReadings:
    """Take the readings of a survey.

    The board is left at `settings`, with all switches open.
    """
    bench = _CountingBench(board, settings)
    volts = measuring_volts(board.row_volts_limit)
    usable = calibration.usable
    half_cycle = 0.5 / settings.line_hertz
    to_quarters = _to_quarter_cycles(half_cycle + settings.delay_seconds, settings.line_hertz)
    growing = STEP_SHARE * DAC_STEP * board.row_volts_limit * np.arange(STEP_READINGS)
    usual = max(settings.delay_seconds, settings.aperture_seconds / 20)
    delays = np.minimum(np.array(SETTLING_DELAYS) * usual, MAX_DELAY_SECONDS)

    def still(count: int) -> Floats:
        return np.zeros((count, board.rows))

    closed = (usable * calibration.branch_siemens).sum(axis=2) + calibration.open_siemens
    gain_siemens = closed.sum(axis=0)
    every = board.ranges_amperes
    gain_volts = held_volts(every, volts, GAIN_HEADROOM * gain_siemens)
    gain_range = smallest_range(every, GAIN_HEADROOM * gain_volts * float(gain_siemens.max()))
    chopped_siemens = np.abs(alternating(board.rows) @ closed)
    chopped_volts = held_volts(every, volts, GAIN_HEADROOM * chopped_siemens)
    against = chopped_volts * np.outer(alternating(CHOPPED_READINGS), alternating(board.rows))

    def gain(*delays: float) -> tuple[GainReading, ...]:
        return tuple(bench.read_gain(gain_volts, gain_range, delay) for delay in delays)

    bench.apply(usable)
    early = gain(delays[-1])
    at_early = board.moment()
    early += gain(delays[-1])
    chopped_first = bench.read_quietly(against)
    at_first = board.moment()
    everything = bench.read_quietly(still(ALL_READINGS))
    line = bench.read_quietly(
        still(LINE_READINGS), half_cycle, settings.delay_seconds + to_quarters
    )
    steps = bench.read_quietly(np.outer(growing, np.ones(board.rows)))
    at_last = board.moment()
    chopped_last = bench.read_quietly(against)
    there = gain(*delays)
    at_late = board.moment()
    back = gain(*delays[::-1])

    bench.apply(usable & _few(board))
    few = bench.read_quietly(still(FEW_READINGS))
    bench.apply(usable & _sparse(board))
    sparse = bench.read_quietly(still(SPARSE_READINGS))
    bench.apply(np.zeros_like(usable))
    opened = bench.read(still(OPEN_READINGS), settings.range_amperes)
    return SurveyReadings(
        everything=everything,
        few=few,
        sparse=sparse,
        opened=opened,
        chopped=(chopped_first, chopped_last),
        line=line,
        steps=steps,
        early=early,
        delayed=there + back,
        thermometer=(at_early, at_first, at_last, at_late),
        count=bench.readings,
    )


def alternating(count: int) -> Floats:
    """Return the alternating signs (count,): 1, −1, 1, −1 and so on."""
    return np.where(np.arange(count) % 2, -1.0, 1.0)


def _few(board: Crossbar) -> Bools:
    """Return the pattern (rows, 1, branches) of the weakest branches up to a small sum.

    Nominally they add up to the geometric mean of one branch and of all.
    """
    nominal = 1 / board.nominal_ohms
    left = float(np.sqrt(nominal.min() * nominal.sum() * board.rows))
    pattern = np.zeros((board.rows, 1, board.branches), dtype=bool)
    for branch in np.argsort(nominal):
        rows = int(min(np.ceil(left / nominal[branch]), board.rows))
        pattern[:rows, 0, branch] = True
        left -= rows * nominal[branch]
        if left <= 0:
            break
    return pattern


def _sparse(board: Crossbar) -> Bools:
    """Return the pattern (rows, columns, 1) that joins rows and columns as little as possible.

    Every row is joined to just enough columns for each column to have a row, or the reverse.
    """
    rows, columns = np.ogrid[: board.rows, : board.columns]
    return np.asarray(((rows - columns) % min(board.rows, board.columns) == 0)[:, :, None])


def _to_quarter_cycles(period_seconds: float, line_hertz: float) -> float:
    """Return the extension of a period, seconds, to an odd number of quarter line cycles.

    The readings of such a period miss no phase.
    """
    quarters = 4 * line_hertz * period_seconds
    return float((2 * np.ceil((quarters - 1) / 2) + 1 - quarters) / (4 * line_hertz))


class _CountingBench:
    """A board that is read at `settings` by default, and counts its readings."""

    def __init__(self, board: Crossbar, settings: Settings) -> None:
        self._board = board
        self._settings = settings
        self._pattern = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
        self.readings = 0

    def apply(self, pattern: Bools) -> None:
        self._board.apply(pattern)
        self._pattern = pattern

    def read(
        self,
        row_volts: Floats,
        range_amperes: float,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> Reading:
        """Read every vector (vectors, rows) once."""
        aperture = self._settings.aperture_seconds if aperture_seconds is None else aperture_seconds
        delay = self._settings.delay_seconds if delay_seconds is None else delay_seconds
        self._board.configure(
            range_amperes=range_amperes, aperture_seconds=aperture, delay_seconds=delay
        )
        amperes = self._board.column_currents(row_volts)
        period = aperture + delay
        self.readings += len(row_volts)
        return Reading(amperes, self._pattern, row_volts, range_amperes, aperture, period)

    def read_quietly(
        self,
        row_volts: Floats,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> Reading:
        """Read every vector once, in the smallest range that holds the last few of them.

        Columns that give many times as much as the others do not count for the range.
        """
        timing = aperture_seconds, delay_seconds
        ranges = self._board.ranges_amperes
        for range_amperes in ranges[ranges >= self._settings.range_amperes].tolist():
            tried = self.read(row_volts[-TRIAL_VECTORS:], range_amperes, *timing).amperes
            if np.isfinite(tried).all():
                break
        largest = np.abs(tried[:, np.isfinite(tried).all(axis=0)]).max(axis=0)
        wanted = HEADROOM * largest_usual(largest)
        return self.read(row_volts, smallest_range(ranges, wanted), *timing)

    def read_gain(self, volts: float, range_amperes: float, delay_seconds: float) -> GainReading:
        vectors = volts * np.outer(GAIN_SIGNS, np.ones(self._board.rows))
        read = self.read(vectors, range_amperes, delay_seconds=delay_seconds)
        siemens = np.array(GAIN_WEIGHTS) @ read.amperes / volts
        return GainReading(np.asarray(siemens), volts, range_amperes, delay_seconds)
