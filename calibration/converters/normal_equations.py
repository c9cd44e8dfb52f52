"""The normal equations of the converters' curves, solved row by row and column by column.

A column shares equations only with the few rows that meet in it. So the columns' unknowns are
eliminated one column at a time (Schur complement), the rows' unknowns are solved for, and the
columns' unknowns follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor
from scipy.linalg.lapack import dpotri

from calibration.arrays import Bools, Floats

MAX_LEARNT_RATIO = 0.5
"""Posterior over prior standard deviation below which a channel counts as learnt."""


MIN_NOISE_RATIO = 1e-3
"""Minimum noise over the class's: the priors then keep a weight that can be computed with."""


@dataclass(frozen=True)
class Block:
    """The equations of one block, with the lines projected out."""

    rows_of_column: NDArray[np.int_]
    """(columns, meeting)"""
    unknowns: Floats
    """(columns, vectors, unknowns): factors of the coefficients, of each meeting row in turn and
    then of the column; zero in blocks that are not kept.
    """
    amperes: Floats
    """(columns, vectors)"""
    siemens: Floats
    """(columns, meeting)"""
    freedom: int
    """Degrees of freedom of the block, summed over its columns."""
    row_terms: int

    def own(self, place: int) -> slice:
        """Return the slice of the unknowns of the meeting row at `place`."""
        return slice(place * self.row_terms, (place + 1) * self.row_terms)

    @property
    def shared(self) -> slice:
        """The slice of the unknowns of the column."""
        return slice(self.rows_of_column.shape[1] * self.row_terms, None)


@dataclass(frozen=True)
class Priors:
    """Prior standard deviation of every coefficient; the prior mean is zero."""

    row: float
    column: float


@dataclass(frozen=True)
class Normal:
    """Normal equations, summed over all blocks, with the priors."""

    row_row: Floats
    """(rows, rows, terms, terms)"""
    row_side: Floats
    """(rows, terms)"""
    column_column: Floats
    """(columns, terms, terms)"""
    column_side: Floats
    """(columns, terms)"""
    rows_met: list[NDArray[np.int_]]
    """For each column, the rows that met in it."""
    row_column: list[Floats]
    """For each column, (rows met · terms, terms)."""


@dataclass(frozen=True)
class Solution:
    """Coefficients of all channels, and the parts of their covariance."""

    row_coefficients: Floats
    """(rows, terms)"""
    row_covariance: Floats
    """(rows, terms, terms)"""
    column_coefficients: Floats
    column_covariance: Floats
    residuals: Floats
    """(blocks, columns, vectors)"""
    reading_amperes: float
    """Standard deviation of a reading."""
    normal: Normal
    row_inverse: Floats
    """(rows, rows, terms, terms): inverse of the rows' equations with the columns' unknowns
    eliminated.
    """
    column_inverse: Floats
    """(columns, terms, terms): inverse of the columns' equations at given coefficients of the rows.
    """
    row_learnt: Bools
    """(rows,): the channels that are better known than by their prior."""
    column_learnt: Bools


def solve(blocks: list[Block], rows: int, priors: Priors, noise_amperes: float) -> Solution:
    """Return the least squares solution of blocks, with its covariance (JCGM 100:2008, H.3).

    `noise_amperes`, the expected standard deviation of a reading, sets the weight of the priors.
    """
    normal = _normal(blocks, rows, priors, noise_amperes)
    column_inverse: Floats = np.asarray(np.linalg.inv(normal.column_column), np.float64)
    row_inverse, row_coefficients = _solve_rows(normal, column_inverse)
    column_coefficients, column_scale = (
        np.empty_like(normal.column_side),
        np.empty_like(column_inverse),
    )
    for column, (inverse, side, link, met) in enumerate(
        zip(column_inverse, normal.column_side, normal.row_column, normal.rows_met, strict=True)
    ):
        through = inverse @ link.T
        column_coefficients[column] = inverse @ side - through @ row_coefficients[met].ravel()
        rows_met_inverse = _matrix(row_inverse[met[:, None], met])
        column_scale[column] = inverse + through @ rows_met_inverse @ through.T
    residuals = np.stack(
        [_residuals(block, row_coefficients, column_coefficients) for block in blocks]
    )
    row_scale = row_inverse[np.arange(rows), np.arange(rows)]
    row_learnt = _learnt(row_scale, noise_amperes, priors.row)
    column_learnt = _learnt(column_scale, noise_amperes, priors.column)
    unknowns = row_coefficients[row_learnt].size + column_coefficients[column_learnt].size
    freedom = max(sum(block.freedom for block in blocks) - unknowns, 1)
    variance = float((residuals**2).sum()) / freedom
    # A board without noise leaves no residual; its covariance must still be invertible.
    variance = max(variance, (MIN_NOISE_RATIO * noise_amperes) ** 2)
    return Solution(
        row_coefficients=row_coefficients,
        row_covariance=row_scale * variance,
        column_coefficients=column_coefficients,
        column_covariance=column_scale * variance,
        residuals=residuals,
        reading_amperes=float(np.sqrt(variance)),
        normal=normal,
        row_inverse=row_inverse,
        column_inverse=column_inverse,
        row_learnt=row_learnt,
        column_learnt=column_learnt,
    )


def with_vectors_as_clusters(solution: Solution, blocks: list[Block]) -> Solution:
    """Return a solution whose covariance allows for common errors of the readings of one vector.

    Readings of a vector err together through the noise of a DAC that several columns see, or
    through the temperature. The covariance is multiplied by one factor for all rows and one for all
    columns, at least 1: the ratio of the sandwich estimator with a cluster for each vector (Liang &
    Zeger 1986) to it, as the mean over the learnt channels.
    """
    row_pull, column_pull = _pulls(blocks, solution)
    readings = sum(int((block.amperes != 0).sum()) for block in blocks)
    # The variance of the residuals is below that of the readings, because unknowns were fitted.
    left = float((solution.residuals**2).sum()) / max(readings, 1)

    def factor(pull: Floats, covariance: Floats, learnt: Bools) -> float:
        if not learnt.any() or not left:
            return 1.0
        together = (pull**2).sum(axis=(0, 2))[learnt] / left
        alone = np.trace(covariance, axis1=1, axis2=2)[learnt] / solution.reading_amperes**2
        return max(1.0, float((together / alone).mean()))

    return replace(
        solution,
        row_covariance=solution.row_covariance
        * factor(row_pull, solution.row_covariance, solution.row_learnt),
        column_covariance=solution.column_covariance
        * factor(column_pull, solution.column_covariance, solution.column_learnt),
    )


def _normal(blocks: list[Block], rows: int, priors: Priors, noise_amperes: float) -> Normal:
    """Sum the normal equations over all blocks."""
    columns, meeting = blocks[0].rows_of_column.shape
    row_terms = blocks[0].row_terms
    column_terms = blocks[0].unknowns.shape[2] - meeting * row_terms
    every_row, every_column = np.arange(rows), np.arange(columns)
    row_row = np.zeros((rows, rows, row_terms, row_terms))
    row_row[every_row, every_row] = (noise_amperes / priors.row) ** 2 * np.eye(row_terms)
    row_column = np.zeros((columns, rows, row_terms, column_terms))
    column_column = np.zeros((columns, column_terms, column_terms))
    column_column += (noise_amperes / priors.column) ** 2 * np.eye(column_terms)
    row_side = np.zeros((rows, row_terms))
    column_side = np.zeros((columns, column_terms))
    for block in blocks:
        transposed = np.swapaxes(block.unknowns, 1, 2)
        square = transposed @ block.unknowns
        side = (transposed @ block.amperes[..., None])[..., 0]
        places = [(block.rows_of_column[:, place], block.own(place)) for place in range(meeting)]
        for (row, own), (other_row, other) in product(places, repeat=2):
            np.add.at(row_row, (row, other_row), square[:, own, other])
        for row, own in places:
            np.add.at(row_side, row, side[:, own])
            row_column[every_column, row] += square[:, own, block.shared]
        column_column += square[:, block.shared, block.shared]
        column_side += side[:, block.shared]
    met = [
        np.unique([block.rows_of_column[column] for block in blocks]) for column in range(columns)
    ]
    links = [row_column[column, met[column]].reshape(-1, column_terms) for column in range(columns)]
    return Normal(row_row, row_side, column_column, column_side, met, links)


def _solve_rows(normal: Normal, own: Floats) -> tuple[Floats, Floats]:
    """Return the inverse of the rows' reduced equations, and the rows' coefficients.

    The inverse is (rows, rows, terms, terms), with the columns' unknowns eliminated; the
    coefficients are (rows, terms).
    """
    reduced, side = normal.row_row.copy(), normal.row_side.copy()
    for met, link, inverse, of_column in zip(
        normal.rows_met, normal.row_column, own, normal.column_side, strict=True
    ):
        shape = len(met), side.shape[1]
        passed = (link @ inverse @ link.T).reshape(*shape, *shape).swapaxes(1, 2)
        reduced[met[:, None], met] -= passed
        side[met] -= (link @ (inverse @ of_column)).reshape(shape)
    factor, lower = cho_factor(_matrix(reduced), overwrite_a=True)
    triangle = dpotri(factor, lower=lower, overwrite_c=True)[0]
    solved = np.triu(triangle) + np.triu(triangle, 1).T
    coefficients = (solved @ side.ravel()).reshape(side.shape)
    return solved.reshape(*side.shape, *side.shape).swapaxes(1, 2), coefficients


def _matrix(blocks: Floats) -> Floats:
    """Return (rows, rows, terms, terms) as one matrix (rows · terms, rows · terms)."""
    rows, _, terms, _ = blocks.shape
    return blocks.swapaxes(1, 2).reshape(rows * terms, rows * terms)


def _residuals(block: Block, row_coefficients: Floats, column_coefficients: Floats) -> Floats:
    """Return the residuals of a block's readings (columns, vectors)."""
    columns = len(column_coefficients)
    of_rows = row_coefficients[block.rows_of_column].reshape(columns, -1)
    coefficients = np.concatenate([of_rows, column_coefficients], axis=1)
    return np.asarray(block.amperes - (block.unknowns @ coefficients[..., None])[..., 0])


def _learnt(scale: Floats, noise_amperes: float, prior: float) -> Bools:
    """Return which channels are better known than by their prior."""
    mean = np.diagonal(scale, axis1=1, axis2=2).mean(axis=1)
    return np.asarray(noise_amperes**2 * mean < (MAX_LEARNT_RATIO * prior) ** 2)


def _pulls(blocks: list[Block], solution: Solution) -> tuple[Floats, Floats]:
    """Return the pull of each vector's residuals on the coefficients of rows and of columns.

    Both are (vectors of all blocks, channels, terms).
    """
    normal, own = solution.normal, solution.column_inverse
    rows, row_terms = normal.row_side.shape
    of_rows, of_columns = [], []
    for block, left in zip(blocks, solution.residuals, strict=True):
        scores = block.unknowns * left[..., None]  # (columns, vectors, unknowns)
        of_row = np.zeros((rows, scores.shape[1], row_terms))
        for place in range(block.rows_of_column.shape[1]):
            np.add.at(of_row, block.rows_of_column[:, place], scores[..., block.own(place)])
        of_rows.append(of_row)
        of_columns.append(scores[..., block.shared])
    row_scores = np.moveaxis(np.concatenate(of_rows, axis=1), 1, 0)
    column_scores = np.moveaxis(np.concatenate(of_columns, axis=1), 1, 0)
    vectors = len(row_scores)
    for column, (met, link, inverse) in enumerate(
        zip(normal.rows_met, normal.row_column, own, strict=True)
    ):
        passed = column_scores[:, column] @ (link @ inverse).T
        row_scores[:, met] -= passed.reshape(vectors, len(met), row_terms)
    row_pull = row_scores.reshape(vectors, -1) @ _matrix(solution.row_inverse)
    row_pull = row_pull.reshape(row_scores.shape)
    column_pull = np.empty_like(column_scores)
    for column, (met, link, inverse) in enumerate(
        zip(normal.rows_met, normal.row_column, own, strict=True)
    ):
        through_rows = row_pull[:, met].reshape(vectors, -1) @ link
        column_pull[:, column] = (column_scores[:, column] - through_rows) @ inverse
    return row_pull, column_pull
