"""The electronics of a simulated test board: DACs, switches, wires, amplifiers, ADCs, and timing.

It has no language: `simulator.command_set` puts SCPI in front of it. It satisfies calibration's
`Crossbar` protocol as well, so that Monte Carlo studies can calibrate a board within the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kirchhoff import Wire
from simulator.arrays import Floats
from simulator.clock import MAX_WAIT_SECONDS, Clock
from simulator.faults import BoardFaults, FaultPlan
from simulator.parts import (
    Ambient,
    Conductances,
    Network,
    ReadingNoise,
    Residue,
    combine,
    draw_branches,
    draw_dacs,
    draw_readers,
    nominal_ohms,
)
from simulator.preset import Preset
from simulator.steps import Steps, finish

NO_BRANCH = -1
"""Branch number of a probe with every switch open."""
STEP_CURRENTS = 4096
"""Currents (readings times columns) that are computed in one step, which takes some 20 ms."""


class PowerLost(BaseException):
    """The board's power fails. A BaseException, because no code of the board may handle it."""


class Opened(Exception):
    """The watchdog or the interlock opened everything in the middle of a measurement."""


class SimulatedCrossbar:
    """One board: its parts, drawn from the seed, and the state of switches, drivers and settings.

    Rows, columns and branches count from 0; an overloaded reading is NaN. Arguments are not
    checked here but by the command set.
    """

    def __init__(
        self, preset: Preset, seed: int, clock: Clock, plan: FaultPlan | None = None
    ) -> None:
        """Draw a board. Raises PlanError where it has no place for a fault of the plan."""
        preset = preset.in_force()
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
        self.faults = BoardFaults(plan or FaultPlan(), preset, draw_branches(preset, seed))
        self.dacs = draw_dacs(preset.dac, self.rows, seed)
        self.readers = draw_readers(preset.tia, preset.adc, self.columns, seed)
        self._noise = ReadingNoise(preset, seed)
        self.ambient = Ambient(preset.environment, seed)
        self._residue = Residue(preset.settling, self.columns)
        self._settled_amperes = np.zeros(self.columns)
        self._changed_by_dac = False
        self.interlock_closed = True
        self._openings = 0
        self._update_probe_sums()
        self.reset()
        self._let_faults_strike()

    def reset(self) -> None:
        """Bring everything to the power-on state.

        Outputs off, switches open, rows at 0 V, the largest range, an aperture of one line cycle, a
        delay of 1 ms.
        """
        self.outputs_on = False
        self.row_volts = np.zeros(self.rows)
        self.range_index = len(self.ranges_amperes) - 1
        self.aperture_seconds = 1 / self.preset.environment.line_hertz
        self.delay_seconds = 1e-3
        self.open_all()

    def switch_outputs(self, on: bool) -> None:
        """Connect or disconnect the row drivers."""
        self.outputs_on = on
        self._note_change(by_dac=True)

    def set_row_volts(self, volts: Floats) -> None:
        """Set all rows to voltages (rows,), V, rounded to what the DAC codes hold."""
        self.row_volts = self.dacs.held(volts)
        self._note_change(by_dac=True)

    def open_all(self) -> None:
        """Open every switch."""
        self.apply(np.zeros((self.rows, self.columns, self.branches), dtype=bool))

    def open_everything(self) -> None:
        """Switch the outputs off and open every switch, also in the middle of a measurement."""
        self.switch_outputs(False)
        self.open_all()
        self._openings += 1

    def probe(self, row: int, branch: int) -> None:
        """Open every switch, then close one branch of one row in every column."""
        pattern = np.zeros((self.rows, self.columns, self.branches), dtype=bool)
        if branch != NO_BRANCH:
            pattern[row, :, branch] = True
        self.apply(pattern)

    def apply(self, pattern: NDArray[np.bool_]) -> None:
        """Set every switch from a pattern (rows, columns, branches)."""
        self.pattern = np.array(pattern, dtype=bool)
        self._arrange(self._patterned)
        self._note_change(by_dac=False)

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Set the range, A, the aperture, s, and the settling delay, s; None leaves one as it is.

        The range becomes the smallest one that is not below `range_amperes`.
        """
        if range_amperes is not None:
            self.range_index = int(np.searchsorted(self.ranges_amperes, range_amperes))
        if aperture_seconds is not None:
            self.aperture_seconds = aperture_seconds
        if delay_seconds is not None:
            self.delay_seconds = delay_seconds

    def rest(self) -> None:
        """Do nothing: within the process no host can fall silent."""

    @property
    def range_amperes(self) -> float:
        """The range in force, A."""
        return float(self.ranges_amperes[self.range_index])

    def sensed_kelvin(self) -> float:
        """Return the reading of the board's temperature sensor, K."""
        self.strike_due_faults()
        return self.ambient.sensed_kelvin(self.clock.seconds)

    def moment(self) -> tuple[float, float]:
        """Return the time since power-on, s, and the reading of the temperature sensor, K."""
        return self.clock.seconds, self.sensed_kelvin()

    def read(self, count: int = 1) -> Floats:
        """Read all columns `count` times in the present state: (count, columns), A."""
        return finish(self.read_steps(count))

    def read_steps(self, count: int) -> Steps[Floats]:
        """Read in steps, as `read`. Raises Opened where everything is opened in between."""
        return self._acquire(self.row_volts[None, :], count)

    def column_currents(self, row_volts: ArrayLike) -> Floats:
        """Drive vectors (vectors, rows), V, in turn and read each once: (vectors, columns), A."""
        return finish(self.column_currents_steps(row_volts))

    def column_currents_steps(self, row_volts: ArrayLike) -> Steps[Floats]:
        """Drive and read vectors in steps. Raises Opened where everything is opened in between."""
        held = self.dacs.held(np.asarray(row_volts, dtype=np.float64))
        self._note_change(by_dac=True)
        try:
            return (yield from self._acquire(held, 1))
        finally:
            self.set_row_volts(np.zeros(self.rows))

    def scan(
        self,
        rows: NDArray[np.int_],
        branches: NDArray[np.int_],
        row_volts: Floats,
        readings: int = 1,
    ) -> Floats:
        """Probe points (row, branch or NO_BRANCH, V) in turn: (points, readings, columns), A."""
        return finish(self.scan_steps(rows, branches, row_volts, readings))

    def scan_steps(
        self,
        rows: NDArray[np.int_],
        branches: NDArray[np.int_],
        row_volts: Floats,
        readings: int,
    ) -> Steps[Floats]:
        """Probe points in steps, as `scan`. Raises Opened where everything is opened in between."""
        answers = np.empty((len(rows), readings, self.columns))
        points = list(zip(range(len(rows)), rows, branches, strict=True))
        # Successive points that differ only in voltage share one network.
        try:
            for (row, branch), group in groupby(points, key=lambda point: (point[1], point[2])):
                indices = [point[0] for point in group]
                vectors = np.zeros((len(indices), self.rows))
                vectors[:, row] = row_volts[indices]
                self._arrange(partial(self._probed, int(row), int(branch)))
                self._note_change(by_dac=True)
                read = yield from self._acquire(self.dacs.held(vectors), readings)
                answers[indices] = read.reshape(len(indices), readings, self.columns)
        finally:
            self.set_row_volts(np.zeros(self.rows))
            self.open_all()
        return answers

    def strike_due_faults(self) -> None:
        """Let all faults strike that are due. Raises PowerLost, once for each power cycle."""
        self._let_faults_strike()
        if self.faults.power_fails(self.clock.seconds):
            raise PowerLost

    def _let_faults_strike(self) -> None:
        if self.faults.advance(self.clock.seconds):
            self.ambient.step_kelvin = self.faults.step_kelvin
            self._update_probe_sums()
            self._arrange(self._arranged)

    def _update_probe_sums(self) -> None:
        """Sum the open branches of each crosspoint, and take what closing each branch adds.

        Probes are assembled from these two.
        """
        branches = self.faults.branches
        self._all_open = combine(lambda a: a.sum(axis=2), branches.open)
        self._closing = combine(np.subtract, branches.closed, branches.open)

    def _arrange(self, crosspoints: Callable[[], Conductances]) -> None:
        """Set the function that returns the crosspoints; it is called again after a fault."""
        self._arranged = crosspoints
        self._cached_network: Network | None = None

    @property
    def _network(self) -> Network:
        """The network that the next reading measures; a pattern without a reading costs nothing."""
        if self._cached_network is None:
            self._cached_network = Network(self._arranged(), self._wire)
        return self._cached_network

    def _patterned(self) -> Conductances:
        def summed(closed: Floats, opened: Floats) -> Floats:
            return np.asarray(np.where(self.pattern, closed, opened).sum(axis=2, dtype=np.float64))

        return combine(summed, self.faults.branches.closed, self.faults.branches.open)

    def _probed(self, row: int, branch: int) -> Conductances:
        def with_branch(opened: Floats, closing: Floats) -> Floats:
            crosspoints = opened.copy()
            if branch != NO_BRANCH:
                crosspoints[row] += closing[row, :, branch]
            return crosspoints

        return combine(with_branch, self._all_open, self._closing)

    def _note_change(self, *, by_dac: bool) -> None:
        """Note that a switch or a row voltage has changed: the settling delay starts anew.

        Changes without a reading in between count as one, at the time of the last. If a DAC is
        among them, its time constant, the longest, holds.
        """
        self._changed_at_seconds = self.clock.seconds
        self._changed_by_dac |= by_dac

    def _acquire(self, held_volts: Floats, count: int) -> Steps[Floats]:
        """Drive DAC settings (vectors, rows), V, in turn, wait, integrate each `count` times.

        Returns the ADCs' readings (vectors · count, columns), A. Faults strike between two
        readings. Raises Opened where everything is opened between two steps.
        """
        vectors, openings = len(held_volts), self._openings
        seconds = vectors * (self.delay_seconds + count * self.aperture_seconds)
        self.strike_due_faults()
        at_once = 1
        if self.faults.quiet_until(self.clock.seconds + seconds):
            # From half as many vectors as rows on, a transfer matrix is the cheaper solution.
            at_once = max(self.rows, STEP_CURRENTS // self.columns)
        if self.clock.realtime:
            # No reading is taken long before the wall reaches its time.
            reading_seconds = self.delay_seconds + self.aperture_seconds
            at_once = min(at_once, max(1, int(MAX_WAIT_SECONDS / reading_seconds)))
        answers: list[Floats] = []
        for drives, which, readings in _parts(vectors, count, at_once):
            if drives and answers:
                self._note_change(by_dac=True)
            self.strike_due_faults()
            answers.append(self._integrate(held_volts[which], readings))
            for owed_seconds in self.clock.catch_up():
                yield owed_seconds
                if self._openings != openings:
                    raise Opened
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def _integrate(self, held_volts: Floats, count: int) -> Floats:
        centres = self._schedule(len(held_volts), count)
        kelvin = self.ambient.deviation_kelvin(centres)
        decades = float(np.log10(1 + centres.mean() / 3600))
        if self.outputs_on:
            volts = self.dacs.output(held_volts, kelvin[::count])
            volts[:, self.faults.dead_rows] = 0.0
        else:
            volts = np.zeros_like(held_volts)
        network = self._network
        final = network.currents(volts, count, kelvin, decades)
        final += self.readers.offset_amperes(network.column_siemens)
        final[:, self.faults.dead_columns] = 0.0
        amperes = (
            final
            + self._unsettled(final, centres, count)
            + self._noise.amperes(
                network,
                np.repeat(volts, count, axis=0),
                centres,
                kelvin,
                self.aperture_seconds,
                self.range_amperes,
                self.outputs_on,
            )
        )
        read = self.readers.codes_to_amperes(amperes, self.range_index, kelvin)
        stuck = self.faults.stuck_codes * self.readers.step_amperes(self.range_index)
        return np.where(np.isnan(stuck), read, stuck)

    def _schedule(self, vectors: int, count: int) -> Floats:
        """Spend the time of a block of readings.

        Returns the centres of all apertures (vectors · count,), in seconds since power-on.
        """
        since_change = self.clock.seconds - self._changed_at_seconds
        waits = np.full(vectors, self.delay_seconds)
        waits[0] = max(0.0, self.delay_seconds - since_change)
        ends = self.clock.seconds + np.cumsum(waits + count * self.aperture_seconds)
        backwards = (count - np.arange(count) - 0.5) * self.aperture_seconds
        centres = (ends[:, None] - backwards).ravel()
        self.clock.advance(float(waits.sum()), "settling")
        self.clock.advance(vectors * count * self.aperture_seconds, "integrating")
        return centres

    def _unsettled(self, final: Floats, centres: Floats, count: int) -> Floats:
        """Return the settling errors, A, of readings (vectors · count, columns)."""
        starts = centres - self.aperture_seconds / 2
        changed_at = starts[::count] - self.delay_seconds
        changed_at[0] = self._changed_at_seconds
        missing = np.empty_like(final)
        for index, change_seconds in enumerate(changed_at):
            first = index * count
            self._residue.move(
                final[first] - self._settled_amperes,
                float(change_seconds),
                by_dac=self._changed_by_dac or index > 0,
            )
            self._settled_amperes = final[first]
            for reading in range(first, first + count):
                missing[reading] = self._residue.average(
                    float(starts[reading]), self.aperture_seconds
                )
        self._changed_by_dac = False
        return missing


def _parts(vectors: int, count: int, at_once: int) -> Iterator[tuple[bool, slice, int]]:
    """Divide vectors of `count` readings each into parts of about `at_once` readings.

    Yields for each part whether it drives a vector anew, the slice of its vectors, and the number
    of readings of each vector.
    """
    if count <= at_once:
        whole = max(1, at_once // count)
        for start in range(0, vectors, whole):
            yield True, slice(start, start + whole), count
        return
    for vector in range(vectors):
        for start in range(0, count, at_once):
            yield start == 0, slice(vector, vector + 1), min(at_once, count - start)
