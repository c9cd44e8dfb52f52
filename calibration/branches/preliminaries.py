"""What the plan of a characterization needs: a reference branch, the settling time, the noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calibration.branches.designs import one_at_a_time
from calibration.branches.plan import Conditions, needed_amperes
from calibration.branches.probe_settling import SHORT_APERTURE_SECONDS, SettlingTail, measure_tail
from calibration.branches.reference_drift import Reference, find_reference
from calibration.crossbar import Crossbar, smallest_range
from calibration.reading_noise import ReadingNoise, measure_reading_noise

UNSETTLED_SHARE = 0.01
"""Error of an unsettled reading, over the wanted uncertainty. A tenth of it would cost 2.3 time
constants more.
"""


@dataclass(frozen=True)
class Preliminaries:
    """The reference, the noise of a reading, and the conditions of the plan."""

    reference: Reference | None
    noise: ReadingNoise
    conditions: Conditions


def measure_preliminaries(board: Crossbar, volts: float, wanted_siemens: float) -> Preliminaries:
    """Find a reference, and measure how currents settle and the noise of a reading.

    It takes about a second of the board's time. It leaves the range that single branches need, the
    board's aperture, and the delay that the wanted uncertainty asks for. Where no branch can be
    read, the delay stays and the noise is that of the parts' classes.
    """
    siemens = 1 / board.nominal_ohms
    aperture, delay = board.aperture_seconds, board.delay_seconds
    conditions = _conditions(board, volts)
    reference, tail = find_settling_tail(board, volts)
    if reference is None or tail is None:
        board.configure(aperture_seconds=aperture, delay_seconds=delay)
        return Preliminaries(None, ReadingNoise().at_aperture(aperture), conditions)
    tolerance = UNSETTLED_SHARE * wanted_siemens / float(siemens.max())
    delay = tail.needed_seconds(aperture, tolerance)
    board.configure(aperture_seconds=aperture, delay_seconds=delay)
    return Preliminaries(
        reference,
        measure_reading_noise(board, reference.row, reference.branch, reference.columns, volts),
        replace(conditions, delay_seconds=delay),
    )


def find_settling_tail(
    board: Crossbar, volts: float
) -> tuple[Reference, SettlingTail] | tuple[None, None]:
    """Find a reference, and measure how currents settle on it; None where no branch can be read.

    It leaves the range that single branches need, and aperture and delay changed.
    """
    single = needed_amperes(one_at_a_time(board.branches), _conditions(board, volts))
    board.configure(range_amperes=smallest_range(board.ranges_amperes, single))
    aperture = min(board.aperture_seconds, SHORT_APERTURE_SECONDS)
    reference = find_reference(board, 1 / board.nominal_ohms, volts, aperture)
    if reference is None:
        return None, None
    return reference, measure_tail(board, reference.row, reference.branch, volts)


def _conditions(board: Crossbar, volts: float) -> Conditions:
    """Return the conditions of a board at its present settings."""
    return Conditions(
        rows=board.rows,
        columns=board.columns,
        nominal_siemens=1 / board.nominal_ohms,
        ranges_amperes=board.ranges_amperes,
        row_volts=volts,
        aperture_seconds=board.aperture_seconds,
        delay_seconds=board.delay_seconds,
    )
