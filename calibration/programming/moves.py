"""Moves of pairs, each weighed in turn against its effect on its row and column."""

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats
from kirchhoff.compiled import kernel


@kernel
def make_moves(
    error: Floats,
    done: Floats,
    wanted: Floats,
    row_ohms: Floats,
    column_ohms: Floats,
    stray_siemens: float,
    at: tuple[NDArray[np.int_], ...],
    step_siemens: Floats,
    total_siemens: Floats,
    variance: Floats,
) -> Bools:
    """Make, in place, those of some moves that reduce the sum of squared errors; return which.

    `error`, `done` and `wanted` are (rows, outputs). `done` is 1 where an error counts, 0 where its
    pair has yet to move or is off by more than `stray_siemens` after its move. A move at (row,
    output) changes the pair's difference by `step_siemens`, its total by `total_siemens` and its
    variance by `variance`. `calibration.programming.pattern_search` describes the couplings.
    """
    rows, outputs = error.shape
    made = np.zeros(len(step_siemens), np.bool_)
    for move in range(len(step_siemens)):
        i, p = at[0][move], at[1][move]
        total = total_siemens[move]
        pull = 0.0
        stiffness = 0.0
        for q in range(outputs):
            if q != p:
                a = done[i, q] * wanted[i, q] * row_ohms[p, q]
                pull += a * error[i, q]
                stiffness += a * a
        for k in range(rows):
            if k != i:
                a = done[k, p] * wanted[k, p] * column_ohms[i, k]
                pull += a * error[k, p]
                stiffness += a * a
        own = wanted[i, p] * (row_ohms[p, p] + column_ohms[i, i])
        after = error[i, p] + step_siemens[move] - own * total
        gain = error[i, p] ** 2 - after**2 + (2 * pull - total * stiffness) * total
        if gain > variance[move]:
            made[move] = True
            for q in range(outputs):
                error[i, q] -= wanted[i, q] * row_ohms[p, q] * total
            for k in range(rows):
                error[k, p] -= wanted[k, p] * column_ohms[i, k] * total
            error[i, p] = after
        done[i, p] = 1.0 if abs(error[i, p]) <= stray_siemens else 0.0
    return made
