"""The `budget` section of a result document: written, and read again from a run's folder."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from calibration.budget import Budget
from calibration.statistics import as_bits
from instrument.errors import UsageError
from instrument.files import as_usage_error, read_bytes
from instrument.run_files import MAX_RESULT_BYTES, RESULT_FILE, RESULTS
from instrument.runs import CLAIM_FILE


def budget_document(budget: Budget, relative_error: float) -> dict[str, Any]:
    """Return a budget, the largest cause first, beside the measured relative error."""
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
    """Return the budget from the result file in a run's folder.

    Raises UsageError, which names the file, where there is none.
    """
    path = folder / RESULT_FILE
    if (folder / CLAIM_FILE).exists() and not path.exists():
        raise UsageError(f"{path}: not there: this run was cut short, or is under way")
    if not path.exists():
        raise UsageError(f"{path}: no such file; a run leaves one in its folder in {RESULTS}/")
    with as_usage_error(path, "not the result of a run with a budget"):
        budget = json.loads(read_bytes(path, MAX_RESULT_BYTES))["budget"]
        figures = "relative_error", "bits"
        rows = [
            {"cause": str(row["cause"])} | {name: _figure(row[name]) for name in figures}
            for row in budget["rows"]
        ]
        sums = [f"{kind}_{name}" for kind in ("predicted", "measured") for name in figures]
        return {"rows": rows} | {name: _figure(budget[name]) for name in sums}


def _number(value: float) -> float | None:
    """Return a number that JSON can hold: None for infinity and NaN."""
    return value if math.isfinite(value) else None


def _figure(value: Any) -> float | None:
    return None if value is None else float(value)
