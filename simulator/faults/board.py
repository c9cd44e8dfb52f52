"""The faults of one board: which are present now, and their effect on its parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.faults.branches import break_branches, draw_places, drifted, put, take
from simulator.faults.plan import (
    AdcStuck,
    BranchFault,
    BrokenBranches,
    DeadColumn,
    DeadRow,
    DriftingBranches,
    FaultPlan,
    IntermittentBranches,
    Lasting,
    PowerCycle,
    ReplyFault,
    TemperatureStep,
    check_places,
)
from simulator.faults.timing import NEVER, Strikes, Telegraph, lasts, next_edge
from simulator.parts import Branches, combine
from simulator.preset import Preset
from simulator.random_streams import random_stream

DRIFT_STEP_SECONDS = 1.0
NOWHERE = np.zeros(0, dtype=np.int64)


class BoardFaults:
    """The faults of a plan on one board, as the bench's clock and the program messages advance.

    `advance` lets faults strike. Between its calls `branches`, `dead_rows`, `dead_columns`,
    `stuck_codes` and `step_kelvin` describe the board and stay constant.
    """

    def __init__(self, plan: FaultPlan, preset: Preset, drawn: Branches) -> None:
        """Draw the places of the faults. Raises PlanError where the board has no such place."""
        check_places(plan, preset.shape, preset.adc.bits)
        self.plan = plan
        self.operations = 0
        """Program messages executed so far, the present one included."""
        self.strikes = [Strikes() for _ in plan.fault]
        self.places: list[NDArray[np.int64]] = []
        """For each fault of the plan the branches that it strikes: flat indices, ascending."""
        self.dead_rows = np.zeros(preset.shape.rows, dtype=bool)
        self.dead_columns = np.zeros(preset.shape.columns, dtype=bool)
        self.stuck_codes = np.full(preset.shape.columns, np.nan)
        """(columns,): the code at which a column's ADC is stuck, NaN where it is not."""
        self.step_kelvin = 0.0
        self._preset = preset
        self._present = [False] * len(plan.fault)
        self._began_seconds = [0.0] * len(plan.fault)
        self._factors = [1.0] * len(plan.fault)
        self._telegraphs: dict[int, Telegraph] = {}
        self._draw()
        self._struck = np.unique(np.concatenate([NOWHERE, *self.places]))
        self._sound = Branches(take(drawn.closed, self._struck), take(drawn.open, self._struck))
        self.drawn = self.branches = drawn
        if len(self._struck):
            self.branches = Branches(combine(np.copy, drawn.closed), combine(np.copy, drawn.open))
        self._next_seconds = 0.0
        self._looked_at_operation = -1

    def _draw(self) -> None:
        for index, (fault, name) in enumerate(
            zip(self.plan.fault, self.plan.stream_names(), strict=True)
        ):
            random = random_stream(self.plan.seed, name)
            places = NOWHERE
            if isinstance(fault, BranchFault):
                places = draw_places(fault, self._preset.shape, random)
            if isinstance(fault, IntermittentBranches):
                self._telegraphs[index] = Telegraph(
                    len(places), fault.mean_closed_seconds, fault.mean_open_seconds, random
                )
            self.places.append(places)

    def quiet_until(self, seconds: float) -> bool:
        """Return whether the clock alone changes nothing up to this time, s."""
        return seconds < self._next_seconds

    def advance(self, seconds: float) -> bool:
        """Let all faults strike that are due; return whether the board has changed.

        `seconds` is the time on the bench's clock; `operations` tells the program message.
        """
        if seconds < self._next_seconds and self.operations == self._looked_at_operation:
            return False
        self._looked_at_operation = self.operations
        changed, self._next_seconds = False, NEVER
        for index, fault in enumerate(self.plan.fault):
            if isinstance(fault, PowerCycle):
                later = fault.at_seconds or 0.0
                change = later if later > seconds else NEVER
            elif isinstance(fault, ReplyFault):
                continue
            else:
                changed |= self._follow(index, fault, seconds)
                change = self._next_change(index, fault, seconds)
            self._next_seconds = min(self._next_seconds, change)
        if changed:
            self._apply_faults()
        return changed

    def power_fails(self, seconds: float) -> bool:
        """Return whether the board's power fails now, once for each power cycle of the plan."""
        for fault, strikes in zip(self.plan.fault, self.strikes, strict=True):
            if (
                isinstance(fault, PowerCycle)
                and not strikes.count
                and seconds >= (fault.at_seconds or 0.0)
                and self.operations >= (fault.at_operation or 0)
            ):
                strikes.note(seconds, self.operations)
                return True
        return False

    def _follow(self, index: int, fault: Lasting, seconds: float) -> bool:
        present = lasts(fault, seconds, self.operations)
        began = present and not self._present[index]
        changed = present != self._present[index]
        self._present[index] = present
        if began:
            since_start = fault.at_seconds is None and fault.at_operation is None
            self._began_seconds[index] = 0.0 if since_start else fault.at_seconds or seconds
            if not isinstance(fault, IntermittentBranches):
                self.strikes[index].note(seconds, self.operations)
        since = seconds - self._began_seconds[index]
        if present and isinstance(fault, DriftingBranches):
            hours = since // DRIFT_STEP_SECONDS * DRIFT_STEP_SECONDS / 3600
            factor = max(0.0, 1 + 1e-6 * fault.ppm_per_hour * hours)
            changed |= factor != self._factors[index]
            self._factors[index] = factor
        if present and isinstance(fault, IntermittentBranches):
            telegraph = self._telegraphs[index]
            good = ~telegraph.bad
            changed |= telegraph.advance(since)
            if (good & telegraph.bad).any():
                self.strikes[index].note(seconds, self.operations)
        return changed

    def _next_change(self, index: int, fault: Lasting, seconds: float) -> float:
        edge = next_edge(fault, seconds)
        if not self._present[index]:
            return edge
        began = self._began_seconds[index]
        if isinstance(fault, DriftingBranches):
            steps = (seconds - began) // DRIFT_STEP_SECONDS + 1
            return min(edge, began + steps * DRIFT_STEP_SECONDS)
        if isinstance(fault, IntermittentBranches):
            return min(edge, began + self._telegraphs[index].next_change_seconds)
        return edge

    def _apply_faults(self) -> None:
        branches = self._sound
        self.dead_rows[:] = False
        self.dead_columns[:] = False
        self.stuck_codes[:] = np.nan
        self.step_kelvin = 0.0
        for index, fault in enumerate(self.plan.fault):
            if isinstance(fault, DriftingBranches):
                # A branch that has drifted keeps its value when the drift ends.
                where = np.isin(self._struck, self.places[index])
                branches = drifted(branches, np.where(where, self._factors[index], 1.0))
            if not self._present[index]:
                continue
            match fault:
                case BrokenBranches():
                    where = np.isin(self._struck, self.places[index])
                    branches = break_branches(branches, fault.kind, where, self._preset)
                case IntermittentBranches():
                    bad = self.places[index][self._telegraphs[index].bad]
                    where = np.isin(self._struck, bad)
                    branches = break_branches(branches, "open", where, self._preset)
                case DeadRow():
                    self.dead_rows[fault.row - 1] = True
                case DeadColumn():
                    self.dead_columns[fault.column - 1] = True
                case AdcStuck():
                    self.stuck_codes[fault.column - 1] = fault.code
                case TemperatureStep():
                    self.step_kelvin += fault.kelvin
                case _:
                    pass
        if len(self._struck):
            put(self.branches.closed, self._struck, branches.closed)
            put(self.branches.open, self._struck, branches.open)
