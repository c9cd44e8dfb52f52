"""Intermediate precision over hours: the same products again, unchanged and watched.

Intermediate precision (JCGM 200:2012, 2.23) is that of the same board, procedure and place over an
extended period. Time is the board's own clock, which nothing can set: it passes while the board
reads, with the longest aperture and no voltage on the rows. A board on the table takes hours for
it; a simulated one that need not wait takes seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.crossbar import Progress, no_progress
from calibration.programming import Watch
from drivers import SpentSeconds
from instrument.board import Board
from instrument.matrix import TiledMatrix
from instrument.validation.products import Validation, compare, ratio, validate

VECTORS = 64
MIN_LATER_VISITS = 4
"""Minimum number of visits after the first; over more hours there is one an hour."""
MAX_WAITING_APERTURE_SECONDS = 10.0


@dataclass(frozen=True)
class Visit:
    """The products at one time, on the board's clock."""

    hours: float
    """Hours since the first visit."""
    board_kelvin: float
    """Temperature that the board's sensor showed, kelvin."""
    validation: Validation
    """Products with nothing measured and nothing programmed since the first visit."""
    watched: Validation
    """Products corrected for the gain that sentinels show: eight readings."""
    watches: tuple[Watch, ...]
    """Readings of the sentinels, one for each tile."""

    @property
    def watched_gain(self) -> float:
        """Ratio of what all columns read to what they read when programmed, mean of the tiles."""
        return math.fsum(watch.gain for watch in self.watches) / len(self.watches)

    @property
    def watched_drift(self) -> float:
        """Relative change of the products beside the gain, root mean square of the tiles."""
        return math.hypot(*(watch.relative_drift for watch in self.watches)) / math.sqrt(
            len(self.watches)
        )

    @property
    def strayed_columns(self) -> list[int]:
        """Columns of the board that have moved more than the others under any tile."""
        return sorted({column for watch in self.watches for column in watch.strayed})

    def drift_from(self, first: Visit) -> float:
        """Return ‖ŷ − ŷ_first‖₂ / ‖y‖₂, which includes the noise of both."""
        return ratio(self.validation.answered - first.validation.answered, self.validation.exact)

    def gain_from(self, first: Visit) -> float:
        """Return the fraction g by which all products have grown.

        By least squares, ŷ ≈ (1 + g) ŷ_first. A diagnosis, not a correction: the resistors' mean
        temperature coefficient causes a common gain.
        """
        before, now = first.validation.answered.ravel(), self.validation.answered.ravel()
        return float(before @ now / (before @ before)) - 1


def visits(
    program: TiledMatrix,
    inputs: Floats,
    hours: float,
    progress: Progress = no_progress,
) -> Iterator[Visit]:
    """Multiply the first VECTORS of the inputs (vectors, rows) at each visit, and yield it.

    The visits are now, once an hour (at least MIN_LATER_VISITS times), and `hours` from now. Each
    multiplies as programmed, then again, watched. `progress` counts minutes on the board's clock.
    """
    board, few = program.board, inputs[:VECTORS]
    start_seconds = board.seconds()
    for due_hours in np.linspace(0.0, hours, 1 + max(MIN_LATER_VISITS, math.ceil(hours))):
        wait_until(board, start_seconds + 3600 * float(due_hours))
        passed_hours = (board.seconds() - start_seconds) / 3600
        progress(round(60 * passed_hours), round(60 * hours))
        watched = program.watched()
        yield Visit(
            hours=passed_hours,
            board_kelvin=board.temperature_kelvin(),
            validation=compare(program, few, program @ few),
            watched=compare(watched, few, watched @ few),
            watches=watched.watches,
        )


@dataclass(frozen=True)
class Reprogrammed:
    """The products after the board was measured and programmed anew, when the hours are over."""

    program: TiledMatrix
    validation: Validation
    spent: SpentSeconds
    """How the board spent its time on measuring and programming."""


@dataclass(frozen=True)
class IntermediatePrecision:
    """The products over hours, and after reprogramming."""

    visits: tuple[Visit, ...]
    reprogrammed: Reprogrammed
    """Products after the last visit."""


def reprogram(
    program: TiledMatrix, inputs: Floats, progress: Progress = no_progress
) -> Reprogrammed:
    """Program the matrix anew from a new measurement of the board; multiply all inputs.

    Inputs are (vectors, rows).
    """
    began = program.board.spent_seconds()
    again = program.reprogrammed(progress)
    spent = program.board.spent_seconds().since(began)
    return Reprogrammed(again, validate(again, inputs), spent)


def wait_until(board: Board, seconds: float) -> None:
    """Read with 0 V on the rows until the board's clock shows `seconds`; restore the aperture."""
    usual_seconds = board.aperture_seconds
    try:
        while (left_seconds := seconds - board.seconds()) > 0:
            aperture_seconds = min(max(left_seconds, usual_seconds), MAX_WAITING_APERTURE_SECONDS)
            board.configure(aperture_seconds=aperture_seconds)
            readings = max(1, int(left_seconds / (aperture_seconds + board.delay_seconds)))
            board.column_currents(np.zeros((readings, board.rows)))
    finally:
        board.configure(aperture_seconds=usual_seconds)
