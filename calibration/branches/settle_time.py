"""The settling time of products and calibration, as measured.

The settling of a branch (`probe_settling`) gives the delay after which the rest of a move no longer
limits the precision of products. It is measured before everything else: a board that is read too
early looks as if nothing on it worked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibration.branches.preliminaries import find_settling_tail
from calibration.crossbar import MAX_DELAY_SECONDS, Crossbar, measuring_volts

USUAL_BITS = 16.0
"""Bits of products that settling is waited for, if no more are wanted. Fewer would save only 0.7
time constants each, and settling would limit the precision.
"""
MARGIN_BITS = 6.0
"""Beyond the wanted bits, so that settling alone stays invisible."""
TOLERATED_SHARE: float = 2.0 ** -(USUAL_BITS + MARGIN_BITS)
"""Over a reading: what may be missing after rows have turned from one end to the other."""
USUAL_SECONDS = 1e-3
"""Used where no branch can be read to measure settling."""
PATIENT_SECONDS = 3.0
"""Delay of a second search for a branch where the first found none: a board may be that slow."""


@dataclass(frozen=True)
class SettleTime:
    """The delay after a switch or a row has moved, and its reason."""

    settle_seconds: float
    """The delay in use."""
    chosen: str
    """"auto", as measured, or "fixed", as set by a person."""
    needed_seconds: float
    """Measured delay after which at most TOLERATED_SHARE is missing; 0 where no branch could be
    read.
    """
    time_constant_seconds: float
    """Of the slow end of the measured settling; 0 where none was visible."""
    missing_share: float
    """Of a reading, after `settle_seconds`."""

    def seconds_for(self, wanted_bits: float) -> float:
        """Return the delay for products of `wanted_bits`.

        It is ln 2 time constants longer for each bit beyond USUAL_BITS, unless a person has set the
        time.
        """
        if self.chosen == "fixed":
            return self.settle_seconds
        more = max(0.0, wanted_bits - USUAL_BITS) * math.log(2) * self.time_constant_seconds

        return min(self.settle_seconds + more, MAX_DELAY_SECONDS)

    @property
    def too_short(self) -> bool:
        """Whether readings miss more than is tolerated."""
        return self.missing_share > TOLERATED_SHARE * (1 + 1e-6)

    @property
    def in_words(self) -> str:
        """The delay in use and the delay needed, as text."""
        if not self.needed_seconds:
            return f"{self.settle_seconds:.3g} s ({self.chosen}): what is needed was not measured"
        constant = f"time constant {self.time_constant_seconds:.2g} s"
        if not self.too_short:
            return f"{self.settle_seconds:.3g} s ({self.chosen}): {constant}"
        missing = f"readings miss {self.missing_share:.1e} of a step by then, {constant}"
        if self.settle_seconds >= MAX_DELAY_SECONDS:
            return f"the board is too slow: even after {self.settle_seconds:g} s, {missing}"
        return (
            f"settle_seconds = {self.settle_seconds:.3g} is TOO SHORT: {missing}; the board needs "
            f'{self.needed_seconds:.2g}: set that, or "auto"'
        )


def choose_settle_time(board: Crossbar, fixed_seconds: float | None) -> SettleTime:
    """Measure how a board settles, and set its delay: the needed one, or `fixed_seconds`.

    It takes half a second of the board's time, more where the board is slow. Range and delay are
    changed, the aperture stays.
    """
    volts, aperture = measuring_volts(board.row_volts_limit), board.aperture_seconds
    for patience in (0.0, PATIENT_SECONDS):
        board.configure(aperture_seconds=aperture, delay_seconds=patience)
        _, tail = find_settling_tail(board, volts)
        if tail is not None:
            break
    needed = tail.needed_seconds(aperture, TOLERATED_SHARE) if tail else 0.0
    delay = fixed_seconds if fixed_seconds is not None else needed or USUAL_SECONDS
    board.configure(aperture_seconds=aperture, delay_seconds=delay)
    return SettleTime(
        settle_seconds=delay,
        chosen="auto" if fixed_seconds is None else "fixed",
        needed_seconds=needed,
        time_constant_seconds=tail.time_constant_seconds if tail else 0.0,
        missing_share=tail.missing_share(delay, aperture) if tail else 0.0,
    )
