"""Settling: after a change of a switch or a DAC, a column's current approaches its new value."""

from __future__ import annotations

import numpy as np

from simulator.arrays import Floats
from simulator.preset import Settling


class Residue:
    """The residue of earlier changes on every column: `Δ · e^(−t/τ)`.

    τ is the time constant of the kind of change, a switch or a DAC; t is the time on the board's
    clock since the change.
    """

    def __init__(self, settling: Settling, columns: int) -> None:
        self._scale = settling.residue
        self._tau_seconds = np.array([[settling.switch_seconds], [settling.dac_seconds]])
        self._left = np.zeros((2, columns))
        self._seconds = 0.0

    def move(self, change_amperes: Floats, at_seconds: float, *, by_dac: bool) -> None:
        """Note that the final currents (columns,), A, changed at a time, s.

        The time may lie before the last reading: a drift since then is no such change, and leaves
        no residue.
        """
        self._fade(at_seconds)
        kind = int(by_dac)
        faded = np.exp((at_seconds - self._seconds) / self._tau_seconds[kind])
        self._left[kind] -= self._scale * change_amperes * faded

    def average(self, start_seconds: float, aperture_seconds: float) -> Floats:
        """Return the mean residue (columns,), A, over an aperture T, s, from its start, s.

        `Δ · τ/T · (1 − e^(−T/τ))`
        """
        self._fade(start_seconds)
        ratio = aperture_seconds / self._tau_seconds
        return np.asarray((self._left * -np.expm1(-ratio) / ratio).sum(axis=0))

    def _fade(self, until_seconds: float) -> None:
        passed = max(0.0, until_seconds - self._seconds)
        self._left *= np.exp(-passed / self._tau_seconds)
        self._seconds += passed
