"""Measurement designs as data: which branches of a crosspoint each probe closes.

A crosspoint has 1 + B unknowns θ: its conductance with every switch open, and what each branch
adds. A point of a design closes a group of branches and reads `x·θ`, `x = (1, group)`. Every point
is read with both polarities, which makes one half difference (I₊ − I₋)/2V. `plan` predicts the cost
of a design and the uncertainty of θ.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools, Floats


@dataclass(frozen=True)
class Design:
    """A sequence of probes, the same for every row."""

    name: str
    groups: Bools
    """(points, branches): what each point closes; a group may occur more than once."""

    @property
    def matrix(self) -> Floats:
        """(points, 1 + branches): the matrix that gives the readings of the points from θ."""
        return np.column_stack([np.ones(len(self.groups)), self.groups])

    @property
    def scannable(self) -> bool:
        """Whether no point closes more than one branch, so that a stored scan can read it."""
        return bool((self.groups.sum(axis=1) <= 1).all())


def one_at_a_time(branches: int, opens: int = 1) -> Design:
    """Return the design that closes each branch alone, and reads the open crosspoint `opens` times.

    The open crosspoint enters every difference. Read √branches times as often as a branch, it makes
    the best division of a given number of readings between a control and the treatments compared
    with it (Dunnett 1955). Its points are spread evenly among the others.
    """
    blocks = np.array_split(np.eye(branches, dtype=bool), max(1, opens - 1))
    opened = np.zeros((1, branches), dtype=bool)
    parts = [part for block in blocks for part in (opened, block)]
    name = "one at a time" if opens == 1 else f"one at a time, {opens} open"
    return Design(name, np.concatenate(parts if opens == 1 else [*parts, opened]))


def s_matrix_groups(branches: int) -> Design:
    """Return the design that closes about half of the branches at a time, by an S-matrix.

    One more point closes no branch. The S-matrix of order n ≥ branches comes from a Hadamard matrix
    of order n + 1. Alone it estimates each unknown with variance 4n/(n + 1)² of a reading's (Harwit
    & Sloane, Hadamard Transform Optics, 1979, chapter 3).
    """
    groups = s_matrix(branches)[:, :branches]
    opened = np.zeros((1, branches), dtype=bool)
    return Design("S-matrix groups", np.concatenate([opened, groups.astype(bool)]))


def weighted(design: Design, repeats: NDArray[np.int_]) -> Design:
    """Return a design with each point repeated (points,) times.

    The repeats of a point are at equal distances in the sequence, so that a drift affects all
    points alike.
    """
    repeats = np.asarray(repeats)
    index = np.repeat(np.arange(len(repeats)), repeats)
    which = np.concatenate([np.arange(count) for count in repeats])
    # A point with two or more repeats stands at the beginning and at the end.
    place = np.where(repeats[index] > 1, which / np.maximum(repeats[index] - 1, 1), np.nan)
    alone = np.isnan(place)
    place[alone] = (np.arange(alone.sum()) + 0.5) / max(1, alone.sum())
    return Design(f"weighted {design.name}", design.groups[index[np.argsort(place, kind="stable")]])


def s_matrix(min_order: int) -> NDArray[np.int_]:
    """Return an S-matrix (0 and 1) of the smallest constructible order ≥ `min_order`.

    Its inverse is 2/(n + 1) · (2Sᵀ − J).
    """
    matrix = hadamard(min_order + 1)
    return (1 - matrix[1:, 1:]) // 2


def hadamard(min_order: int) -> NDArray[np.int_]:
    """Return a normalized Hadamard matrix of the smallest constructible order ≥ `min_order`.

    Its first row and column are all +1. The constructions are doubling (Sylvester 1867) and primes
    p ≡ 3 mod 4 (Paley 1933). Up to 64 they lack the orders 28, 36, 52 and 56; the next order serves
    in their place.
    """
    order = min_order
    while (matrix := _hadamard_of(order)) is None:
        order += 1
    matrix = matrix * matrix[0]
    return np.asarray(matrix * matrix[:, :1])


def _hadamard_of(order: int) -> NDArray[np.int_] | None:
    """Return a Hadamard matrix of exactly this order, None where the constructions give none."""
    if order == 1:
        return np.ones((1, 1), dtype=np.int_)
    prime = order - 1
    if prime % 4 == 3 and all(prime % divisor for divisor in range(2, isqrt(prime) + 1)):
        character = np.full(prime, -1)
        character[np.arange(1, prime) ** 2 % prime] = 1
        character[0] = 0
        jacobsthal = character[np.subtract.outer(np.arange(prime), np.arange(prime)) % prime]
        skew = np.block(
            [
                [np.zeros((1, 1), int), np.ones((1, prime), int)],
                [-np.ones((prime, 1), int), jacobsthal],
            ]
        )
        return np.asarray(skew + np.eye(order, dtype=np.int_))
    half = _hadamard_of(order // 2) if order % 2 == 0 else None
    return None if half is None else np.block([[half, half], [half, -half]])
