"""How long products and calibration have to wait for currents to settle, as measured.

The settling of a branch (`probe_delay`) tells after which delay so little is left of a move that
the precision of products does not feel it. It is looked for before anything else is measured: a
board that is read too early looks as if nothing on it worked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibration.branches.preliminaries import find_settling_tail
from calibration.crossbar import MAX_DELAY_SECONDS, Crossbar, measuring_volts

USUAL_BITS = 16.0
"""Bits of products for which settling is waited for, if no more are wanted. Fewer would save but
0.7 time constants each, and make settling the limit of what the board can do.
"""
MARGIN_BITS = 6.0
"""Beyond the bits wanted: of settling alone nobody shall see anything."""
TOLERATED_SHARE: float = 2.0 ** -(USUAL_BITS + MARGIN_BITS)
"""Of a reading: what may be missing of it when rows have turned from one end to the other."""
USUAL_SECONDS = 1e-3
"""Where no branch can be read to find out."""
PATIENT_SECONDS = 3.0
"""Delay with which a branch is looked for again where none was found: a board may be that slow."""


@dataclass(frozen=True)
class SettleTime:
    """How long readings wait after a switch or a row has moved, and why."""

    settle_seconds: float
    """What is in force."""
    chosen: str
    """By whom: "auto", as measured, or "fixed", as somebody has set it."""
    needed_seconds: float
    """After which no more than TOLERATED_SHARE is missing, as measured; 0 where no branch could be
    read to measure it with.
    """
    time_constant_seconds: float
    """Of the slow end of what was seen; 0 where nothing was."""
    missing_share: float
    """Of a reading, after `settle_seconds`."""

    def seconds_for(self, wanted_bits: float) -> float:
        """Return how long products of so many bits wait: ln 2 time constants longer for each beyond
        USUAL_BITS, unless somebody has set the time.
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
        """What is set and what is needed, in words for a person."""
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
    """Measure how a board settles, and set its delay: what is needed, or `fixed_seconds`.

    Takes half a second of the board's time, more where it is slow. Range and delay are changed, the
    aperture stays.
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
