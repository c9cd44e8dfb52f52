"""The network of wires that joins the crosspoints, and its column currents."""

from __future__ import annotations

import numpy as np

from kirchhoff import Wire, column_currents, transfer_matrix
from simulator.arrays import Floats
from simulator.parts.resistors import Conductances

SOLVED_WITHIN_KELVIN, SOLVED_WITHIN_DECADES = 0.02, 1e-4
"""Deviations of temperature, K, and age, decades, within which a solution is used again."""


class Network:
    """Crosspoints (rows, columns) joined by wires.

    The wires are solved exactly at one temperature and age. Near these, the change of the
    crosspoints' own conductance is added, without its second-order part through the wires: at 1 %
    of wire drop and 0.02 K that is 2e-8 of a current.
    """

    def __init__(self, crosspoints: Conductances, wire: Wire) -> None:
        self._crosspoints = crosspoints
        self._wire = wire
        self._transfer: Floats | None = None
        self._solved_at = (np.inf, np.inf)
        self.column_siemens: Floats = crosspoints.siemens.sum(axis=0)
        """(columns,): total conductance on each column, S."""

    def currents(
        self, volts: Floats, readings: int, deviation_kelvin: Floats, decades: float
    ) -> Floats:
        """Return the currents (vectors · readings, columns), A, of row voltages (vectors, rows), V.

        Each vector is read `readings` times, at temperatures `deviation_kelvin`
        (vectors · readings,), K from the reference, and one age `decades`.
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
        """Return the root sum square (vectors, columns), A, of the branch currents.

        It scales noise that is independent from branch to branch. Its sign is that of the column's
        current: the noise current of a fluctuating resistor reverses with the voltage, so reversing
        the voltages does not cancel it as it cancels an offset.
        """
        size = np.sqrt(volts**2 @ self._crosspoints.squared)
        return np.asarray(np.copysign(size, volts @ self._crosspoints.siemens))

    def wireless_currents(self, row_volts: Floats) -> Floats:
        """Return the currents (n, columns), A, of row voltages (n, rows), V, wires neglected."""
        return np.asarray(row_volts @ self._crosspoints.siemens)
