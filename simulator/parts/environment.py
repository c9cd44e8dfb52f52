"""The environment: ambient temperature, and the board's sensor of it."""

from __future__ import annotations

import numpy as np

from simulator.arrays import Floats
from simulator.preset import Environment
from simulator.random_streams import random_stream

GRID_SECONDS = 1.0
"""Step of the grid on which the temperature is drawn, s; it is linear between the steps."""
_BLOCK = 1024


class Ambient:
    """Ambient temperature as an Ornstein-Uhlenbeck process, stationary from the start.

    `x(t + h) = x(t) e^(−h/τ) + σ √(1 − e^(−2h/τ)) N(0, 1)`, exact on its grid (Gillespie 1996). It
    is a function of time alone: evaluating it changes nothing.
    """

    def __init__(self, environment: Environment, seed: int) -> None:
        self._random = random_stream(seed, "ambient")
        self._sigma = environment.ambient_kelvin
        self._decay = float(np.exp(-GRID_SECONDS / environment.ambient_seconds))
        self._grid = self._sigma * self._random.standard_normal(1)
        self._sensor_kelvin = environment.sensor_kelvin * float(
            random_stream(seed, "temperature sensor").uniform(-1, 1)
        )
        self._reference_kelvin = environment.kelvin
        self.step_kelvin = 0.0
        """Added to the drawn temperature from now on, K, as by an opened window."""

    def deviation_kelvin(self, seconds: Floats) -> Floats:
        """Return ambient minus reference temperature (n,), K, at times (n,), s since power-on."""
        last = int(np.ceil(seconds.max(initial=0.0) / GRID_SECONDS)) + 1
        while len(self._grid) <= last:
            self._grid = np.concatenate([self._grid, self._next_block()])
        position = seconds / GRID_SECONDS
        before = position.astype(np.int64)
        share = position - before
        drawn = self._grid[before] * (1 - share) + self._grid[before + 1] * share
        return np.asarray(drawn + self.step_kelvin)

    def sensed_kelvin(self, seconds: float) -> float:
        """Return the reading of the board's sensor, K: the temperature plus the sensor's error."""
        truth = self._reference_kelvin + float(self.deviation_kelvin(np.array([seconds]))[0])
        return truth + self._sensor_kelvin

    def _next_block(self) -> Floats:
        kicks = self._sigma * np.sqrt(1 - self._decay**2) * self._random.standard_normal(_BLOCK)
        block = np.empty(_BLOCK)
        value = self._grid[-1]
        for index, kick in enumerate(kicks):
            value = value * self._decay + kick
            block[index] = value
        return block
