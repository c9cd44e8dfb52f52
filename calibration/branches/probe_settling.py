"""How long a probe has to wait: until what is left of its current's move does not matter.

After a move of a switch or of a row the current approaches its final value exponentially, and an
aperture that begins too early averages what is left (what products miss is found later, by
`calibration.noise.settling`, with all branches closed). One branch is read in all columns with
alternating polarity, so that every reading follows a move by twice its own value, at a very short
aperture and with delays from microseconds on, each twice as long as the one before, until the
longest two read alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.crossbar import MAX_DELAY_SECONDS, Crossbar

SHORT_APERTURE_SECONDS = 20e-6
DELAYS_SECONDS = np.minimum(20e-6 * 2.0 ** np.arange(20), MAX_DELAY_SECONDS)
MIN_DELAYS = 11
"""So many are always tried: up to 20 ms."""
PAIRS = 3
"""Pairs of polarities at each delay; the first move of each comes from another state."""
VISIBLE_SIGMAS = 5.0
"""Standard deviations from which on a residue is seen."""
MIN_VISIBLE_SHARE = 1e-9
MAX_STILL_CHANGE = 1e-4
"""Of the reading: what it may change by from the longest delay but one to the longest."""
WELL_VISIBLE_RATIO = 3.0
"""Times that: from there on its size is known."""


@dataclass(frozen=True)
class SettlingTail:
    """What is left of a move by 2I, over I, averaged over a short aperture after a delay."""

    delay_seconds: float
    """The longest delay after which something was well seen; the shortest if nothing was."""
    share: float
    """What was seen then, or could not have been seen."""
    time_constant_seconds: float
    """Of the slow end: no longer than this; 0 where nothing was seen."""
    aperture_seconds: float

    def needed_seconds(self, aperture_seconds: float, tolerance: float) -> float:
        """Return the delay after which an aperture T reads within `tolerance` of its value.

        The mean of e^(−t/τ) over an aperture is τ/T·(1 − e^(−T/τ)), so that the residue ρ seen
        over the short aperture A becomes ρ·A/T·(1 − e^(−T/τ))/(1 − e^(−A/τ)).
        """
        tau = self.time_constant_seconds
        shorter = self.aperture_seconds / aperture_seconds
        if tau > 0:
            shorter *= np.expm1(-aperture_seconds / tau) / np.expm1(-self.aperture_seconds / tau)
        excess = self.share * shorter / tolerance
        needed = self.delay_seconds + tau * max(0.0, np.log(max(excess, 1e-300)))
        return float(min(needed, MAX_DELAY_SECONDS))

    def missing_share(self, delay_seconds: float, aperture_seconds: float) -> float:
        """Return what an aperture misses of its value after a delay, as far as that was seen."""
        tau = self.time_constant_seconds
        if not tau:
            return 0.0
        earlier = (self.delay_seconds - delay_seconds) / tau
        averaged = np.expm1(-aperture_seconds / tau) / np.expm1(-self.aperture_seconds / tau)
        share = self.share * self.aperture_seconds / aperture_seconds * averaged * np.exp(earlier)
        return float(min(share, 2.0))


def measure_tail(board: Crossbar, row: int, branch: int, volts: float) -> SettlingTail:
    """Measure how currents settle on one branch of one row; leaves aperture and delay changed.

    The time constant is that between the last two delays with a visible residue, or an upper limit
    from the last visible one and what could have been seen at the next.
    """
    aperture = min(SHORT_APERTURE_SECONDS, board.aperture_seconds)
    signs = np.tile([1.0, -1.0], PAIRS + 1)
    read_halves: list[Floats] = []
    for delay in DELAYS_SECONDS:
        board.configure(aperture_seconds=aperture, delay_seconds=float(delay))
        probe = np.full(len(signs), row), np.full(len(signs), branch), volts * signs
        amperes = board.scan(*probe).mean(axis=1)[2:]
        read_halves.append((amperes[0::2] - amperes[1::2]) / 2)
        if len(read_halves) >= MIN_DELAYS and not _still_moving(*read_halves[-2:]):
            break
    halves = np.array(read_halves)
    # Columns where the branch cannot be read say nothing, nor do delays that most overload after.
    final = halves[-1].mean(axis=0)
    read = np.isfinite(final)
    live = read & (np.abs(final) > 0.25 * np.median(np.abs(final[read]))) if read.any() else read
    readable = np.isfinite(halves[:, :, live]).mean(axis=(1, 2)) > 0.5 if live.any() else read[:0]
    if not readable.any():
        longest = float(DELAYS_SECONDS[len(halves) - 1])
        return SettlingTail(longest, MIN_VISIBLE_SHARE, 0.0, aperture)
    first = 1 + int(np.flatnonzero(~readable).max(initial=-1))
    delays = DELAYS_SECONDS[first : len(halves)]
    missing = np.nanmedian(1 - halves[first:, :, live] / final[live], axis=2)
    mean = missing[:-1].mean(axis=1)
    # The noise of the row's DAC is in all columns, so that only repetition tells it.
    spread = float(np.sqrt(missing.var(axis=1, ddof=1).mean()))
    limit = max(VISIBLE_SIGMAS * spread * np.sqrt(2 / PAIRS), MIN_VISIBLE_SHARE)
    visible = mean > limit
    if not visible.any():
        return SettlingTail(float(delays[0]), limit, 0.0, aperture)
    # Two residues well seen give the time constant, one and what could have been seen a limit.
    well = np.flatnonzero(mean > WELL_VISIBLE_RATIO * limit)
    last = int(well[-1]) if len(well) else int(np.flatnonzero(visible)[-1])
    if last and mean[last - 1] > mean[last]:
        decay, step = mean[last - 1] / mean[last], delays[last] - delays[last - 1]
    elif last + 1 < len(mean):
        decay, step = mean[last] / limit, delays[last + 1] - delays[last]
    else:
        decay, step = np.e, delays[-1]
    tau = step / np.log(max(decay, 1 + 1e-3))
    return SettlingTail(float(delays[last]), float(mean[last]), float(tau), aperture)


def _still_moving(before: Floats, after: Floats) -> bool:
    """Say whether readings (pairs, columns) after a delay differ from those after the one before by
    more than they scatter.
    """
    final = after.mean(axis=0)
    read = np.isfinite(final + before.mean(axis=0)) & (final != 0)
    if not read.any():
        return False
    moved = np.median((after - before)[:, read] / final[read], axis=1)
    spread = float(np.sqrt(moved.var(ddof=1)))
    return bool(abs(moved.mean()) > max(VISIBLE_SIGMAS * spread / np.sqrt(PAIRS), MAX_STILL_CHANGE))
