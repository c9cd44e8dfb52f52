"""The readings of a characterization, taken pass by pass over the board."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from calibration.branches.plan import Plan
from calibration.branches.polarity import NoiseTally, judge_pairs
from calibration.branches.reference_drift import Bracket, Reference
from calibration.crossbar import MAX_DELAY_SECONDS, NO_BRANCH, Crossbar, Progress

REPEAT_DELAY_FACTOR, MIN_REPEAT_DELAY_SECONDS = 4.0, 1e-3
"""Delay before an outlier is read again, over the usual delay, and its minimum in seconds: a short
that was probed just before takes longer to settle than any branch.
"""


@dataclass(frozen=True)
class Pass:
    """Half differences of some rows, with each point read once."""

    rows: NDArray[np.int_]
    """(rows of this pass,)"""
    amperes: Floats
    """(rows of this pass, points, columns); NaN where overloaded."""
    seconds: Floats
    """(rows of this pass, points): time of each reading, on the board's clock."""
    noise: NoiseTally
    wild: NDArray[np.int_]
    """(rows of this pass, columns): pairs that were outliers and are not used."""


class PassReader:
    """Reads passes over a board, with the reference in between."""

    def __init__(
        self,
        board: Crossbar,
        plan: Plan,
        volts: float,
        reference: Reference | None,
        noise: tuple[Floats, float],
        shorted: Bools | None,
    ) -> None:
        """Take the noise and the switches to leave open.

        `noise` is the variance of a half difference, as judge_pairs takes it; `shorted` (rows,
        columns, branches) are the switches to leave open, for designs that are no scan.
        """
        self._board, self._plan, self._volts = board, plan, volts
        self._reference, self._noise, self._shorted = reference, noise, shorted
        self.bracket_seconds = plan.bracket_seconds
        self.brackets: list[Bracket] = []
        self.readings = 0
        """Of each column."""

    def read(self, rows: NDArray[np.int_], progress: Progress) -> Pass:
        """Read every point of `rows` once; `progress` counts rows."""
        plan, board = self._plan, self._board
        per_row = 2 * len(plan.design.groups) * plan.pairs * board.aperture_seconds
        at_once = max(1, round(self.bracket_seconds / per_row))
        blocks, seconds = [], []
        for first in range(0, len(rows), at_once):
            chunk = rows[first : first + at_once]
            block, times = self._read_rows(chunk)
            blocks.append(block)
            seconds.append(times)
            progress(first + len(chunk), len(rows))
        self.read_reference()
        plus, minus = np.moveaxis(np.concatenate(blocks), 2, 0)

        overloaded = np.asarray(np.isnan(plus + minus).all(axis=2))
        # A column that never reads does not affect its neighbours; a single short pulls them down.
        readable = ~overloaded.all(axis=1, keepdims=True)
        beside_short = np.any(overloaded & readable, axis=2)
        judged = judge_pairs(plus, minus, *self._noise, beside_short)
        amperes = judged.half_differences
        wild = judged.wild.sum(axis=(1, 2))
        lost = np.isnan(amperes) & judged.wild.any(axis=2)
        if lost.any():
            wild = wild + self._read_again(rows, plus, minus, amperes, lost)
        return Pass(
            rows=rows,
            amperes=amperes,
            seconds=np.repeat(np.concatenate(seconds)[:, None], plus.shape[1], axis=1),
            noise=judged.noise,
            wild=wild,
        )

    def _read_rows(self, rows: NDArray[np.int_]) -> tuple[Floats, Floats]:
        """Return readings (rows, points, 2 polarities, pairs, columns), and the time of each row.

        The reference is read first; in the same scan, where the design is a scan.
        """
        plan, board = self._plan, self._board
        if not plan.design.scannable:
            self.read_reference()
            began, _ = board.moment()
            block = np.stack([self._read_groups(int(row)) for row in rows])
            ended, _ = board.moment()
        else:
            branches = np.where(
                plan.design.groups.any(axis=1), plan.design.groups.argmax(axis=1), NO_BRANCH
            )
            points = len(branches)
            references = [] if self._reference is None else [self._reference]
            at_rows = np.concatenate(
                [np.array([r.row for r in references], dtype=int), np.repeat(rows, points)]
            )
            at_branches = np.concatenate(
                [np.array([r.branch for r in references], dtype=int), np.tile(branches, len(rows))]
            )
            _, kelvin = board.moment()
            amperes = self._scan(at_rows, at_branches)
            ended, _ = board.moment()
            point_seconds = 2 * (board.delay_seconds + plan.pairs * board.aperture_seconds)
            began = ended - len(rows) * points * point_seconds
            self._note(amperes[0] if references else None, began, kelvin)
            block = amperes[len(references) :].reshape(len(rows), points, *amperes.shape[1:])
        middles = began + (np.arange(len(rows)) + 0.5) * (ended - began) / len(rows)
        return block, middles

    def _scan(self, rows: NDArray[np.int_], branches: NDArray[np.int_]) -> Floats:
        """Read points with both polarities; return (points, 2, pairs, columns)."""
        count = len(rows)
        self.readings += 2 * count * self._plan.pairs
        return self._board.scan(
            np.repeat(rows, 2),
            np.repeat(branches, 2),
            np.tile([self._volts, -self._volts], count),
            self._plan.pairs,
        ).reshape(count, 2, self._plan.pairs, -1)

    def _read_groups(self, row: int) -> Floats:
        """Read groups of branches of one row; return (points, 2, pairs, columns)."""
        board, pairs = self._board, self._plan.pairs
        vectors = np.zeros((2 * pairs, board.rows))
        vectors[0::2, row], vectors[1::2, row] = self._volts, -self._volts
        blocks = []
        for group in self._plan.design.groups:
            pattern = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
            pattern[row] = group
            if self._shorted is not None:
                pattern[row] &= ~self._shorted[row]
            board.apply(pattern)
            amperes = board.column_currents(vectors)
            blocks.append(np.moveaxis(amperes.reshape(pairs, 2, -1), 1, 0))
        self.readings += 2 * pairs * len(blocks)
        return np.stack(blocks)

    def read_reference(self) -> None:
        """Read the reference, or only the sensor where there is no reference."""
        read = None
        if self._reference is not None:
            read = self._scan(np.array([self._reference.row]), np.array([self._reference.branch]))
            read = read[0]
        self._note(read, *self._board.moment())

    def _note(self, amperes: Floats | None, seconds: float, kelvin: float) -> None:
        """Keep a reading (2, pairs, columns) of the reference, with time and temperature."""
        siemens = np.full(self._board.columns, np.nan)
        if amperes is not None:
            siemens = (amperes[0] - amperes[1]).mean(axis=0) / (2 * self._volts)
        self.brackets.append(Bracket(seconds, kelvin, siemens))

    def _read_again(
        self,
        rows: NDArray[np.int_],
        plus: Floats,
        minus: Floats,
        amperes: Floats,
        lost: Bools,
    ) -> NDArray[np.int_]:
        """Read the rows again in which outliers left a point without any reading.

        The lost half differences (rows, points, columns) are replaced in `amperes`. Returns the
        number of outliers among the second readings (rows, columns). A point that is an outlier
        twice takes the mean of both readings.
        """
        again = np.flatnonzero(lost.any(axis=(1, 2)))
        delay = self._board.delay_seconds
        patient = max(REPEAT_DELAY_FACTOR * delay, MIN_REPEAT_DELAY_SECONDS)
        self._board.configure(delay_seconds=min(patient, MAX_DELAY_SECONDS))
        blocks = [self._read_rows(rows[[index]])[0] for index in again]
        self._board.configure(delay_seconds=delay)
        second_plus, second_minus = np.moveaxis(np.concatenate(blocks), 2, 0)
        # Judged together with the good rows: the offsets of converters show over many rows.
        all_plus, all_minus = plus.copy(), minus.copy()
        all_plus[again], all_minus[again] = second_plus, second_minus
        overloaded = np.asarray(np.isnan(all_plus + all_minus).any(axis=(2, 3)))
        unjudged = np.asarray(overloaded & ~np.any(lost, axis=2))
        judged = judge_pairs(all_plus, all_minus, *self._noise, unjudged)
        twice = np.where(
            lost, ((plus - minus).mean(axis=2) + (all_plus - all_minus).mean(axis=2)) / 4, np.nan
        )
        better = np.where(np.isnan(judged.half_differences), twice, judged.half_differences)
        amperes[lost] = better[lost]
        return np.asarray((judged.wild & lost[:, :, None, :]).sum(axis=(1, 2)))
