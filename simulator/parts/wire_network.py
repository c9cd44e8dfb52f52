"""The network that a pattern makes of the branches, and the currents that flow in it."""

from __future__ import annotations

import numpy as np

from kirchhoff import Wire, column_currents, transfer_matrix
from simulator.arrays import Floats
from simulator.parts.resistors import Conductances

SOLVED_WITHIN_KELVIN, SOLVED_WITHIN_DECADES = 0.02, 1e-4
"""Within so much of the temperature and age for which the wires were solved, the solution serves.
"""


class Network:
    """Crosspoints (rows, columns) joined by wires.

    The wires are solved exactly at one temperature and age. Nearby, the crosspoints' own change is
    added without the wires' second-order part in it: at 1 % of wire drop and 0.02 K that is 2e-8 of
    a current.
    """

    def __init__(self, crosspoints: Conductances, wire: Wire) -> None:
        self._crosspoints = crosspoints
        self._wire = wire
        self._transfer: Floats | None = None
        self._solved_at = (np.inf, np.inf)
        self.column_siemens: Floats = crosspoints.siemens.sum(axis=0)
        """(columns,): total conductance of what hangs on a column."""

    def currents(
        self, volts: Floats, readings: int, deviation_kelvin: Floats, decades: float
    ) -> Floats:
        """Return the currents (vectors · readings, columns) of row voltages (vectors, rows), each
        vector read `readings` times, at temperatures (vectors · readings,).
        """
        middle = float(deviation_kelvin.mean())
        at_kelvin, at_decades = self._solved_at
        if (
            abs(middle - at_kelvin) > SOLVED_WITHIN_KELVIN
            or abs(decades - at_decades) > SOLVED_WITHIN_DECADES
        ):
            self._transfer = None
        if self._transfer is None and 2 * len(volts) > len(volts[0]):
            self._solved_at = at_kelvin, _ = middle, decades
            self._transfer = transfer_matrix(self._crosspoints.at(middle, decades), self._wire)
        if self._transfer is None:
            at_kelvin = middle
            base = column_currents(self._crosspoints.at(middle, decades), volts, self._wire)
        else:
            base = volts @ self._transfer
        slope = volts @ self._crosspoints.first
        heated = volts**3 @ self._crosspoints.heating
        warmer = (deviation_kelvin - at_kelvin)[:, None]
        return np.asarray(
            np.repeat(base + heated, readings, axis=0) + np.repeat(slope, readings, axis=0) * warmer
        )

    def excess_amperes(self, volts: Floats) -> Floats:
        """Return the root sum square (vectors, columns) of the branch currents, ampere: what noise
        that is independent from branch to branch multiplies.

        It has the sign of the column's current: resistors that fluctuate fluctuate the other way at
        the opposite voltage, so reversing the voltages does not cancel them as it does an offset.
        """
        size = np.sqrt(volts**2 @ self._crosspoints.squared)
        return np.asarray(np.copysign(size, volts @ self._crosspoints.siemens))

    def spread(self, noise_volts: Floats) -> Floats:
        """Return the currents (n, columns) of small row voltages (n, rows), wires left out."""
        return np.asarray(noise_volts @ self._crosspoints.siemens)
