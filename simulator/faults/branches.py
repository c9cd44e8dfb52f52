"""Branch faults: where they strike, and the conductances they leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulator.arrays import Floats
from simulator.faults.plan import BranchFault
from simulator.parts import Branches, Conductances, choose, closed_branches, combine, open_branches
from simulator.preset import Preset, Shape

Broken = Literal["open", "short", "stuck_on", "stuck_off"]


def draw_places(fault: BranchFault, shape: Shape, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the branches that a fault strikes: flat indices into (rows, columns, branches).

    The indices ascend. They are all branches of the row, column and number that the fault gives, or
    a count or fraction of these, drawn without repetition.
    """
    axes = (
        np.arange(size) if number is None else np.array([number - 1])
        for number, size in (
            (fault.row, shape.rows),
            (fault.column, shape.columns),
            (fault.branch, shape.branches),
        )
    )
    sizes = shape.rows, shape.columns, shape.branches
    candidates = np.ravel_multi_index(np.ix_(*axes), sizes).ravel()
    wanted = len(candidates)
    if fault.count is not None:
        wanted = fault.count
    elif fault.fraction is not None:
        wanted = max(1, round(fault.fraction * wanted))
    if wanted == len(candidates):
        return candidates
    return np.sort(random.choice(candidates, wanted, replace=False))


def break_branches(
    branches: Branches, kind: Broken, where: NDArray[np.bool_], preset: Preset
) -> Branches:
    """Return branches (n,), broken where `where` (n,) holds.

    *open* never conducts; *short* is a resistor of 0 Ω behind a working switch of nominal
    on-resistance; *stuck_on* and *stuck_off* are switches that do not move.
    """
    closed, opened = branches.closed, branches.open
    match kind:
        case "open":
            nothing = combine(np.zeros_like, closed)
            return Branches(choose(where, nothing, closed), choose(where, nothing, opened))
        case "short":
            none = np.zeros(len(where))
            on_ohms = np.full(len(where), preset.switches.on_ohms)
            shorted = closed_branches(none, on_ohms, none, none, preset)
            leak = open_branches(none, preset)
            return Branches(choose(where, shorted, closed), choose(where, leak, opened))
        case "stuck_on":
            return Branches(closed, choose(where, closed, opened))
        case "stuck_off":
            return Branches(choose(where, opened, closed), opened)


def drifted(branches: Branches, factor: Floats) -> Branches:
    """Return branches (n,) whose closed conductance is multiplied by `factor` (n,)."""
    closed = combine(lambda values: values * factor, branches.closed)
    return replace(
        branches,
        closed=replace(closed, heating=closed.heating * factor, squared=closed.squared * factor),
    )


def take(conductances: Conductances, places: NDArray[np.int64]) -> Conductances:
    """Return the conductances (n,) at flat indices (n,)."""
    return combine(lambda values: values.ravel()[places], conductances)


def put(into: Conductances, places: NDArray[np.int64], values: Conductances) -> None:
    """Overwrite the conductances at flat indices (n,) with `values` (n,)."""
    for name, array in vars(into).items():
        array.reshape(-1)[places] = getattr(values, name)
