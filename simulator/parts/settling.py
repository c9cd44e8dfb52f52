"""Settling: after a switch or a DAC has moved, a column's current approaches its new value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.preset import Settling


class Residue:
    """What is left of earlier moves on every column: `Δ · e^(−t/τ)`, the τ that of the move."""

    def __init__(self, settling: Settling, columns: int) -> None:
        self._scale = settling.residue
        self._tau_seconds = np.array([[settling.switch_seconds], [settling.dac_seconds]])
        self._left = np.zeros((2, columns))

    def move(self, change_amperes: NDArray[np.float64], *, by_dac: bool) -> None:
        """Note that the final currents (columns,) have just changed by so much."""
        self._left[int(by_dac)] -= self._scale * change_amperes

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._left *= np.exp(-seconds / self._tau_seconds)

    def average(self, aperture_seconds: float) -> NDArray[np.float64]:
        """Return the mean (columns,) over an aperture that begins now, and let the aperture pass.

        `Δ · τ/T · (1 − e^(−T/τ))`
        """
        ratio = aperture_seconds / self._tau_seconds
        mean = (self._left * -np.expm1(-ratio) / ratio).sum(axis=0)
        self.wait(aperture_seconds)
        return np.asarray(mean)
