"""The `validation` section of a result document."""

from __future__ import annotations

import math
from typing import Any

from instrument.validation import (
    AVERAGED_READINGS,
    CONFIDENCE_LEVEL,
    Checks,
    Interval,
    Superposition,
    Validation,
)


def validation_document(validation: Validation, checks: Checks) -> dict[str, Any]:
    """Return the `validation` section.

    The one-shot products of the job's own inputs come first, then all other products, each under a
    name of its own.
    """
    repeated, cost = checks.repeatability, checks.cost
    document: dict[str, Any] = {
        "inputs": "own" if checks.scope.own_inputs else "uniform",
        **figures(validation),
        "confidence_level": CONFIDENCE_LEVEL,
        "other_vectors": {name: figures(products) for name, products in checks.kinds.items()},
        "not_one_shot": {
            "averaged": {
                "readings": AVERAGED_READINGS,
                **figures(checks.averaged),
                "bits_of_one_reading": finite(checks.averaged_one_shot.bits),
            },
            "digitally_refined": figures(checks.refined),
        },
        "repeatability": {
            "vectors": len(repeated.inputs),
            "passes": len(repeated.answered),
            "relative_scatter": {
                str(k): finite(scatter) for k, scatter in repeated.relative_scatter.items()
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
            "relative_difference": finite(checks.hysteresis.relative_difference),
            "relative_noise": finite(checks.hysteresis.relative_noise),
            "relative_scatter": finite(checks.hysteresis.relative_scatter),
        }
    if checks.intermediate_precision is not None:
        visits, anew = (
            checks.intermediate_precision.visits,
            checks.intermediate_precision.reprogrammed,
        )
        first = visits[0]
        document["intermediate_precision"] = [
            {
                "hours": visit.hours,
                "board_kelvin": visit.board_kelvin,
                **figures(visit.validation),
                "relative_drift": finite(visit.drift_from(first)),
                "gain": finite(visit.gain_from(first)),
                "watched": {
                    **figures(visit.watched),
                    "gain": finite(visit.watched_gain - 1),
                    "relative_drift": finite(visit.watched_drift),
                    "strayed_columns": visit.strayed_columns,
                },
            }
            for visit in visits
        ]
        document["reprogrammed"] = {
            **figures(anew.validation),
            "rounds": sum(
                len(part.matrix.programmed.round_residuals) for part in anew.program.tiles
            ),
            "bench_seconds": anew.spent._asdict(),
        }
    return document


def figures(products: Validation) -> dict[str, Any]:
    """Return the precision of products."""
    return {
        "vectors": len(products.inputs),
        "relative_error": finite(products.relative_error),
        "bits": finite(products.bits),
        "worst_bits": finite(products.worst_bits),
        "relative_error_interval": _interval(products.interval),
        "bits_interval": _interval(products.bits_interval),
        "effective_vectors": finite(products.effective_vectors),
        "no_interval": products.why_no_interval,
    }


def _superposition(measured: Superposition) -> dict[str, Any]:
    passes, pairs, _ = measured.residuals.shape
    return {
        "pairs": pairs,
        "passes": passes,
        "relative_residual": finite(measured.relative_residual),
        "relative_noise": finite(measured.relative_noise),
        "relative_nonlinearity": finite(measured.relative_nonlinearity),
        "worst_of_full_scale": finite(measured.worst_of_full_scale),
    }


def _interval(ends: Interval | None) -> list[float | None] | None:
    return None if ends is None else [finite(end) for end in ends]


def finite(value: float) -> float | None:
    """Return a number that JSON can hold: None for infinity and NaN."""
    return value if math.isfinite(value) else None
