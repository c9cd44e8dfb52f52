"""Predicted error of a programmed matrix: of all outputs, of each output, and of each tile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.budget import Budget, Products, budget_of_squares, predict_squares, products_of
from calibration.crossbar import Moment
from calibration.temperature import Warming
from instrument.board_calibration import Calibration
from instrument.matrix import ProgrammedTile, TiledMatrix


@dataclass(frozen=True)
class Budgets:
    """Predicted errors of products, relative to the products."""

    whole: Budget
    """Budget of all outputs together."""
    output_relative_error: Floats
    """(outputs,): predicted relative error of each output, relative to its own products; NaN where
    these are all zero.
    """
    tiles: tuple[Budget, ...]
    """Budget of each tile's partial products."""


def budgets_of(
    program: TiledMatrix,
    calibration: Calibration,
    inputs: Floats,
    moments: Sequence[Moment],
) -> Budgets:
    """Return the budgets of the products of inputs (vectors, rows).

    `moments` are the board's seconds and kelvin before the first batch, after each batch and so
    after the last, equally many for each tile. Currents of an output are divided by its scale, as
    in products. Errors of different tiles are taken as independent, so that their squares add up;
    the effect of the board's temperature is common to them and is added by `_beyond_independent`.
    Lost outputs do not count.
    """
    board = program.board
    survey = calibration.noise.read_with(board.aperture_seconds, board.delay_seconds)
    batches_per_tile = (len(moments) - 1) // len(program.tiles)
    squares: dict[str, Floats] = defaultdict(lambda: np.zeros(len(program.lost)))
    all_products, budgets = [], []
    for index, part in enumerate(program.tiles):
        first = index * batches_per_tile
        own_moments = moments[first : first + batches_per_tile + 1]
        products = products_of(
            part.matrix.programmed,
            calibration.branches,
            calibration.converters,
            survey,
            inputs[:, part.tile.of_rows] * program.volts_per_unit,
            own_moments,
            watched_at=own_moments[0] if len(program.tiles) > 1 else None,
        )
        stated = ~part.matrix.programmed.lost
        own = {
            cause: np.where(stated, square / part.matrix.programmed.targets.scale_siemens**2, 0.0)
            for cause, square in predict_squares(products, survey).items()
        }
        for cause, square in own.items():
            squares[cause][part.tile.of_outputs] += square
        all_products.append(products)
        wanted = _unscaled(part, products.asked_amperes)
        budgets.append(_over_outputs(own, _square_sums(wanted)))
    squares["temperature"] += _beyond_independent(program, all_products, survey.warming)
    wanted = program.sum_of(
        [
            _unscaled(part, products.asked_amperes)
            for part, products in zip(program.tiles, all_products, strict=True)
        ]
    )
    stated = ~program.lost
    squares = {cause: np.where(stated, square, 0.0) for cause, square in squares.items()}
    whole = _square_sums(wanted)
    return Budgets(
        whole=_over_outputs(squares, whole),
        output_relative_error=np.sqrt(sum(squares.values()) / np.where(whole > 0, whole, np.nan)),
        tiles=tuple(budgets),
    )


def _beyond_independent(
    program: TiledMatrix, products: Sequence[Products], warming: Warming
) -> Floats:
    """Return the square error (outputs,) by temperature beyond that of independent tiles.

    When the temperature moves, all partial products grow or shrink together, and those read by the
    same column do so once more. κ is by how much the board is warmer than when a tile was last
    watched, as its thermometer shows, α the gain per kelvin, y the partial products. The common
    part is then α²(‖Σ κy‖² − Σ ‖κy‖²). The part of the columns has the same form, for a column's
    currents and for the temperature since its tile was measured.
    """
    common = warming.gain_per_kelvin
    currents = [
        part.driven_lower[:, None] * (part.row_volts @ part.transfer_siemens) for part in products
    ]
    columns = warming.column_square.expected
    together = (
        (
            common.value**2 + common.uncertainty**2,
            [part.asked_amperes * part.watched_warmer_kelvin[:, None] for part in products],
        ),
        *(
            (
                columns,
                [
                    amperes[:, side::2] * part.warmer_kelvin[:, None]
                    for amperes, part in zip(currents, products, strict=True)
                ],
            )
            for side in (0, 1)
        ),
    )
    beyond = np.zeros(len(program.lost))
    for square_per_kelvin, moved in together:
        parts = [_unscaled(part, own) for part, own in zip(program.tiles, moved, strict=True)]
        beyond += square_per_kelvin * _square_sums(program.sum_of(parts))
        for part, own in zip(program.tiles, parts, strict=True):
            beyond[part.tile.of_outputs] -= square_per_kelvin * _square_sums(own)
    return beyond


def _unscaled(part: ProgrammedTile, amperes: Floats) -> Floats:
    """Return currents (vectors, outputs of the tile) over the scales of their outputs.

    Lost outputs give 0.
    """
    programmed = part.matrix.programmed
    return np.where(programmed.lost, 0.0, amperes / programmed.targets.scale_siemens)


def _over_outputs(squares: dict[str, Floats], whole: Floats) -> Budget:
    """Return the budget over all outputs of square errors (outputs,) by cause."""
    sums = {cause: float(square.sum()) for cause, square in squares.items()}
    return budget_of_squares(sums, float(whole.sum()))


def _square_sums(values: Floats) -> Floats:
    """Return the sum of squares over the vectors, (outputs,)."""
    return np.asarray((values**2).sum(axis=0))
