"""Measured beside predicted: the columns that several studies have in common.

What is measured as `name` has its confidence interval in `name_low` and `name_high`, and is
predicted in `predicted_name`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.arrays import Floats
from calibration.studies.fits import mean_margin, quantile_interval, share_interval
from calibration.studies.frame import Row

Columns = dict[str, str | int | float | None]

FIT_FROM = 8
"""Fewer resistances are left out of lines: there the ends of the range still count."""


def fitted_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that a line over n goes through: n ≥ FIT_FROM, or all if those are few."""
    high = [row for row in rows if isinstance(row["n"], int) and row["n"] >= FIT_FROM]
    return high if len(high) > 2 else list(rows)


def reached_bits(bits: Floats, share: float) -> Columns:
    """Return the bits that a share of the instances, bits (instances,), reaches."""
    low, high = quantile_interval(bits, 1 - share)
    return _measured("bits", float(np.quantile(bits, 1 - share)), low, high)


def seen_share(name: str, seen: Floats) -> Columns:
    """Return the share of ones in `seen` (instances,) of 0 and 1; None without instances."""
    if not seen.size:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = share_interval(int(seen.sum()), seen.size)
    return _measured(name, float(seen.mean()), low, high)


def _measured(name: str, value: float, low: float, high: float) -> Columns:
    """Return a measured value and its interval, whose ends are None where they are unknown."""
    return {
        name: value,
        f"{name}_low": low if np.isfinite(low) else None,
        f"{name}_high": high if np.isfinite(high) else None,
    }


def held(rows: Sequence[Row], name: str) -> Columns:
    """Return the number of rows, and of intervals that hold the prediction.

    95 % of the intervals should hold an exact prediction.
    """
    predicted = column(rows, f"predicted_{name}")
    low = np.nan_to_num(column(rows, f"{name}_low"), nan=-np.inf)
    high = np.nan_to_num(column(rows, f"{name}_high"), nan=np.inf)
    inside = (low <= predicted) & (predicted <= high)
    return {"points": len(rows), "held": int(inside.sum())}


def differences(rows: Sequence[Row], name: str) -> Floats:
    """Return measured minus predicted (rows,)."""
    return column(rows, name) - column(rows, f"predicted_{name}")


def mean_excess(rows: Sequence[Row], name: str) -> Columns:
    """Return the mean over the rows of measured minus predicted, with its margin."""
    mean, margin = mean_margin(differences(rows, name))
    return {"excess": mean, "excess_margin": margin}


def reaching(rows: Sequence[Row], x: str, name: str, wanted: float, result: str) -> Columns:
    """Return where along x the measured and the predicted curve pass `wanted`, as `result`.

    The interval is where the ends of the measured intervals pass it.
    """
    at = column(rows, x)
    places = [
        crossing(at, column(rows, of), wanted)
        for of in (name, f"{name}_low", f"{name}_high", f"predicted_{name}")
    ]
    ends = sorted(place for place in places[1:3] if place is not None)
    low, high = ends if len(ends) == 2 else (None, None)
    return {
        result: places[0],
        f"{result}_low": low,
        f"{result}_high": high,
        f"predicted_{result}": places[3],
    }


def crossing(x: Floats, y: Floats, wanted: float) -> float | None:
    """Return the first x at which the line through points x, y (points,) passes y = `wanted`."""
    for k in range(len(x) - 1):
        if min(y[k], y[k + 1]) <= wanted <= max(y[k], y[k + 1]):
            part = (wanted - y[k]) / (y[k + 1] - y[k]) if y[k + 1] != y[k] else 0.0
            return float(x[k] + part * (x[k + 1] - x[k]))
    return None


def column(rows: Sequence[Row], name: str) -> Floats:
    """Return a column of numbers (rows,), NaN where a row has none."""
    return np.array([row[name] for row in rows], dtype=np.float64)
