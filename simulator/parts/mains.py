"""Pickup of the power line, in series with every column."""

from __future__ import annotations

import numpy as np

from simulator.arrays import Floats
from simulator.preset import Environment
from simulator.random_streams import random_stream


class Mains:
    """A sine voltage of line frequency: one frequency for all columns, a phase for each."""

    def __init__(self, environment: Environment, columns: int, seed: int) -> None:
        random = random_stream(seed, "mains")
        self._volts = environment.mains_volts
        self._hertz = environment.line_hertz + environment.mains_deviation_hertz * float(
            random.uniform(-1, 1)
        )
        self._phase = random.uniform(0, 2 * np.pi, columns)

    def volts(self, seconds: Floats, aperture_seconds: float) -> Floats:
        """Return averages (n, columns), V, over apertures, s, centred on times (n,), s.

        An average over T multiplies a sine of frequency f by sinc(fT) = sin(πfT)/(πfT), which is
        zero at whole numbers of cycles.
        """
        rejected = self._volts * float(np.sinc(self._hertz * aperture_seconds))
        turns = 2 * np.pi * self._hertz * seconds[:, None]
        return np.asarray(rejected * np.sin(turns + self._phase))
