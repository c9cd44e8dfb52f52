"""Compiled: one vector or dipole at a time, by conjugate gradients on the column nodes.

Everything is written in resistances, so that a wire of zero ohms is an ordinary value: no step
divides by anything smaller than 1.
"""

import numpy as np
from numpy.typing import NDArray

from kirchhoff.compiled import callee, kernel

Array = NDArray[np.float64]
Ohms = tuple[float, float, float, float]  # row, column, source, sense
Place = tuple[int, int]
Ladders = tuple[Array, Array, Array, Ohms]  # conductances, row and column attenuations, wire

# Rows advanced together along the row ladders: their recurrences are independent, which hides
# the latency of each.
ABREAST = 8
# Beyond this many steps the transfer matrix serves better.
MAX_STEPS = 64


@callee
def _row_factors(G: Array, row_ohms: float, source_ohms: float) -> Array:
    """Attenuation 1 / (1 + r Y) across the wire left of every crosspoint (rows, columns).

    Y is the conductance of the row's ladder from that crosspoint to the right.
    """
    rows, columns = G.shape
    factors = np.empty_like(G)
    for i in range(rows):
        Y = 0.0
        for j in range(columns - 1, -1, -1):
            Y += G[i, j]
            f = 1.0 / (1.0 + (row_ohms if j else source_ohms) * Y)
            factors[i, j] = f
            Y *= f
    return factors


@callee
def _column_factors(G: Array, column_ohms: float, sense_ohms: float) -> Array:
    """Attenuation 1 / (1 + r Y) across the wire below every crosspoint (rows, columns).

    Y is the conductance of the column's ladder from that crosspoint upwards.
    """
    rows, columns = G.shape
    factors = np.empty_like(G)
    Y = np.zeros(columns)
    for i in range(rows):
        r = column_ohms if i < rows - 1 else sense_ohms
        for j in range(columns):
            y = Y[j] + G[i, j]
            f = 1.0 / (1.0 + r * y)
            factors[i, j] = f
            Y[j] = y * f
    return factors


@callee
def _row_voltages(U: Array, injected: Array, v: Array, factors: Array, ohms: Ohms) -> None:
    """U: the row nodes' voltages when row i is driven with v[i] and fed `injected` at its nodes."""
    row_ohms, _, source_ohms, _ = ohms
    rows, columns = U.shape
    for first in range(0, rows, ABREAST):
        last = min(first + ABREAST, rows)
        for i in range(first, last):
            U[i, columns - 1] = injected[i, columns - 1]
        for j in range(columns - 2, -1, -1):
            for i in range(first, last):
                U[i, j] = injected[i, j] + factors[i, j + 1] * U[i, j + 1]
        for i in range(first, last):
            U[i, 0] = factors[i, 0] * (v[i] + source_ohms * U[i, 0])
        for j in range(1, columns):
            for i in range(first, last):
                U[i, j] = factors[i, j] * (U[i, j - 1] + row_ohms * U[i, j])


@callee
def _column_voltages(W: Array, injected: Array, factors: Array, ohms: Ohms) -> None:
    """W: the column nodes' voltages when fed `injected`, each crosspoint tied to 0 V."""
    _, column_ohms, _, sense_ohms = ohms
    rows, columns = W.shape
    for j in range(columns):
        W[0, j] = injected[0, j]
    for i in range(1, rows):
        for j in range(columns):
            W[i, j] = injected[i, j] + factors[i - 1, j] * W[i - 1, j]
    for j in range(columns):
        W[rows - 1, j] *= factors[rows - 1, j] * sense_ohms
    for i in range(rows - 2, -1, -1):
        for j in range(columns):
            W[i, j] = factors[i, j] * (W[i + 1, j] + column_ohms * W[i, j])


@callee
def _column_sums(sums: Array, A: Array, B: Array) -> None:
    """Set `sums` to the sums over the rows of A B, element by element."""
    sums[:] = 0.0
    for i in range(len(A)):
        for j in range(A.shape[1]):
            sums[j] += A[i, j] * B[i, j]


@callee
def _largest(values: Array) -> float:
    """Return the largest absolute value.

    Numba's own maximum takes long to compile, as its sum does.
    """
    largest = 0.0
    for value in values:
        largest = max(largest, abs(value))
    return largest


@callee
def _sum(values: Array) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


@callee
def _largest_current(G: Array, U: Array) -> float:
    """Return the largest column's sum of |G U|."""
    sums = np.zeros(G.shape[1])
    for i in range(len(G)):
        for j in range(G.shape[1]):
            sums[j] += G[i, j] * abs(U[i, j])
    return _largest(sums)


@callee
def _iterate(currents: Array, W: Array, fed: Array, reach: Array, board: Ladders) -> int:
    """Column currents (columns,) and nodes W for `fed` currents; the number of steps, or -1.

    `fed` (rows, columns), which is overwritten, is what the columns would get if held at 0 V.
    W is exact enough when no conductance in `reach` (rows, columns) would show its error. -1
    means in vain: after MAX_STEPS, or when the columns' wire leaves so little of the current fed
    into them that rounding would show.

    The column nodes W obey (M - N) W = fed: M is the column ladders with every crosspoint tied to
    0 V, N = G K G couples the columns through the row ladders K. M is the preconditioner; M p
    follows from the recurrence of p, so that neither M nor the wires' conductances, which may be
    infinite, are ever needed themselves.
    """
    G, row_factors, column_factors, ohms = board
    rows, columns = G.shape
    idle, ones = np.zeros(rows), np.ones_like(G)
    U, z = np.empty_like(G), np.empty_like(G)
    p, Mp = np.zeros_like(G), np.zeros_like(G)
    power, taken = np.empty(columns), np.empty(columns)

    residual = fed
    _column_sums(currents, residual, ones)
    largest_fed = _largest_current(ones, residual)
    W[:] = 0.0
    rz = 0.0
    for step in range(MAX_STEPS + 1):
        _column_voltages(z, residual, column_factors, ohms)
        # reach |z|, with reach = G, bounds what the next correction does to the currents.
        if _largest_current(reach, z) <= 1e-14 * _largest(currents) + 1e-16 * largest_fed:
            return step if largest_fed <= 1e3 * _largest(currents) else -1
        _column_sums(power, residual, z)
        last_rz, rz = rz, _sum(power)
        beta = rz / last_rz if step else 0.0
        for i in range(rows):
            for j in range(columns):
                p[i, j] = z[i, j] + beta * p[i, j]
                Mp[i, j] = residual[i, j] + beta * Mp[i, j]
                z[i, j] = G[i, j] * p[i, j]
        _row_voltages(U, z, idle, row_factors, ohms)
        power[:] = 0.0
        taken[:] = 0.0
        for i in range(rows):
            for j in range(columns):
                Np = G[i, j] * U[i, j]
                U[i, j] = Mp[i, j] - Np
                power[j] += p[i, j] * U[i, j]
                taken[j] += z[i, j] - Np
        used = _sum(power)
        if not (rz > 0.0 and used > 0.0):
            return -1  # rounding is all that is left, and more than is tolerated
        alpha = rz / used
        for j in range(columns):
            currents[j] -= alpha * taken[j]
        for i in range(rows):
            for j in range(columns):
                residual[i, j] -= alpha * U[i, j]
                W[i, j] += alpha * p[i, j]
    return -1


@kernel
def solve_dipole(
    to_rows: Array,
    from_columns: Array,
    drops: Array,
    place: Place,
    reach: Array,
    board: Ladders,
) -> int:
    """Solve for 1 A that is fed into the row node at `place` and taken from its column node.

    Gives the currents into the rows' drivers, to_rows (rows,), those out of the columns' grounds,
    from_columns (columns,), and the voltages drops (rows, columns) from row node to column node.
    Drivers and grounds are at 0 V. Returns the number of steps, or -1 if they were in vain.
    """
    G, row_factors, _, ohms = board
    rows, columns = G.shape
    idle = np.zeros(rows)
    into_rows, W = np.zeros_like(G), np.empty_like(G)
    into_rows[place] = 1.0
    _row_voltages(drops, into_rows, idle, row_factors, ohms)
    fed = G * drops
    fed[place] -= 1.0
    steps = _iterate(from_columns, W, fed, reach, board)
    for j in range(columns):
        from_columns[j] = -from_columns[j]
    into_rows = G * W
    into_rows[place] += 1.0
    _row_voltages(drops, into_rows, idle, row_factors, ohms)
    for i in range(rows):
        to_rows[i] = 0.0
        for j in range(columns):
            to_rows[i] += into_rows[i, j] - G[i, j] * drops[i, j]
            drops[i, j] -= W[i, j]
    # As for the columns in `_iterate`: of little that arrives, rounding would show.
    return int(steps) if 1e3 * _largest(to_rows) >= 1.0 else -1


@kernel
def ladders(G: Array, ohms: Ohms) -> Ladders:
    """Return what `solve` needs to know of the board G and its wire."""
    row_ohms, column_ohms, source_ohms, sense_ohms = ohms
    row_factors = _row_factors(G, row_ohms, source_ohms)
    return G, row_factors, _column_factors(G, column_ohms, sense_ohms), ohms


@kernel
def solve(currents: Array, V: Array, board: Ladders) -> int:
    """Column currents (vectors, columns) of drives V (vectors, rows).

    Returns the number of steps the hardest vector took, or -1 if one was in vain.
    """
    G, row_factors, _, ohms = board
    U, W = np.empty_like(G), np.empty_like(G)
    idle = np.zeros_like(G)
    max_steps = 0
    for k in range(len(V)):
        _row_voltages(U, idle, V[k], row_factors, ohms)
        steps = _iterate(currents[k], W, G * U, G, board)
        if steps < 0:
            return -1
        max_steps = max(max_steps, steps)
    return max_steps
