"""Search the nominal values of a design, and say with confidence what it will do.

Three lots of pairs, each with chance of its own: one that the search looks at, one that decides
between the best it found, and one that neither has seen, for what is promised. So no luck of the
search is taken for quality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.studies.design import Lot, Parts, draw_lot, pair_bits
from calibration.studies.fits import quantile_gain_interval, quantile_interval, share_interval

Floats = NDArray[np.float64]
Mapper = Callable[[Callable[[Floats], Floats], Iterable[Floats]], Iterable[Floats]]
"""Maps a function over candidates, results in their order; `map` is one."""
Progress = Callable[[int, int], None]

SEARCHED_PAIRS, DECIDING_PAIRS = 128, 512
FINALISTS = 6
LEAST_TAIL = 8
"""Pairs at least that a score is the mean of: fewer would be noise."""
PARENTS, CHILDREN = 6, 16
FIRST_STEP, LAST_STEP = 0.12, 0.015
"""Of a mutation, as a share of the whole range of nominal values in their logarithm."""
MUTATED = 0.4
"""Share of the values that a mutation moves."""

OURS = "searched"


@dataclass(frozen=True)
class Expected:
    """What a set of nominal values will do, by pairs that had no part in choosing it."""

    name: str
    nominal_ohms: Floats
    bits: Floats
    """(pairs,): bits of each pair at its worst target."""
    good_share: float
    """Of pairs that reach the wanted bits."""
    good_share_interval: tuple[float, float]
    yielded_bits: float
    """That the wanted share of pairs reaches."""
    yielded_bits_interval: tuple[float, float]


@dataclass(frozen=True)
class Gain:
    """Bits that one set of values has more than another at the wanted yield, by the same pairs."""

    bits: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Goal:
    """Bits at the worst target, and the share of pairs that shall reach them."""

    bits: float
    share: float


def rules_of_thumb(parts: Parts) -> dict[str, Floats]:
    """Return nominal values (branches,) by name, that one would take without a search."""
    steps = np.arange(parts.branches)
    longest = parts.largest_ratio ** (1 / max(parts.branches - 1, 1))
    radix = min(2 / (1 + parts.tolerance), longest)
    ladders = {
        "equal nominals": np.ones(parts.branches),
        "one decade": min(10.0, parts.largest_ratio) ** (steps / parts.branches),
        "gap-free radix": radix**steps,
    }
    return {name: _buyable(parts, parts.smallest_ohms * ladder) for name, ladder in ladders.items()}


def search(
    parts: Parts, goal: Goal, *, candidates: int, seed: int, mapper: Mapper, progress: Progress
) -> Floats:
    """Return the best nominal values (branches,) of some `candidates`, ascending.

    The first third are ladders, the rules of thumb among them; from the best on, an evolution
    strategy whose steps shrink (Rechenberg 1973: (μ + λ), λ children of μ parents, the best μ of
    all kept). The finalists and the rules of thumb then meet over fresh pairs.
    """
    chance, searched, deciding = np.random.default_rng(np.random.SeedSequence(seed)).spawn(3)
    lot = draw_lot(parts, searched, SEARCHED_PAIRS)
    tried: dict[tuple[float, ...], float] = {}
    rules = list(rules_of_thumb(parts).values())
    batch = [*rules, *_ladders(parts, max(candidates // 3 - len(rules), 0))]
    spent = 0
    while batch:
        new = list({tuple(one): one for one in batch if tuple(one) not in tried}.values())
        tried |= zip(map(tuple, new), _scores(parts, goal, new, lot, mapper), strict=True)
        spent += len(batch)  # repeated ones count, or a small range would never be exhausted
        progress(min(spent, candidates), candidates)
        step = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** min(spent / candidates, 1)
        parents = _best(tried, PARENTS)
        left = min(CHILDREN, candidates - spent)
        batch = [_child(parts, parents, step, chance) for _ in range(left)]
    finalists = [*_best(tried, FINALISTS), *rules]
    scores = _scores(parts, goal, finalists, draw_lot(parts, deciding, DECIDING_PAIRS), mapper)
    return finalists[int(np.argmax(scores))]


def expect(
    parts: Parts,
    goal: Goal,
    nominal_ohms: dict[str, Floats],
    *,
    pairs: int,
    seed: int,
    mapper: Mapper,
) -> list[Expected]:
    """Return what each set of nominal values will do, all by the same `pairs` new pairs."""
    # A key of its own: no stream of the search begins like this one.
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1000,)))
    lot = draw_lot(parts, generator, pairs)
    all_bits = mapper(lambda one: pair_bits(parts, one, lot), list(nominal_ohms.values()))
    return [
        _expected(name, values, bits, goal)
        for (name, values), bits in zip(nominal_ohms.items(), all_bits, strict=True)
    ]


def gain(ours: Expected, other: Expected, goal: Goal, *, seed: int) -> Gain:
    """Return what `ours` has more than `other`, both of one call of `expect`."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1001,)))
    return Gain(
        ours.yielded_bits - other.yielded_bits,
        quantile_gain_interval(ours.bits, other.bits, 1 - goal.share, generator),
    )


def _expected(name: str, nominal_ohms: Floats, bits: Floats, goal: Goal) -> Expected:
    good = int((bits >= goal.bits).sum())
    return Expected(
        name,
        nominal_ohms,
        bits,
        good / bits.size,
        share_interval(good, bits.size),
        float(np.quantile(bits, 1 - goal.share)),
        quantile_interval(bits, 1 - goal.share),
    )


def _scores(
    parts: Parts, goal: Goal, candidates: Sequence[Floats], lot: Lot, mapper: Mapper
) -> list[float]:
    """Return the mean bits of the worst pairs, those that the goal gives up, for each candidate."""
    worst = max(round((1 - goal.share) * len(lot.factor)), LEAST_TAIL)
    every = mapper(lambda one: pair_bits(parts, one, lot), candidates)
    return [float(np.sort(bits)[:worst].mean()) for bits in every]


def _ladders(parts: Parts, count: int) -> list[Floats]:
    """Return ladders of different spans and curvatures, evenly over both."""
    spans = max(round(np.sqrt(count)), 1)
    curves = max(count // spans, 1)
    steps = np.linspace(0, 1, parts.branches)
    ladders = [
        _at(parts, span * steps**curve)
        for span in np.linspace(1, 0.2, spans)
        for curve in np.geomspace(0.4, 2.5, curves)
    ]
    return ladders[:count]


def _child(
    parts: Parts, parents: Sequence[Floats], step: float, chance: np.random.Generator
) -> Floats:
    range_of_logs = np.log(parts.largest_ratio) or 1.0
    parent = parents[int(chance.integers(len(parents)))]
    place = np.log(parent / parts.smallest_ohms) / range_of_logs
    moved = chance.random(parts.branches) < MUTATED
    moved[chance.integers(parts.branches)] = True
    return _at(parts, place + moved * chance.normal(0, step, parts.branches))


def _at(parts: Parts, place: Floats) -> Floats:
    """Return nominal values at places between 0, the smallest, and 1, the largest allowed."""
    within = np.sort(np.clip(place, 0, 1))
    return _buyable(parts, parts.smallest_ohms * parts.largest_ratio**within)


def _buyable(parts: Parts, ohms: Floats) -> Floats:
    """Return the nearest values, in ratio, that are offered; else values of four digits."""
    if parts.offered_ohms is None:
        digits = np.array([float(f"{value:.3e}") for value in ohms])
        largest = parts.smallest_ohms * parts.largest_ratio
        return np.asarray(np.clip(digits, parts.smallest_ohms, largest))
    distance = np.abs(np.log(parts.offered_ohms / ohms[:, None]))
    return np.asarray(parts.offered_ohms[distance.argmin(axis=1)])


def _best(tried: dict[tuple[float, ...], float], count: int) -> list[Floats]:
    ordered = sorted(tried, key=lambda values: (-tried[values], values))
    return [np.array(values) for values in ordered[:count]]
