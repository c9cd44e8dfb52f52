"""Sentinels: a few vectors that watch a programmed board while it is in use.

They are vectors of the transfer measurement itself and their negatives, driven and read again. A
reading of a column carries every branch that is closed on it, so eight readings observe the whole
board, and their expected values are known since it was programmed. A change that all columns share
is a gain (above all the resistors' mean temperature coefficient), which products are corrected for.
A change of pairs apart from it (their own coefficients, their age) is no gain; it shows when to
program anew.
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
from calibration.statistics import OUTLIER_SIGMAS, variance_ratio
from calibration.transfer import weighing_signs

VECTORS = 4
"""Vectors that are read; their negatives are read as well."""
MAX_COLUMN_DRIFT = 1e-4
"""Relative drift between columns' gains in hours: amplifiers of 10 ppm/K, ageing branches."""
MAX_GAIN = 1.25
"""A gain beyond this or its inverse is no drift: at 100 ppm/K it would take 2500 K."""
WATCH_SECONDS = 60.0
"""Age at which a gain is measured again during products: a board moves by 10 ppm in a minute."""


@dataclass(frozen=True)
class Watch:
    """Reading of the sentinels, relative to the measurement of the transfer matrix."""

    gain: float
    """Reading of all columns over their reading when the transfer matrix was measured."""
    gain_uncertainty: float
    """Standard uncertainty (type A)."""
    relative_drift: float
    """Root mean square change of the pairs' products apart from the gain, over the root mean square
    of the products. The part that noise explains is subtracted, down to 0.
    """
    strayed: tuple[int, ...]
    """Columns in use that have moved so much more than the others that the gain does not apply."""
    moment: Moment
    """When the sentinels were read."""


def watch(board: Crossbar, programmed: Programmed) -> Watch:
    """Read the sentinels of the applied pattern, in the range of use.

    With d = (I₊ − I₋)/2 a column's reading and p = V·s T its value when the matrix was programmed
    (s the signs of the rows), the gain is Σdp/Σp² over vectors and columns, by least squares,
    without the columns that are beyond OUTLIER_SIGMAS times the usual deviation.

    Raises OverloadError where no column is left, GainError where the gain is beyond MAX_GAIN.
    """
    rows, outputs = programmed.targets.difference_siemens.shape
    transfer, columns = programmed.transfer, 2 * outputs
    all_signs = weighing_signs(rows)
    signs = all_signs[:VECTORS]
    volts = transfer.volts
    vectors = np.zeros((len(signs), board.rows))
    vectors[:, :rows] = volts * signs
    amperes = board.column_currents(np.concatenate([vectors, -vectors]))[:, :columns]
    moment = Moment(*board.moment())
    now = (amperes[: len(signs)] - amperes[len(signs) :]) / 2
    then = volts * signs @ transfer.siemens[:, :columns]
    # One reading scatters by s = uV√(2m), with m the vectors of the transfer measurement and u its
    # uncertainty: half the difference of two readings by s/√2, `then` by u V √rows.
    scatter = transfer.uncertainty_siemens[:columns] * volts * np.sqrt(len(all_signs) + rows)

    steady = _steady(now, then, scatter)
    if not steady.any():
        raise OverloadError("no column in use reads what it did when it was programmed")
    power = float((then[:, steady] ** 2).sum())
    gain = float((now * then)[:, steady].sum()) / power
    if not 1 / MAX_GAIN <= gain <= MAX_GAIN:
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
    """Return which columns (columns,) have moved as most columns have.

    They moved from `then` to `now` (vectors, columns), in amperes. The gain of such a column
    differs from the median of all by at most MAX_COLUMN_DRIFT, or by at most OUTLIER_SIGMAS
    standard deviations: those of `scatter` (columns,), in amperes, or those that the median shows.
    """
    power = (then**2).sum(axis=0)
    informative = np.isfinite(now).all(axis=0) & (power > 0)
    own = (now * then).sum(axis=0)[informative] / power[informative]
    off = (own - np.median(own)) ** 2 if len(own) else own
    variance = scatter[informative] ** 2 / power[informative]
    usual = variance_ratio(off / variance)
    steady = np.zeros(len(informative), dtype=bool)
    steady[informative] = off <= np.maximum(
        OUTLIER_SIGMAS**2 * usual * variance, MAX_COLUMN_DRIFT**2
    )
    return steady


def watched(moments: Iterable[Moment], since: Moment) -> list[Moment]:
    """Return when the gain that holds at each of ascending moments was measured.

    It was first measured at `since`, and again at each moment at which it was older than
    WATCH_SECONDS.
    """
    when_read = []
    for moment in moments:
        if moment.seconds - since.seconds > WATCH_SECONDS:
            since = moment
        when_read.append(since)
    return when_read
