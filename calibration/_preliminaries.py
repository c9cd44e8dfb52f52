"""What a characterization has to know before it can be planned: a branch to refer to, how long to
wait, and how much noise there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.crossbar import NO_BRANCH, Crossbar, smallest_range
from calibration.designs import one_at_a_time
from calibration.drift import Reference, find_reference
from calibration.planning import Conditions, NoiseModel, needed_amperes
from calibration.settling import SHORT_APERTURE_SECONDS, measure_settling

Floats = NDArray[np.float64]
SETTLING_SHARE = 0.01
"""Of the wanted uncertainty: what an unsettled reading may be off by. A tenth costs 2.3 time
constants.
"""
PAIRS = 4
"""With which the noise is first measured."""
MEDIAN_SQUARE = 0.7887
"""Median of χ²/3 with three degrees of freedom, PAIRS − 1, over its mean."""
LEAST_FRACTION = 1.05 * 2.0**-23 / 12**0.5
"""Standard deviation of rounding to 2^24 steps over ±1.05 ranges."""
DATASHEET_APERTURE_SECONDS = 20e-3
"""For which NoiseModel states its classes."""


@dataclass(frozen=True)
class Preliminaries:
    """What was found out."""

    reference: Reference | None
    noise: NoiseModel
    conditions: Conditions


def find_out(board: Crossbar, volts: float, wanted_siemens: float) -> Preliminaries:
    """Find a reference, measure how currents settle and how much noise a reading has.

    Takes about a second of the board's time. Leaves the range that single branches need, the
    board's aperture, and the delay that the wanted uncertainty asks for. Where no branch can be
    read to find out with, the delay stays and the noise is that of the parts' classes.
    """
    siemens = 1 / board.nominal_ohms
    aperture, delay = board.aperture_seconds, board.delay_seconds
    conditions = Conditions(
        rows=board.rows,
        columns=board.columns,
        nominal_siemens=siemens,
        ranges_amperes=board.ranges_amperes,
        row_volts=volts,
        aperture_seconds=aperture,
        delay_seconds=delay,
    )
    single = needed_amperes(one_at_a_time(board.branches), conditions)
    range_amperes = smallest_range(board.ranges_amperes, single)
    board.configure(range_amperes=range_amperes)
    reference = find_reference(board, siemens, volts, min(aperture, SHORT_APERTURE_SECONDS))
    if reference is None:
        board.configure(aperture_seconds=aperture, delay_seconds=delay)
        longer = np.sqrt(DATASHEET_APERTURE_SECONDS / aperture)
        classes = NoiseModel()
        noise = replace(
            classes,
            range_fraction=classes.range_fraction * longer,
            signal_fraction=classes.signal_fraction * longer,
        )
        return Preliminaries(None, noise, conditions)

    settling = measure_settling(board, reference.row, reference.branch, volts)
    tolerance = SETTLING_SHARE * wanted_siemens / float(siemens.max())
    delay = settling.needed_seconds(aperture, tolerance)
    board.configure(aperture_seconds=aperture, delay_seconds=delay)
    return Preliminaries(
        reference,
        _measure_noise(board, reference, volts, range_amperes),
        replace(conditions, delay_seconds=delay),
    )


def _measure_noise(
    board: Crossbar, reference: Reference, volts: float, range_amperes: float
) -> NoiseModel:
    """Measure the noise without and with a signal: type A, from a few readings of each polarity of
    the reference and of its row with every switch open.
    """
    branches = [NO_BRANCH, NO_BRANCH, reference.branch, reference.branch]
    amperes = board.scan(
        np.full(4 * PAIRS, reference.row),
        np.tile(branches, PAIRS),
        np.tile([volts, -volts], 2 * PAIRS),
    )[:, 0, reference.columns].reshape(PAIRS, 4, -1)
    variance = np.nanmean(np.nanmedian(amperes.var(axis=0, ddof=1), axis=1).reshape(2, 2), axis=1)
    quiet, loud = variance / MEDIAN_SQUARE
    signal = float(np.nanmedian(np.abs(amperes[:, 2:])))
    return NoiseModel(
        range_fraction=max(float(np.sqrt(quiet)) / range_amperes, LEAST_FRACTION),
        signal_fraction=float(np.sqrt(max(loud - quiet, 0.0))) / signal,
    )
