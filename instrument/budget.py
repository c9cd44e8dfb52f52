"""The error budget of a programmed matrix: put together, written down, read again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.budget import Budget, as_bits, predict_budget
from calibration.products import products_of
from instrument.mvm import ProgrammedMatrix
from instrument.reading import reading
from instrument.store import Calibration

RESULT_FILE = "result.json"


def budget_of(
    program: ProgrammedMatrix,
    calibration: Calibration,
    inputs: NDArray[np.float64],
    moments: Sequence[tuple[float, float]],
) -> Budget:
    """Return the budget of the products of inputs (vectors, rows); `moments` are seconds and kelvin
    of the board before the first, after the last, and in between.
    """
    board = program.board
    survey = calibration.noise.read_with(board.aperture_seconds, board.delay_seconds)
    products = products_of(
        program.programmed,
        calibration.branches,
        calibration.converters,
        survey,
        inputs * program.volts_per_unit,
        moments,
    )
    return predict_budget(products, survey)


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
        budget = json.loads(path.read_text("utf-8"))["budget"]
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
