"""Branches: imprecise resistors, each in series with its switch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from simulator.arrays import Floats
from simulator.preset import Population, Preset
from simulator.random_streams import random_stream

MAX_SHORTFALL = 0.95
"""Maximum relative shortfall of a normal draw, so that no resistance is negative."""


@dataclass(frozen=True)
class Conductances:
    """Conductances and their coefficients; arrays of one shape, (…, branches) or summed over it.

    With ΔT the deviation from the reference temperature and L = log10(1 + hours since power-on),

        g(ΔT, L) = siemens + first·ΔT + second·ΔT² + aged·L

    is the expansion of `1/(R(1 + αΔT + aL) + R_on(1 + βΔT))`. Its relative error is (αΔT)³ +
    2·αΔT·aL + (aL)²: 5e-10 at 150 ppm/K and 5 K, and 1e-7 more after ten hours that aged by 50 ppm.
    The current through a branch at V volts heats it by R_th·V²·g, which adds `heating·V³` to the
    current.
    """

    siemens: Floats
    first: Floats
    """S/K"""
    second: Floats
    """S/K²"""
    aged: Floats
    """S per decade of hours"""
    heating: Floats
    """S/V²"""
    squared: Floats
    """S²: sum of (R·g²)², the response to independent relative changes of the resistances."""

    def at(self, deviation_kelvin: float, decades: float) -> Floats:
        """Return the conductances, siemens, at a temperature and an age."""
        return (
            self.siemens
            + self.first * deviation_kelvin
            + self.second * deviation_kelvin**2
            + self.aged * decades
        )


@dataclass(frozen=True)
class Branches:
    """The true branches, (rows, columns, branches), with their switch set closed and set open."""

    closed: Conductances
    open: Conductances

    @property
    def closed_siemens(self) -> Floats:
        """(rows, columns, branches): switch closed, at the reference temperature, new, S."""
        return self.closed.siemens

    @property
    def open_siemens(self) -> Floats:
        """(rows, columns, branches): switch open, the leakage, S."""
        return self.open.siemens


def nominal_ohms(population: Population, branches: int) -> Floats:
    """Return the nominal resistance of each branch of a crosspoint (branches,), Ω.

    These are the values that the population lists, if it lists any. Otherwise they are
    `base_ohms · 10^(decades · k / branches)` for k = 0 … branches − 1: steps of equal ratio, so
    that the subset sums of a crosspoint leave no gaps while the largest resistor stays far from the
    leakage of the switches. With a series, each is replaced by the nearest preferred value (in
    ratio): the steps of IEC 60063, 10^(m/n) rounded to two digits (three from E48 on), with the
    standard's own exceptions up to E24.
    """
    if population.nominal_ohms:
        return np.array(population.nominal_ohms)
    steps = np.arange(branches) / branches
    ohms: Floats = population.base_ohms * 10.0 ** (population.decades * steps)
    if population.series == "none":
        return ohms
    values = preferred_values(population.series)
    decade = 10.0 ** np.floor(np.log10(ohms))
    offered = decade[:, None] * np.append(values, 10.0)
    nearest = np.abs(np.log(offered / ohms[:, None])).argmin(axis=1)
    return np.asarray(offered[np.arange(branches), nearest])


def preferred_values(series: str) -> Floats:
    """Return the preferred numbers of an E series from 1 up to 10, as IEC 60063 lists them."""
    count = int(series.removeprefix("E"))
    if count > 24:
        return np.asarray(np.round(10.0 ** (np.arange(count) / count), 2))
    values = np.round(10.0 ** (np.arange(24) / 24), 1)
    # The standard keeps these eight values, which are older than its rule.
    history = {2.6: 2.7, 2.9: 3.0, 3.2: 3.3, 3.5: 3.6, 3.8: 3.9, 4.2: 4.3, 4.6: 4.7, 8.3: 8.2}
    values = np.array([history.get(float(value), float(value)) for value in values])
    return values[:: 24 // count]


def draw_branches(preset: Preset, seed: int) -> Branches:
    """Draw all branches of a board: `R = nominal · (1 + tolerance)` in series with `R_on`.

    `R_on` is uniform on ±`on_spread` around its nominal. An open switch is `off_ohms` in series
    with the resistor. TCR is uniform on ±`tcr_spread_per_kelvin` around its nominal, ageing normal
    with standard deviation `ageing_per_decade`. Defects are fractions of all branches, at most one
    per branch: *open* never conducts, *short* is a resistor of 0 Ω behind a working switch, *stuck
    on* and *stuck off* are switches that do not move.
    """
    shape = preset.shape.rows, preset.shape.columns, preset.shape.branches
    population, switches = preset.population, preset.switches
    ohms = nominal_ohms(population, shape[2]) * _deviations(population, shape, seed)
    on_ohms = switches.on_ohms * (
        1 + switches.on_spread * random_stream(seed, "switch resistance").uniform(-1, 1, shape)
    )
    tcr = population.tcr_per_kelvin + population.tcr_spread_per_kelvin * random_stream(
        seed, "temperature coefficient"
    ).uniform(-1, 1, shape)
    ageing = population.ageing_per_decade * random_stream(seed, "ageing").standard_normal(shape)

    defects = preset.defects
    lot = random_stream(seed, "defects").random(shape)
    edges = np.cumsum([defects.open, defects.short, defects.stuck_on, defects.stuck_off])
    kind = np.searchsorted(edges, lot, side="right")
    is_open, is_short, is_stuck_on, is_stuck_off = (kind == i for i in range(4))

    ohms = np.where(is_short, 0.0, ohms)
    closed = closed_branches(ohms, on_ohms, tcr, ageing, preset)
    opened = open_branches(ohms, preset)
    nothing = choose(is_open, scaled(closed, 0.0), closed)
    return Branches(
        closed=choose(is_stuck_off, opened, nothing),
        open=choose(is_open, scaled(opened, 0.0), choose(is_stuck_on, closed, opened)),
    )


def _deviations(population: Population, shape: tuple[int, int, int], seed: int) -> Floats:
    """Return factors `1 + deviation`: one share common to the batch, the rest per branch.

    `tolerance` is the limit of the uniform distribution, three standard deviations of the normal
    and of the lognormal one. A batch is all branches of one nominal value.
    """
    own, batch = random_stream(seed, "resistor tolerance"), random_stream(seed, "resistor batch")
    share = population.batch_share
    if population.distribution == "uniform":
        drawn = (1 - share) * own.uniform(-1, 1, shape) + share * batch.uniform(-1, 1, shape[2])
        return np.asarray(1 + population.tolerance * drawn)
    normal = np.sqrt(1 - share**2) * own.standard_normal(shape) + share * batch.standard_normal(
        shape[2]
    )
    sigma = population.tolerance / 3
    if population.distribution == "lognormal":
        return np.asarray(np.exp(sigma * normal))
    return np.asarray(1 + np.clip(sigma * normal, -MAX_SHORTFALL, None))


def closed_branches(
    ohms: Floats, on_ohms: Floats, tcr: Floats, ageing: Floats, preset: Preset
) -> Conductances:
    """Return branches of a resistor in series with a closed switch, with their coefficients."""
    total = ohms + on_ohms
    per_kelvin = ohms * tcr + on_ohms * preset.switches.on_per_kelvin
    siemens = 1 / total
    first = -per_kelvin * siemens**2
    return Conductances(
        siemens=siemens,
        first=first,
        second=per_kelvin**2 * siemens**3,
        aged=-ohms * ageing * siemens**2,
        heating=first * preset.population.kelvin_per_watt * siemens,
        squared=(ohms * siemens**2) ** 2,
    )


def open_branches(ohms: Floats, preset: Preset) -> Conductances:
    """Return branches with an open switch: leakage that neither drifts nor heats."""
    siemens = preset.switches.leakage / (ohms + preset.switches.off_ohms)
    nothing = np.zeros_like(siemens)
    return Conductances(siemens, nothing, nothing, nothing, nothing, nothing)


def choose(where: NDArray[np.bool_], if_true: Conductances, if_false: Conductances) -> Conductances:
    """Return the conductances `if_true` where `where` holds and `if_false` elsewhere."""
    return combine(lambda true, false: np.asarray(np.where(where, true, false)), if_true, if_false)


def scaled(conductances: Conductances, factor: float) -> Conductances:
    """Return conductances and their coefficients times a factor."""
    return combine(lambda values: values * factor, conductances)


def combine(function: Callable[..., Floats], *parts: Conductances) -> Conductances:
    """Return the conductances whose arrays a function makes of the parts' arrays."""
    return Conductances(
        **{
            field.name: function(*(getattr(part, field.name) for part in parts))
            for field in fields(Conductances)
        }
    )
