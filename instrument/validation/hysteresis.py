"""Hysteresis of the switches: whether products depend on the previous pattern.

The programmed pattern is left and set again, once from all switches open and once from all closed,
in the order open, closed, closed, open, so that a steady drift affects both alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.crossbar import Progress, no_progress
from instrument.matrix import TiledMatrix
from instrument.validation.products import ratio

VECTORS = 16
CYCLES = 4
FROM_CLOSED = (False, True, True, False)
"""Whether each return of a cycle comes from all switches closed."""


@dataclass(frozen=True)
class Hysteresis:
    """Products after each return to the programmed pattern."""

    from_open: Floats
    """(returns, vectors, outputs)"""
    from_closed: Floats
    """(returns, vectors, outputs)"""
    exact: Floats
    """(vectors, outputs)"""

    @property
    def relative_difference(self) -> float:
        """Relative difference ‖mean from closed − mean from open‖₂ / ‖y‖₂ by the pattern before."""
        return ratio(self.from_closed.mean(axis=0) - self.from_open.mean(axis=0), self.exact)

    @property
    def relative_noise(self) -> float:
        """Relative difference that the scatter between returns alone would give."""
        variance = self.from_open.var(axis=0, ddof=1) + self.from_closed.var(axis=0, ddof=1)
        return ratio(np.sqrt(variance / len(self.from_open)), self.exact)

    @property
    def relative_scatter(self) -> float:
        """Scatter of a product from return to return, relative to ‖y‖₂.

        To be compared with that of repeats without switching in between.
        """
        variance = self.from_open.var(axis=0, ddof=1) + self.from_closed.var(axis=0, ddof=1)
        return ratio(np.sqrt(variance / 2), self.exact)


def leave_and_return(
    program: TiledMatrix, inputs: Floats, progress: Progress = no_progress
) -> Hysteresis:
    """Multiply the first VECTORS of the inputs (vectors, rows) after each return of the pattern.

    All switches are opened or closed, and the programmed pattern is set again; tile by tile, as in
    products. The board is left with a programmed pattern.
    """
    board, chosen = program.board, inputs[:VECTORS]
    rest = np.zeros((1, board.rows))
    order = CYCLES * FROM_CLOSED
    partial: list[list[Floats]] = [[] for _ in order]
    with board.lock:
        for index, part in enumerate(program.tiles):
            part.matrix.stand()
            pattern = part.matrix.programmed.pattern
            for done, closed in enumerate(order):
                board.apply(np.full_like(pattern, closed))
                # The other pattern stands for one reading at zero input; the value is not used.
                board.column_currents(rest)
                board.apply(pattern)
                # Not watched: the sentinels' gain would follow the hysteresis itself.
                partial[done].append(part.matrix @ chosen[:, part.tile.of_rows])
                progress(index * len(order) + done + 1, len(program.tiles) * len(order))
    answers = [program.sum_of(answered) for answered in partial]
    return Hysteresis(
        from_open=np.array([a for a, closed in zip(answers, order, strict=True) if not closed]),
        from_closed=np.array([a for a, closed in zip(answers, order, strict=True) if closed]),
        exact=chosen @ program.weights,
    )
