"""Branches: imprecise resistors, each in series with its switch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.preset import Population, Preset, Switches
from simulator.streams import stream


@dataclass(frozen=True)
class Branches:
    """What the branches really are; arrays (rows, columns, branches), siemens."""

    closed_siemens: NDArray[np.float64]
    """Conductance when the switch is told to close."""
    open_siemens: NDArray[np.float64]
    """Conductance when the switch is told to open: leakage."""


def nominal_ohms(population: Population, branches: int) -> NDArray[np.float64]:
    """Return the nominal resistance of each branch of a crosspoint (branches,), in ohm.

    `base_ohms · 10^(decades · k / branches)` for k = 0 … branches − 1: steps of equal ratio, so
    that the subset sums of a crosspoint leave no gaps while the largest resistor stays far from the
    leakage of the switches.
    """
    steps = np.arange(branches) / branches
    return population.base_ohms * 10.0 ** (population.decades * steps)


def draw_branches(preset: Preset, seed: int) -> Branches:
    """Draw a population: `R = nominal · (1 + tolerance)` in series with `R_on`, open switches
    leaking.

    Tolerance is uniform on ±`tolerance`, `R_on` uniform on ±`on_spread` around its nominal. An open
    switch is `off_ohms` in series with the resistor. Defects (fractions of all branches, at most
    one a branch): *open* conducts never, *short* is a resistor of 0 Ω behind a working switch,
    *stuck on* and *stuck off* are switches that do not move.
    """
    shape = preset.shape.rows, preset.shape.columns, preset.shape.branches
    ohms = nominal_ohms(preset.population, shape[2]) * (
        1 + preset.population.tolerance * stream(seed, "resistor tolerance").uniform(-1, 1, shape)
    )
    on_ohms = _on_ohms(preset.switches, stream(seed, "switch resistance"), shape)

    defects = preset.defects
    lot = stream(seed, "defects").random(shape)
    edges = np.cumsum([defects.open, defects.short, defects.stuck_on, defects.stuck_off])
    kind = np.searchsorted(edges, lot, side="right")
    is_open, is_short, is_stuck_on, is_stuck_off = (kind == i for i in range(4))

    ohms = np.where(is_short, 0.0, ohms)
    closed = 1 / (ohms + on_ohms)
    opened = 1 / (ohms + preset.switches.off_ohms)
    return Branches(
        closed_siemens=np.where(is_open, 0.0, np.where(is_stuck_off, opened, closed)),
        open_siemens=np.where(is_open, 0.0, np.where(is_stuck_on, closed, opened)),
    )


def _on_ohms(
    switches: Switches, random: np.random.Generator, shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    return switches.on_ohms * (1 + switches.on_spread * random.uniform(-1, 1, shape))
