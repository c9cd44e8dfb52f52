"""The electronics of a simulated test board: DACs, switches, wires, amplifiers, ADCs, and the time
they take.

It has no language: `simulator.board` puts SCPI in front of it. It satisfies calibration's
`Crossbar` protocol as well, so that Monte Carlo studies can calibrate a board without wires in
between.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kirchhoff import Wire, column_currents, transfer_matrix
from simulator.clock import Clock
from simulator.parts.converters import draw_dacs, draw_readers
from simulator.parts.noise import adc_amperes, amplifier_amperes, johnson_amperes
from simulator.parts.resistors import draw_branches, nominal_ohms
from simulator.preset import Preset
from simulator.streams import stream

NO_BRANCH = -1
"""As the branch of a probe: every switch open."""


class SimulatedCrossbar:
    """One board: what it is made of (drawn from the seed) and the state of its switches, drivers
    and settings.

    Rows, columns and branches count from 0; an overloaded reading is NaN. Nothing checks its
    arguments here: the language in front does.
    """

    def __init__(self, preset: Preset, seed: int, clock: Clock) -> None:
        self.preset = preset
        self.clock = clock
        self.rows, self.columns, self.branches = (
            preset.shape.rows,
            preset.shape.columns,
            preset.shape.branches,
        )
        self.nominal_ohms = nominal_ohms(preset.population, self.branches)
        self.ranges_amperes = np.array(preset.tia.ranges_amperes)
        self.row_volts_limit = preset.dac.range_volts
        self._wire = Wire(**preset.wire.model_dump())
        self._branches = draw_branches(preset, seed)
        self._dacs = draw_dacs(preset.dac, self.rows, seed)
        self._readers = draw_readers(preset.tia, preset.adc, self.columns, seed)
        self._johnson = stream(seed, "johnson noise")
        self._amplifier = stream(seed, "amplifier noise")
        self._adc_noise = stream(seed, "adc noise")
        # What a probe leaves in the rows that it does not touch.
        self._all_open_siemens = self._branches.open_siemens.sum(axis=2)
        self.interlock_closed = True
        self.reset()

    def reset(self) -> None:
        """Bring everything to the power-on state: outputs off, switches open, rows at 0 V, widest
        range.
        """
        self.outputs_on = False
        self.row_volts = np.zeros(self.rows)
        self.range_index = len(self.ranges_amperes) - 1
        self.aperture_seconds = 1 / self.preset.environment.line_hertz
        self.delay_seconds = 1e-3
        self.open_all()

    # outputs and switches

    def switch_outputs(self, on: bool) -> None:
        """Connect or disconnect the row drivers."""
        self.outputs_on = on
        self._touch()

    def set_row_volts(self, volts: NDArray[np.float64]) -> None:
        """Set all rows (rows,), in volts, as their DAC codes hold them."""
        self.row_volts = self._dacs.held(volts)
        self._touch()

    def open_all(self) -> None:
        """Open every switch."""
        self.apply(np.zeros((self.rows, self.columns, self.branches), dtype=bool))

    def probe(self, row: int, branch: int) -> None:
        """Open every switch, then close one branch of one row in every column."""
        pattern = np.zeros((self.rows, self.columns, self.branches), dtype=bool)
        if branch != NO_BRANCH:
            pattern[row, :, branch] = True
        self.apply(pattern)

    def apply(self, pattern: NDArray[np.bool_]) -> None:
        """Set every switch from a pattern (rows, columns, branches)."""
        self.pattern = np.array(pattern, dtype=bool)
        chosen = np.where(self.pattern, self._branches.closed_siemens, self._branches.open_siemens)
        self._set_crosspoints(chosen.sum(axis=2))

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Set the range (the smallest that is not below the wanted one), the aperture, the settling
        delay.
        """
        if range_amperes is not None:
            self.range_index = int(np.searchsorted(self.ranges_amperes, range_amperes))
        if aperture_seconds is not None:
            self.aperture_seconds = aperture_seconds
        if delay_seconds is not None:
            self.delay_seconds = delay_seconds

    @property
    def range_amperes(self) -> float:
        """The range in force, ampere."""
        return float(self.ranges_amperes[self.range_index])

    def read(self, count: int = 1) -> NDArray[np.float64]:
        """Read all columns `count` times in the present state: (count, columns), ampere."""
        return self._read(self._true_amperes(self.row_volts[None, :])[0], count)

    def column_currents(self, row_volts: ArrayLike) -> NDArray[np.float64]:
        """Drive vectors (vectors, rows) in turn and read each once: (vectors, columns), ampere."""
        vectors = np.asarray(row_volts, dtype=np.float64)
        true = self._true_amperes(self._dacs.held(vectors))
        readings = np.empty_like(true)
        for index, amperes in enumerate(true):
            self._touch()
            readings[index] = self._read(amperes, 1)[0]
        self.set_row_volts(np.zeros(self.rows))
        return readings

    def scan(
        self,
        rows: NDArray[np.int_],
        branches: NDArray[np.int_],
        row_volts: NDArray[np.float64],
        readings: int = 1,
    ) -> NDArray[np.float64]:
        """Probe points (row, branch or NO_BRANCH, volts) in turn: (points, readings, columns),
        ampere.
        """
        answers = np.empty((len(rows), readings, self.columns))
        points = list(zip(range(len(rows)), rows, branches, strict=True))
        # Points that differ in voltage alone share one solution of the network.
        for (row, branch), group in groupby(points, key=lambda point: (point[1], point[2])):
            indices = [point[0] for point in group]
            vectors = np.zeros((len(indices), self.rows))
            vectors[:, row] = row_volts[indices]
            self._set_crosspoints(self._probed_crosspoints(int(row), int(branch)))
            for index, amperes in zip(
                indices, self._true_amperes(self._dacs.held(vectors)), strict=True
            ):
                self._touch()
                answers[index] = self._read(amperes, readings)
        self.set_row_volts(np.zeros(self.rows))
        self.open_all()
        return answers

    def _probed_crosspoints(self, row: int, branch: int) -> NDArray[np.float64]:
        crosspoints: NDArray[np.float64] = self._all_open_siemens.copy()
        if branch != NO_BRANCH:
            gain = self._branches.closed_siemens - self._branches.open_siemens
            crosspoints[row] += gain[row, :, branch]
        return crosspoints

    def _set_crosspoints(self, crosspoint_siemens: NDArray[np.float64]) -> None:
        self._crosspoint_siemens = crosspoint_siemens
        self._column_siemens = crosspoint_siemens.sum(axis=0)
        self._transfer: NDArray[np.float64] | None = None
        self._touch()

    def _true_amperes(self, held_volts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the currents (vectors, columns) that flow for DAC settings (vectors, rows), noise
        apart.
        """
        volts = self._dacs.output(held_volts) if self.outputs_on else np.zeros_like(held_volts)
        offsets = self._readers.offset_amperes(self._column_siemens)
        # The transfer matrix costs about as much as `rows` single solutions, and serves every later
        # vector.
        if self._transfer is None and len(volts) * 2 > self.rows:
            self._transfer = transfer_matrix(self._crosspoint_siemens, self._wire)
        if self._transfer is not None:
            return volts @ self._transfer + offsets
        return column_currents(self._crosspoint_siemens, volts, self._wire) + offsets

    def _touch(self) -> None:
        """Note that a switch or a row has moved: the settling delay starts anew."""
        self._moved_at_seconds = self.clock.seconds

    def _read(self, true_amperes: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Wait out the delay, integrate `count` times: (count, columns), as the ADCs answer."""
        since = self.clock.seconds - self._moved_at_seconds
        self.clock.advance(max(0.0, self.delay_seconds - since) + count * self.aperture_seconds)
        shape = count, self.columns
        seen = (
            true_amperes
            + self._johnson.standard_normal(shape)
            * johnson_amperes(
                self._column_siemens, self.preset.environment.kelvin, self.aperture_seconds
            )
            + self._amplifier.standard_normal(shape)
            * amplifier_amperes(
                self._column_siemens,
                self.preset.tia.noise_volts_per_root_hertz,
                self.aperture_seconds,
            )
            + self._adc_noise.standard_normal(shape)
            * adc_amperes(self.preset.adc, self.range_amperes, self.aperture_seconds)
        )
        return self._readers.codes_to_amperes(seen, self.range_index)
