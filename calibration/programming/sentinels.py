"""Sentinels: a few vectors by which a programmed board is watched while it is in use.

They are vectors of the transfer measurement itself and their negatives, driven and read again: a
reading of a column carries every branch that is closed on it, so eight readings see the whole
board, and what they should be is known since it was programmed. What all columns have in common by
now is a gain (the resistors' mean temperature coefficient, above all), which products are freed
from. What pairs have moved by apart from it (their own coefficients, their age) no gain follows; it
says when to program anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.crossbar import Crossbar, Moment
from calibration.errors import GainError, OverloadError
from calibration.programming.pairs import differences
from calibration.programming.programmed import Programmed
from calibration.statistics import MEDIAN_OF_CHI_SQUARED, SURPRISE
from calibration.transfer import weighing_signs

VECTORS = 4
"""And as many negatives."""
MOST_APART = 1e-4
"""What gains of columns drift apart by in hours: 10 ppm/K of amplifiers, the age of branches."""
MOST_GAIN = 1.25
"""A gain beyond this or its inverse is no drift: 100 ppm/K would take 2500 K."""
WATCH_SECONDS = 60.0
"""How old a gain may become while products go on: a board moves by 10 ppm in a minute."""


@dataclass(frozen=True)
class Watch:
    """What sentinels tell of a programmed board, against when its transfer matrix was measured."""

    gain: float
    """What all columns read now, over what they read then."""
    gain_uncertainty: float
    """Standard uncertainty (type A)."""
    relative_drift: float
    """Root mean square of what the pairs' products have moved by beside the gain, over that of the
    products; what noise explains is taken off, down to 0.
    """
    strayed: tuple[int, ...]
    """Columns in use that have moved so much more than the others that the gain is not theirs."""
    moment: Moment
    """When the sentinels were read."""


def watch(board: Crossbar, programmed: Programmed) -> Watch:
    """Read the sentinels of the pattern that is applied, in the range of use.

    With d = (I₊ − I₋)/2 what a column reads and p = V·s T what it did (s the signs of the rows),
    the gain is Σdp/Σp² over vectors and columns, by least squares, without the columns that are
    beyond SURPRISE of what is usual. Raises OverloadError where no column is left, GainError where
    the gain is beyond MOST_GAIN.
    """
    rows, outputs = programmed.targets.difference_siemens.shape
    transfer, columns = programmed.transfer, 2 * outputs
    every = weighing_signs(rows)
    signs = every[:VECTORS]
    volts = transfer.volts
    vectors = np.zeros((len(signs), board.rows))
    vectors[:, :rows] = volts * signs
    amperes = board.column_currents(np.concatenate([vectors, -vectors]))[:, :columns]
    moment = Moment(*board.moment())
    now = (amperes[: len(signs)] - amperes[len(signs) :]) / 2
    then = volts * signs @ transfer.siemens[:, :columns]
    # Of one reading s = uV√(2m), m the vectors of the transfer measurement and u its uncertainty:
    # half the difference of two readings has s/√2, `then` u V √rows.
    scatter = transfer.uncertainty_siemens[:columns] * volts * np.sqrt(len(every) + rows)

    steady = _steady(now, then, scatter)
    if not steady.any():
        raise OverloadError("no column in use reads what it did when it was programmed")
    power = float((then[:, steady] ** 2).sum())
    gain = float((now * then)[:, steady].sum()) / power
    if not 1 / MOST_GAIN <= gain <= MOST_GAIN:
        raise GainError(
            f"the board reads {gain:.3g} times what it did when the matrix was programmed: no "
            "drift goes so far; check that rows are driven (supply, interlock, cables) and that "
            "no other host uses it, then calibrate anew"
        )
    left = differences(now - gain * then, outputs)
    noise = np.broadcast_to(scatter, then.shape) ** 2
    both = steady[0::2] & steady[1::2]
    moved = (left**2 - noise[:, 0::2] - noise[:, 1::2])[:, both].mean() if both.any() else np.nan
    whole = (differences(then, outputs)[:, both] ** 2).mean() if both.any() else np.nan
    return Watch(
        gain=gain,
        gain_uncertainty=float(np.sqrt((noise * then**2)[:, steady].sum())) / power,
        relative_drift=float(np.sqrt(max(moved, 0.0) / whole)),
        strayed=tuple(np.flatnonzero(~steady & ~np.repeat(programmed.lost, 2)).tolist()),
        moment=moment,
    )


def _steady(now: Floats, then: Floats, scatter: Floats) -> Bools:
    """Say which columns (columns,) have moved from `then` to `now` (vectors, columns) as most have.

    A column's own gain against the median of all: within MOST_APART, or what `scatter` (columns,)
    foresees, or SURPRISE standard deviations as the median shows them.
    """
    power = (then**2).sum(axis=0)
    tells = np.isfinite(now).all(axis=0) & (power > 0)
    own = (now * then).sum(axis=0)[tells] / power[tells]
    off = (own - np.median(own)) ** 2 if len(own) else own
    variance = scatter[tells] ** 2 / power[tells]
    usual = max(1.0, float(np.median(off / variance)) / MEDIAN_OF_CHI_SQUARED) if len(own) else 1.0
    steady = np.zeros(len(tells), dtype=bool)
    steady[tells] = off <= np.maximum(SURPRISE**2 * usual * variance, MOST_APART**2)
    return steady


def watched(moments: Iterable[Moment], since: Moment) -> list[Moment]:
    """Return when the gain that holds at each of ascending moments was found, if it was first found
    at `since`, and again at each moment at which it was older than WATCH_SECONDS.
    """
    found = []
    for moment in moments:
        if moment.seconds - since.seconds > WATCH_SECONDS:
            since = moment
        found.append(since)
    return found
