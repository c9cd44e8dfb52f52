"""How long a probe has to wait until the rest of its current's settling is negligible.

After a switch or a row has moved, the current approaches its final value exponentially, and an
aperture that begins too early averages the rest. One branch is read in all columns with alternating
polarity, so that every reading follows a move by twice its own value. The aperture is very short;
the delays start at microseconds, each twice as long as the one before, until the longest two read
alike. What products miss is found later with all branches closed, by `calibration.noise`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.crossbar import MAX_DELAY_SECONDS, Crossbar

SHORT_APERTURE_SECONDS = 20e-6
DELAYS_SECONDS = np.minimum(20e-6 * 2.0 ** np.arange(20), MAX_DELAY_SECONDS)
MIN_DELAYS = 11
"""Delays that are always tried: up to 20 ms."""
PAIRS = 3
"""Pairs of polarities at each delay; the first move of each comes from another state."""
VISIBLE_SIGMAS = 5.0
"""Standard deviations from which on a residue is visible."""
MIN_VISIBLE_SHARE = 1e-9
"""Minimum of the share that is visible."""
MAX_STILL_CHANGE = 1e-4
"""Over the reading: largest change from the second longest delay to the longest."""
WELL_VISIBLE_RATIO = 3.0
"""Over the visible limit: a residue above it has a known size."""


@dataclass(frozen=True)
class SettlingTail:
    """The rest of a move by 2I, over I, averaged over a short aperture after a delay."""

    delay_seconds: float
    """The longest delay with a well visible residue; the shortest if there was none."""
    share: float
    """The residue there, or the limit of what is visible."""
    time_constant_seconds: float
    """Upper limit of the slow end's time constant; 0 where no residue was visible."""
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
        """Return the share of its value that an aperture misses after a delay."""
        tau = self.time_constant_seconds
        if not tau:
            return 0.0
        earlier = (self.delay_seconds - delay_seconds) / tau
        averaged = np.expm1(-aperture_seconds / tau) / np.expm1(-self.aperture_seconds / tau)
        share = self.share * self.aperture_seconds / aperture_seconds * averaged * np.exp(earlier)
        return float(min(share, 2.0))


def measure_tail(board: Crossbar, row: int, branch: int, volts: float) -> SettlingTail:
    """Measure how currents settle on one branch of one row; leaves aperture and delay changed.

    The time constant is that between the last two delays with a visible residue. Where there is
    only one, it is an upper limit, from this residue and the visible limit at the next delay.
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
    # Left out: columns where the branch cannot be read, and delays where most columns overload.
    final = halves[-1].mean(axis=0)
    finite = np.isfinite(final)
    live = (
        finite & (np.abs(final) > 0.25 * np.median(np.abs(final[finite])))
        if finite.any()
        else finite
    )
    readable = np.isfinite(halves[:, :, live]).mean(axis=(1, 2)) > 0.5 if live.any() else finite[:0]
    if not readable.any():
        longest = float(DELAYS_SECONDS[len(halves) - 1])
        return SettlingTail(longest, MIN_VISIBLE_SHARE, 0.0, aperture)
    first = 1 + int(np.flatnonzero(~readable).max(initial=-1))
    delays = DELAYS_SECONDS[first : len(halves)]
    missing = np.nanmedian(1 - halves[first:, :, live] / final[live], axis=2)
    mean = missing[:-1].mean(axis=1)
    # The noise of the row's DAC is common to all columns, so only repetition shows it.
    spread = float(np.sqrt(missing.var(axis=1, ddof=1).mean()))
    limit = max(VISIBLE_SIGMAS * spread * np.sqrt(2 / PAIRS), MIN_VISIBLE_SHARE)
    visible = mean > limit
    if not visible.any():
        return SettlingTail(float(delays[0]), limit, 0.0, aperture)
    # Two well visible residues give the time constant; one, with the visible limit, a bound.
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
    """Return whether readings (pairs, columns) at one delay differ from those at the delay before.

    They differ if they do so by more than their scatter.
    """
    final = after.mean(axis=0)
    readable = np.isfinite(final + before.mean(axis=0)) & (final != 0)
    if not readable.any():
        return False
    moved = np.median((after - before)[:, readable] / final[readable], axis=1)
    spread = float(np.sqrt(moved.var(ddof=1)))
    return bool(abs(moved.mean()) > max(VISIBLE_SIGMAS * spread / np.sqrt(PAIRS), MAX_STILL_CHANGE))
