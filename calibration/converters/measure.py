"""Converters: what every row's DAC and every column's ADC do beyond a straight line, and their
offsets.

The board measures itself: each block of the design (`converter_design`) closes a few crosspoints,
drives all rows through all their levels, and one least squares fit (`converter_fit`) tells the
curves of rows and columns apart. Two vectors before each block, all rows at +V and all at −V, find
the columns that overload and carry the offsets.

What no measurement from inside can tell: the gain of a DAC or of a column apart from the
conductances between them; an offset that all DACs share apart from one that all amplifiers share;
a curve that the resistors themselves would have (self-heating gives them a cubic one, which is in
the DACs' curves and in their uncertainty).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.converters.curves import Curves
from calibration.converters.design import ConverterDesign, design_converters
from calibration.converters.fit import CurveFit, fit_curves
from calibration.converters.offsets import Offsets, find_offsets
from calibration.converters.resolution import USUAL_DAC_BITS
from calibration.crossbar import Crossbar, Progress, measuring_volts, no_progress
from calibration.errors import OverloadError
from calibration.records import Record

MAX_FILL = 0.98
"""Of the range: a column that reads more with its rows at ±V may overload with them at the limit.
"""
MIN_ANSWER_SHARE = 0.25
"""Of the nominal conductance: what conducts less does not answer."""
OPEN_READINGS = 8
TYPICAL_HEATING_KELVIN_PER_WATT, TYPICAL_PER_KELVIN = 100.0, 100e-6
"""Rise of a chip resistor above its board, and temperature coefficient of its conductance: typical
of the class. `calibration.budget` takes 200 K/W as a bound.
"""
INVERSE_STEPS = 5
"""A curve's slope is below 0.01: so often applied, it leaves 1e-10 of the curve."""


class ChannelStatus(IntEnum):
    """What was found of a row's driver, or of a column's amplifier and ADC."""

    OK = 0
    DEAD = 1
    """Nothing that it is joined to answers."""
    SATURATED = 2
    """It reads beyond the range whatever is closed."""
    UNSEEN = 3
    """A row: no working column could look at it."""


@dataclass(frozen=True, eq=False, repr=False)
class Converters(Record):
    """The converters of a board; relative to one another."""

    rows: Curves
    """Of a row's setting, volts: what the DAC puts out beyond its line, in volts of the setting
    (over the line's slope). Zero at ±measuring volts, so that conductances measured there need no
    correction.
    """
    columns: Curves
    """Of a reading over its range: what the ADC adds to its line, over the range."""
    offsets: Offsets
    row_status: NDArray[np.int8]
    """(rows,): ChannelStatus."""
    column_status: NDArray[np.int8]
    readings: int
    """ADC readings taken, all columns counted."""
    left_out: int
    """Of these, how many were beyond the range or scattered wildly."""
    range_amperes: float
    dac_bits: int = USUAL_DAC_BITS
    """Of the rows' DACs, as they were seen to move."""

    @property
    def step_volts(self) -> float:
        """One step of the DACs' code."""
        return self.rows.full_scale * 2.0 ** (1 - self.dac_bits)

    def settings(self, row_volts: Floats, rows: NDArray[np.int_] | None = None) -> Floats:
        """Return what to set, volts, so that rows are driven to (…, rows) volts, as far as the
        limit allows: the inverse of `setting + d(setting)`.

        `rows` are those that the last axis stands for; None for all in their order.
        """
        limit, coefficients = self.rows.full_scale, self.rows.coefficients
        if rows is not None:
            coefficients = coefficients[rows]
        setting = row_volts
        for _ in range(INVERSE_STEPS):
            bend = (self.rows.basis(setting) * coefficients).sum(axis=-1)
            setting = np.clip(row_volts - bend, -limit, limit)
        return setting

    def straightened(self, amperes: Floats, range_amperes: float) -> Floats:
        """Return readings (…, columns) without the curves of the ADCs; NaN where they are."""
        bend = self.columns.deviation(amperes / range_amperes)
        return np.asarray(amperes - range_amperes * bend)


def measure_converters(
    board: Crossbar, *, dac_bits: int = USUAL_DAC_BITS, progress: Progress = no_progress
) -> Converters:
    """Measure the converters of a board. All switches are open afterwards.

    `dac_bits` are those that the DACs were seen to have (`resolution`). `progress` hears of blocks
    done. A row or column that does not work is named by its status; its curve is zero, with the
    uncertainty of its class. Raises OverloadError where no column can be read.
    """
    design = design_converters(board, dac_bits=dac_bits)
    volts = measuring_volts(board.row_volts_limit)
    board.configure(range_amperes=design.range_amperes)
    blocks, columns = design.rows_of_column.shape[:2]
    closed = np.empty((blocks, columns))
    ends = np.empty((blocks, 2, columns))
    amperes = np.empty((blocks, design.volts.shape[1], columns))
    vectors = amperes[..., 0].size
    for block in range(blocks):
        closed[block], ends[block], tried = _close(board, design, block, volts)
        amperes[block] = board.column_currents(design.row_volts(block))
        vectors += 2 * tried
        progress(block + 1, blocks)
    if not closed.any():
        raise OverloadError(
            f"every column overloads the range of {design.range_amperes:g} A with no branch closed "
            "on purpose: look for shorts, stuck switches, and amplifiers without supply"
        )
    opened, open_siemens = _read_open(board, volts)
    vectors += opened[..., 0].size
    board.rest()

    fit = fit_curves(design, amperes, closed > 0, open_siemens, volts)
    row_status, column_status = _judge(design, fit, closed)
    answers = column_status == ChannelStatus.OK
    offsets = find_offsets(design, fit, answers, open_siemens, ends, opened)
    return Converters(
        rows=_with_self_heating(
            _of_working(fit.rows, row_status), 1 / board.nominal_ohms[design.closed]
        ),
        columns=_of_working(fit.columns, column_status),
        offsets=offsets,
        row_status=row_status,
        column_status=column_status,
        readings=vectors * columns,
        left_out=int((~fit.kept).sum()) * amperes.shape[1],
        range_amperes=design.range_amperes,
        dac_bits=dac_bits,
    )


def _close(
    board: Crossbar, design: ConverterDesign, block: int, volts: float
) -> tuple[Floats, Floats, int]:
    """Close what a block needs, and less of it in columns that overload: every other branch, the
    others, none.

    Returns what share of the design's conductance is closed (columns,), the readings with all rows
    at ±volts (2, columns), and how often they were taken.
    """
    branches = np.flatnonzero(design.closed)
    choices = np.zeros((4, board.branches), dtype=bool)
    for choice, some in enumerate((branches, branches[::2], branches[1::2])):
        choices[choice, some] = True
    columns = np.arange(board.columns)
    chosen = np.zeros(board.columns, np.int_)
    tried = 0
    while True:
        tried += 1
        pattern = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
        for rows in design.rows_of_column[block].T:
            pattern[rows, columns] = choices[chosen]
        board.apply(pattern)
        ends = board.column_currents(volts * np.array([[1.0], [-1.0]]) * np.ones(board.rows))
        too_much = ~(np.abs(ends) <= MAX_FILL * design.range_amperes).all(axis=0)
        less = too_much & (chosen < len(choices) - 1)
        if not less.any():
            siemens = (choices / board.nominal_ohms).sum(axis=1)[chosen]
            return np.where(too_much, 0.0, siemens / design.siemens), ends, tried
        chosen += less


def _read_open(board: Crossbar, volts: float) -> tuple[Floats, Floats]:
    """Return readings (readings, 2, columns) with all switches open and all rows at ±volts, and
    what each crosspoint conducts then (rows, columns), siemens.

    Rows are read one by one only where a column conducts more than leakage: something is stuck.
    Otherwise a column's leakage counts as that of all its rows alike.
    """
    board.apply(np.zeros((board.rows, board.columns, board.branches), dtype=bool))
    ends = volts * np.tile([[1.0], [-1.0]], (OPEN_READINGS // 2, board.rows))
    opened = board.column_currents(ends).reshape(-1, 2, board.columns)
    plus, minus = opened.mean(axis=0)
    of_column = (plus - minus) / (2 * volts)
    if (of_column > MIN_ANSWER_SHARE / board.nominal_ohms.max()).any():
        each = board.column_currents(volts * np.eye(board.rows))
        siemens = (each - (plus + minus) / 2) / volts
    else:
        siemens = np.tile(of_column / board.rows, (board.rows, 1))
    return opened, np.nan_to_num(siemens)


def _of_working(curves: Curves, status: NDArray[np.int8]) -> Curves:
    """Return curves that are zero for what does not work."""
    ok = (status == ChannelStatus.OK)[:, None]
    return replace(curves, coefficients=np.where(ok, curves.coefficients, 0.0))


def _with_self_heating(rows: Curves, branch_siemens: Floats) -> Curves:
    """Return curves whose uncertainty has a share of type B for what the closed branches' heat adds
    to them: `V³ · R_th · α · Σg² / Σg`, in volts of the setting.
    """
    heating = TYPICAL_HEATING_KELVIN_PER_WATT * TYPICAL_PER_KELVIN
    cubic_volts = rows.full_scale**3 * heating * (branch_siemens**2).sum() / branch_siemens.sum()
    covariance = rows.covariance.copy()
    covariance[:, 1, 1] += (0.4 * cubic_volts) ** 2  # x³ = 3/5 P₁ + 2/5 P₃
    return replace(rows, covariance=covariance)


def _judge(
    design: ConverterDesign, fit: CurveFit, closed: Floats
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return the status of every row and column from what answered in which block; `closed`
    (blocks, columns) as in `_close`.
    """
    wanted = MIN_ANSWER_SHARE * design.siemens * closed
    answers = (fit.crosspoint_siemens > wanted[..., None]) & fit.kept[..., None]
    column_answers: Bools = np.asarray(answers.any(axis=(0, 2)))
    looked = np.broadcast_to((fit.kept & column_answers)[..., None], answers.shape)
    rows = design.sequence_of_row.shape[1]
    seen, answered = (
        np.bincount(design.rows_of_column[where], minlength=rows) > 0 for where in (looked, answers)
    )
    row_status = np.full(rows, ChannelStatus.OK, np.int8)
    row_status[~answered] = ChannelStatus.DEAD
    row_status[~seen] = ChannelStatus.UNSEEN
    column_status = np.full(len(column_answers), ChannelStatus.OK, np.int8)
    column_status[~column_answers] = ChannelStatus.DEAD
    column_status[(closed == 0).all(axis=0)] = ChannelStatus.SATURATED
    return row_status, column_status
