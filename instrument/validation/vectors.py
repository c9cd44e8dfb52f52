"""Kinds of input vectors that a programmed matrix is tested with, beside the job's own.

All of them stay within the full scale that the matrix was programmed for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from instrument.matrix import TiledMatrix

UNIFORM_VECTORS = 256
SPARSE_VECTORS = 64
SPARSE_SHARE = 0.1
"""Share of the rows that a sparse vector drives, at least one row."""


@dataclass(frozen=True)
class Vectors:
    """Input vectors of one kind."""

    inputs: Floats
    """(vectors, rows)"""
    sampled: bool
    """Whether they are a sample of their kind; otherwise they are all of it."""


def uniform(program: TiledMatrix, random: np.random.Generator) -> Vectors:
    """Draw every input uniform within the full scale."""
    full_scale, rows = program.input_full_scale, len(program.weights)
    return Vectors(random.uniform(-full_scale, full_scale, (UNIFORM_VECTORS, rows)), sampled=True)


def sparse(program: TiledMatrix, random: np.random.Generator) -> Vectors:
    """Draw vectors that drive one row in ten, uniform within the full scale."""
    full_scale, rows = program.input_full_scale, len(program.weights)
    driven = max(1, round(SPARSE_SHARE * rows))
    order = random.permuted(np.tile(np.arange(rows), (SPARSE_VECTORS, 1)), axis=1)
    values = random.uniform(-full_scale, full_scale, (SPARSE_VECTORS, rows))
    return Vectors(np.where(order < driven, values, 0.0), sampled=True)


def one_hot(program: TiledMatrix) -> Vectors:
    """Return each row alone at full scale: the rows of the matrix, one after another."""
    return Vectors(program.input_full_scale * np.eye(len(program.weights)), sampled=False)


def largest_product_signs(program: TiledMatrix) -> Vectors:
    """Return, for each output, the vector of its largest product.

    xᵢ = ±full scale, with the sign of Wᵢⱼ. The pair's two columns then carry the most different
    currents that any input can cause.
    """
    return _signs(program, program.weights)


def largest_error_signs(program: TiledMatrix) -> Vectors:
    """Return, for each output, the vector of its largest linear error.

    xᵢ = ±full scale, with the sign of Eᵢⱼ. E is the measured minus the wanted transfer matrix. Of
    all x with |xᵢ| ≤ X, |Σᵢ xᵢ Eᵢⱼ| is largest, X·Σᵢ|Eᵢⱼ|, where every term has the same sign
    (Hölder's inequality).
    """
    return _signs(program, program.residual_weights)


def _signs(program: TiledMatrix, of: Floats) -> Vectors:
    full_scale = program.input_full_scale
    return Vectors(np.where(of.T < 0, -full_scale, full_scale), sampled=False)
