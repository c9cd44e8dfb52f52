"""What a result document says of the validation."""

from __future__ import annotations

import math
from typing import Any

from instrument.validation.checks import Checks
from instrument.validation.interval import CONFIDENCE_LEVEL, Interval
from instrument.validation.linearity import Superposition
from instrument.validation.products import Validation
from instrument.validation.repeatability import AVERAGED_READINGS


def validation_document(validation: Validation, checks: Checks) -> dict[str, Any]:
    """Return the `validation` section: the one-shot products of the job's own inputs first, then
    all else, each under a name of its own.
    """
    repeated, cost = checks.repeatability, checks.cost
    document: dict[str, Any] = {
        "inputs": "own" if checks.scope.own_inputs else "uniform",
        **_figures(validation),
        "confidence_level": CONFIDENCE_LEVEL,
        "other_vectors": {name: _figures(products) for name, products in checks.kinds.items()},
        "not_one_shot": {
            "averaged": {
                "readings": AVERAGED_READINGS,
                **_figures(checks.averaged),
                "bits_of_one_reading": _number(checks.averaged_one_shot.bits),
            },
            "digitally_refined": _figures(checks.refined),
        },
        "repeatability": {
            "vectors": len(repeated.inputs),
            "passes": len(repeated.answered),
            "relative_scatter": {
                str(k): _number(scatter) for k, scatter in repeated.relative_scatter.items()
            },
        },
        "cost_of_a_product": {
            "multiply_adds": cost.multiply_adds,
            "bench_seconds": cost.spent._asdict(),
            "resistor_joules": cost.resistor_joules,
        },
        "checks_bench_seconds": checks.spent._asdict(),
    }
    if checks.linearity is not None:
        document["linearity"] = {
            "shared_rows": _superposition(checks.linearity.shared_rows),
            "rows_apart": _superposition(checks.linearity.rows_apart),
        }
    if checks.hysteresis is not None:
        document["hysteresis"] = {
            "returns": len(checks.hysteresis.from_open) + len(checks.hysteresis.from_closed),
            "relative_difference": _number(checks.hysteresis.relative_difference),
            "relative_noise": _number(checks.hysteresis.relative_noise),
            "relative_scatter": _number(checks.hysteresis.relative_scatter),
        }
    if checks.reproducibility is not None:
        visits, anew = checks.reproducibility.visits, checks.reproducibility.reprogrammed
        first = visits[0]
        document["reproducibility"] = [
            {
                "hours": visit.hours,
                "board_kelvin": visit.board_kelvin,
                **_figures(visit.validation),
                "relative_drift": _number(visit.drift_from(first)),
                "gain": _number(visit.gain_from(first)),
                "watched": {
                    **_figures(visit.watched),
                    "gain": _number(visit.watch.gain - 1),
                    "relative_drift": _number(visit.watch.relative_drift),
                    "strayed_columns": list(visit.watch.strayed),
                },
            }
            for visit in visits
        ]
        document["reprogrammed"] = {
            **_figures(anew.validation),
            "rounds": len(anew.program.programmed.round_residuals),
            "bench_seconds": anew.spent._asdict(),
        }
    return document


def _figures(products: Validation) -> dict[str, Any]:
    return {
        "vectors": len(products.inputs),
        "relative_error": _number(products.relative_error),
        "bits": _number(products.bits),
        "worst_bits": _number(products.worst_bits),
        "relative_error_interval": _interval(products.interval),
        "bits_interval": _interval(products.bits_interval),
    }


def _superposition(measured: Superposition) -> dict[str, Any]:
    passes, pairs, _ = measured.residuals.shape
    return {
        "pairs": pairs,
        "passes": passes,
        "relative_residual": _number(measured.relative_residual),
        "relative_noise": _number(measured.relative_noise),
        "relative_nonlinearity": _number(measured.relative_nonlinearity),
        "worst_of_full_scale": _number(measured.worst_of_full_scale),
    }


def _interval(ends: Interval | None) -> list[float | None] | None:
    return None if ends is None else [_number(end) for end in ends]


def _number(value: float) -> float | None:
    """Return what JSON can say: it knows neither infinity nor NaN."""
    return value if math.isfinite(value) else None
