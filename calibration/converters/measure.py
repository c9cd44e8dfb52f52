"""Measure the converters: the curve of every row's DAC and every column's ADC, and their offsets.

The board measures itself. Each block of the design (`design.py`) closes a few crosspoints and
drives all rows through all their levels; one least squares fit (`fit.py`) separates the curves of
rows and columns. Two vectors before each block, all rows at +V and all at −V, find the columns that
overload, and give the offsets (`offsets.py`).

Some quantities cannot be measured from inside: the gain of a DAC or of a column apart from the
conductances between them; an offset that all DACs share apart from one that all amplifiers share; a
curve of the resistors themselves. Self-heating gives resistors a cubic curve, which is part of the
DACs' curves and of their uncertainty.
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
"""Over the range: a column that reads more with its rows at ±V may overload with them at the limit.
"""
MIN_ANSWER_SHARE = 0.25
"""Over the nominal conductance: a crosspoint that conducts less does not answer."""
OPEN_READINGS = 8
"""Readings of each column with all switches open."""
TYPICAL_HEATING_KELVIN_PER_WATT, TYPICAL_PER_KELVIN = 100.0, 100e-6
"""Rise of a chip resistor above its board, and temperature coefficient of its conductance: typical
of the class. `calibration.budget` takes 200 K/W as a bound.
"""
INVERSE_STEPS = 5
"""Iterations of the inverse curve. A slope below 0.01, applied five times, leaves 1e-10 of the
curve.
"""


class ChannelStatus(IntEnum):
    """Status of a row's driver, or of a column's amplifier and ADC."""

    OK = 0
    DEAD = 1
    """No crosspoint of it answers."""
    SATURATED = 2
    """The column reads beyond the range whatever is closed."""
    UNSEEN = 3
    """The row met no working column."""


@dataclass(frozen=True, eq=False, repr=False)
class Converters(Record):
    """The converters of a board, relative to one another."""

    rows: Curves
    """Of a row's setting, volts: the DAC's output beyond its line, in volts of the setting (over
    the line's slope). It is zero at ±measuring volts, so that conductances measured there need no
    correction.
    """
    columns: Curves
    """Of a reading over its range: the ADC's deviation from its line, over the range."""
    offsets: Offsets
    row_status: NDArray[np.int8]
    """(rows,): ChannelStatus."""
    column_status: NDArray[np.int8]
    readings: int
    """ADC readings taken, all columns counted."""
    left_out: int
    """Readings of these that were beyond the range or scattered too much."""
    range_amperes: float
    dac_bits: int = USUAL_DAC_BITS
    """Of the rows' DACs, as measured."""

    @property
    def step_volts(self) -> float:
        """One step of the DACs' code."""
        return self.rows.full_scale * 2.0 ** (1 - self.dac_bits)

    def settings(self, row_volts: Floats, rows: NDArray[np.int_] | None = None) -> Floats:
        """Return the settings, volts, that drive rows to (…, rows) volts, within the limit.

        They are the inverse of `setting + d(setting)`. `rows` are the rows of the last axis; None
        for all rows in order.
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
        """Return readings (…, columns) without the curves of the ADCs; NaN stays NaN."""
        bend = self.columns.deviation(amperes / range_amperes)
        return np.asarray(amperes - range_amperes * bend)


def measure_converters(
    board: Crossbar, *, dac_bits: int = USUAL_DAC_BITS, progress: Progress = no_progress
) -> Converters:
    """Measure the converters of a board; afterwards all switches are open.

    `dac_bits` are the measured bits of the DACs (`resolution.py`). `progress` counts blocks. The
    status of a row or column says whether it works; if not, its curve is zero, with the uncertainty
    of the class.

    Raises OverloadError where no column can be read.
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
    """Close the crosspoints of a block, with fewer branches in columns that overload.

    Such columns get every other branch, then the others, then none. Returns the closed share of the
    design's conductance (columns,), the readings with all rows at ±volts (2, columns), and how
    often they were taken.
    """
    branches = np.flatnonzero(design.closed)
    choices = np.zeros((4, board.branches), dtype=bool)
    for choice, closed_branches in enumerate((branches, branches[::2], branches[1::2])):
        choices[choice, closed_branches] = True
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
    """Read the columns with all switches open; return the readings and the leakage.

    The readings (readings, 2, columns) have all rows at ±volts; the leakage is the conductance of
    each crosspoint (rows, columns), siemens. Rows are read one by one only where a column conducts
    more than leakage, because a switch is stuck. Otherwise a column's leakage is divided equally
    among its rows.
    """
    board.apply(np.zeros((board.rows, board.columns, board.branches), dtype=bool))
    ends = volts * np.tile([[1.0], [-1.0]], (OPEN_READINGS // 2, board.rows))
    opened = board.column_currents(ends).reshape(-1, 2, board.columns)
    plus, minus = opened.mean(axis=0)
    of_column = (plus - minus) / (2 * volts)
    if (of_column > MIN_ANSWER_SHARE / board.nominal_ohms.max()).any():
        one_row = board.column_currents(volts * np.eye(board.rows))
        siemens = (one_row - (plus + minus) / 2) / volts
    else:
        siemens = np.tile(of_column / board.rows, (board.rows, 1))
    return opened, np.nan_to_num(siemens)


def _of_working(curves: Curves, status: NDArray[np.int8]) -> Curves:
    """Return the curves, set to zero for channels that do not work."""
    ok = (status == ChannelStatus.OK)[:, None]
    return replace(curves, coefficients=np.where(ok, curves.coefficients, 0.0))


def _with_self_heating(rows: Curves, branch_siemens: Floats) -> Curves:
    """Return the curves with the type B uncertainty of the closed branches' self-heating.

    Their heat adds `V³ · R_th · α · Σg² / Σg`, in volts of the setting.
    """
    heating = TYPICAL_HEATING_KELVIN_PER_WATT * TYPICAL_PER_KELVIN
    cubic_volts = rows.full_scale**3 * heating * (branch_siemens**2).sum() / branch_siemens.sum()
    covariance = rows.covariance.copy()
    covariance[:, 1, 1] += (0.4 * cubic_volts) ** 2  # x³ = 3/5 P₁ + 2/5 P₃
    return replace(rows, covariance=covariance)


def _judge(
    design: ConverterDesign, fit: CurveFit, closed: Floats
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return the status of every row and column, from which crosspoints answered in which block.

    `closed` (blocks, columns) is the closed share that `_close` returns.
    """
    wanted = MIN_ANSWER_SHARE * design.siemens * closed
    answers = (fit.crosspoint_siemens > wanted[..., None]) & fit.kept[..., None]
    column_answers: Bools = np.asarray(answers.any(axis=(0, 2)))
    observed = np.broadcast_to((fit.kept & column_answers)[..., None], answers.shape)
    rows = design.sequence_of_row.shape[1]
    met, answered = (
        np.bincount(design.rows_of_column[where], minlength=rows) > 0
        for where in (observed, answers)
    )
    row_status = np.full(rows, ChannelStatus.OK, np.int8)
    row_status[~answered] = ChannelStatus.DEAD
    row_status[~met] = ChannelStatus.UNSEEN
    column_status = np.full(len(column_answers), ChannelStatus.OK, np.int8)
    column_status[~column_answers] = ChannelStatus.DEAD
    column_status[(closed == 0).all(axis=0)] = ChannelStatus.SATURATED
    return row_status, column_status
