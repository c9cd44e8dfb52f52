"""The error budget of a programmed matrix: put together, written down, read again."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.budget import Budget, Products, as_bits, budget_of_squares, predict_squares
from calibration.products import products_of
from calibration.warming import Warming
from instrument.reading import read_bytes, reading
from instrument.store import Calibration
from instrument.tiled import TiledMatrix

RESULT_FILE = "result.json"
MAX_RESULT_BYTES = 256 << 20
"""Of a result that is read again: one that lists every crosspoint of a large board is less."""


def budgets_of(
    program: TiledMatrix,
    calibration: Calibration,
    inputs: NDArray[np.float64],
    moments: Sequence[tuple[float, float]],
) -> tuple[Budget, tuple[Budget, ...]]:
    """Return the budget of the products of inputs (vectors, rows), and that of each tile's partial
    products.

    `moments` are seconds and kelvin of the board before the first, after the last, and in between,
    as often for each tile. Errors of different tiles are taken for independent, and their squares
    add up on the scale of the first tile, but for what the board's temperature does
    (`_beyond_independent`).
    """
    board = program.board
    survey = calibration.noise.read_with(board.aperture_seconds, board.delay_seconds)
    each = (len(moments) - 1) // len(program.tiles)
    squares: dict[str, float] = defaultdict(float)
    all_products, budgets = [], []
    for index, part in enumerate(program.tiles):
        own_moments = moments[index * each : (index + 1) * each + 1]
        products = products_of(
            part.matrix.programmed,
            calibration.branches,
            calibration.converters,
            survey,
            inputs[:, part.tile.of_rows] * program.volts_per_unit,
            own_moments,
            watched_at=own_moments[0] if len(program.tiles) > 1 else None,
        )
        own = predict_squares(products, survey)
        for cause, square in own.items():
            squares[cause] += square * program.rescaled(part) ** 2
        all_products.append(products)
        budgets.append(budget_of_squares(own, _square_sum(products.products_amperes)))
    squares["temperature"] += _beyond_independent(program, all_products, survey.warming)
    wanted = _rescaled(program, [products.products_amperes for products in all_products])
    return budget_of_squares(squares, _square_sum(program.sum_of(wanted))), tuple(budgets)


def _beyond_independent(
    program: TiledMatrix, products: Sequence[Products], warming: Warming
) -> float:
    """Return by how much the square error of products by temperature is more, A², than that of the
    tiles' partial products together.

    As the temperature moves, all partial products grow or shrink together, and those that are read
    by the same column once more. With κ by how much warmer the board is, as its thermometer says,
    than when a tile was watched, and α the gain per kelvin, the first is α²(‖Σ κy‖² − Σ ‖κy‖²); the
    same of a column's currents, since its tile was measured, is the other.
    """
    common = warming.gain_per_kelvin
    currents = [part.row_volts @ part.transfer_siemens for part in products]
    columns = warming.column_square.expected
    together = (
        (
            common.value**2 + common.uncertainty**2,
            [part.products_amperes * part.watched_warmer_kelvin[:, None] for part in products],
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
    beyond = 0.0
    for square_per_kelvin, moved in together:
        parts = _rescaled(program, moved)
        beyond += square_per_kelvin * (
            _square_sum(program.sum_of(parts)) - sum(map(_square_sum, parts))
        )
    return beyond


def _rescaled(
    program: TiledMatrix, amperes: Sequence[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Return currents of the tiles on the scale of the first."""
    return [own * program.rescaled(part) for part, own in zip(program.tiles, amperes, strict=True)]


def _square_sum(values: NDArray[np.float64]) -> float:
    return float((values**2).sum())


def budget_document(budget: Budget, relative_error: float) -> dict[str, Any]:
    """Return a budget, the largest cause first, beside the relative error that was measured."""
    rows = sorted(budget.rows, key=lambda row: -row.relative_error)
    return {
        "rows": [
            {
                "cause": row.cause,
                "relative_error": row.relative_error,
                "bits": _number(row.bits),
            }
            for row in rows
        ],
        "predicted_relative_error": budget.relative_error,
        "predicted_bits": _number(budget.bits),
        "measured_relative_error": _number(relative_error),
        "measured_bits": _number(as_bits(relative_error)),
    }


def load_budget(folder: Path) -> dict[str, Any]:
    """Return the budget that a run has left in its folder.

    Raises UsageError that names the file where there is none.
    """
    path = folder / RESULT_FILE
    with reading(path, "not the result of a run with a budget"):
        budget = json.loads(read_bytes(path, MAX_RESULT_BYTES))["budget"]
        figures = "relative_error", "bits"
        rows = [
            {"cause": str(row["cause"])} | {name: _figure(row[name]) for name in figures}
            for row in budget["rows"]
        ]
        sums = [f"{kind}_{name}" for kind in ("predicted", "measured") for name in figures]
        return {"rows": rows} | {name: _figure(budget[name]) for name in sums}


def _number(value: float) -> float | None:
    """Return what JSON can say: it knows neither infinity nor NaN."""
    return value if math.isfinite(value) else None


def _figure(value: Any) -> float | None:
    return None if value is None else float(value)
