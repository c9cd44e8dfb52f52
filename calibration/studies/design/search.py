"""Search the nominal values of a design, and say with confidence what it will do.

Every heat of the search judges its candidates by a lot of pairs of its own, another lot decides
between the finalists and the rules of thumb, and one that neither has seen is for what is promised.
So no luck of the search is taken for quality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.studies.design.parts import MAX_BRANCHES, Lot, Parts, draw_lot, pair_bits
from calibration.studies.fits import quantile_gain_interval, quantile_interval, share_interval

Mapper = Callable[[Callable[[Floats], Floats], Iterable[Floats]], Iterable[Floats]]
"""Maps a function over candidates, results in their order; `map` is one."""
Values = tuple[float, ...]
Progress = Callable[[int, int], None]

FIRST_PAIRS = 16
"""Of the first heat; each later one judges half as many candidates by twice as many pairs."""
MIN_TAIL_PAIRS = 8
"""Pairs at least that a score is the mean of: fewer would be noise."""
PARENTS, CHILDREN = 12, 16
"""At least, and of a generation."""
DESCENDANTS = 32
"""Of a parent, where there are more candidates: a few parents alone would follow the luck of a lot
until they are all alike.
"""
FINALISTS = 6
DIFFERENCE = 0.7
"""Of two parents, that a child steps along: standard deviation."""
NUDGE = 0.01
"""Of a child beside that, as a share of the whole range of nominal values in their logarithm."""

MAX_CANDIDATES, MAX_PAIRS = 20_000, 20_000
CANDIDATES_OF_TWELVE, PAIRS_OF_TWELVE = 130, 550
COST_OF_A_BRANCH = 2.4
"""How much longer a pair takes with one branch more."""

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


def default_effort(branches: int) -> tuple[int, int]:
    """Return how many candidates to search, and by how many pairs to judge the best.

    They take about as long at every number of branches: under a minute on one core.
    """
    fewer = COST_OF_A_BRANCH ** (MAX_BRANCHES - branches)
    return (
        min(round(CANDIDATES_OF_TWELVE * fewer), MAX_CANDIDATES),
        min(round(PAIRS_OF_TWELVE * fewer), MAX_PAIRS),
    )


def search(
    parts: Parts, goal: Goal, *, candidates: int, seed: int, mapper: Mapper, progress: Progress
) -> Floats:
    """Return the best nominal values (branches,) of some `candidates`, ascending.

    Bits are a rugged function of the nominal values, and known by chance alone. So the search runs
    in heats, each judged by a fresh lot of twice as many pairs and with half as many candidates
    (successive halving, Karnin, Koren and Somekh 2013): broad while it is rough, exact once few are
    left. Half of the first heat are ladders, the rules of thumb among them; all others are children
    of the best of their heat by differential evolution (Storn and Price 1997). The finalists and
    the rules of thumb then meet over pairs that none of them has seen.
    """
    chance, judging, deciding = np.random.default_rng(np.random.SeedSequence(seed)).spawn(3)
    rules = list(rules_of_thumb(parts).values())
    first = max(candidates // 2, PARENTS)
    heats = (first // PARENTS).bit_length()
    total = sum((first >> heat) * (FIRST_PAIRS << heat) for heat in range(heats))
    judged = 0
    best = [*rules, *_ladders(parts, first // 2 - len(rules))]
    for heat in range(heats):
        count, pairs = first >> heat, FIRST_PAIRS << heat
        lot = draw_lot(parts, judging, pairs)
        tried: set[Values] = set()
        scores: dict[Values, float] = {}
        batch, left = best, count
        while batch:
            new = list(
                {tuple(values): values for values in batch if tuple(values) not in tried}.values()
            )
            tried |= set(map(tuple, new))
            scores |= zip(map(tuple, new), _scores(parts, goal, new, lot, mapper), strict=True)
            best = _best(scores, max(count // DESCENDANTS, PARENTS))
            scores = {tuple(values): scores[tuple(values)] for values in best}
            left -= len(batch)  # repeated ones count, or a small range would never be exhausted
            judged += len(batch) * pairs
            progress(judged, total)
            batch = [_child(parts, best, chance) for _ in range(min(CHILDREN, left))]
    finalists = [*best[:FINALISTS], *rules]
    lot = draw_lot(parts, deciding, FIRST_PAIRS << heats)
    return finalists[int(np.argmax(_scores(parts, goal, finalists, lot, mapper)))]


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
    all_bits = mapper(lambda values: pair_bits(parts, values, lot), list(nominal_ohms.values()))
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
    """Return for each candidate the bits that the wanted share of pairs reaches, estimated.

    They are the mean of the worst e·(1 − share) of all pairs if the tail of bits is exponential,
    and that varies less than the one pair at the quantile.
    """
    worst = max(round(np.e * (1 - goal.share) * len(lot.factor)), MIN_TAIL_PAIRS)
    all_bits = mapper(lambda values: pair_bits(parts, values, lot), candidates)
    return [float(np.sort(bits)[:worst].mean()) for bits in all_bits]


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


def _child(parts: Parts, parents: Sequence[Floats], chance: np.random.Generator) -> Floats:
    """Return one of the parents, moved along the difference of two.

    Differences are as long as the parents lie apart, and along what they leave undecided. One value
    is nudged on its own, by a Cauchy deviate: seldom far, but far enough for any E series.
    """
    range_of_logs = np.log(parts.largest_ratio) or 1.0
    start, towards, away = (
        np.log(parents[k] / parts.smallest_ohms) for k in chance.integers(len(parents), size=3)
    )
    moved = start + DIFFERENCE * chance.standard_normal() * (towards - away)
    moved[chance.integers(parts.branches)] += NUDGE * chance.standard_cauchy() * range_of_logs
    return _at(parts, moved / range_of_logs)


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


def _best(scores: dict[Values, float], count: int) -> list[Floats]:
    ordered = sorted(scores, key=lambda values: (-scores[values], values))
    return [np.array(values) for values in ordered[:count]]
