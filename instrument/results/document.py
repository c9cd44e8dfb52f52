"""The result document, section by section, and the specification that decides its `ok`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Bools
from calibration.budget import Budget
from calibration.converters import ChannelStatus
from calibration.noise import NoiseSurvey
from calibration.programming import Programmed
from calibration.statistics import MeasuredValue, as_bits
from calibration.temperature import Coefficients
from instrument.board_calibration import Calibration
from instrument.budget import Budgets, Unforeseen, unforeseen
from instrument.digits import Classification
from instrument.matrix import TiledMatrix
from instrument.pipeline import PartOfRun, Run
from instrument.results.budget import budget_document
from instrument.results.validation import figures, finite, validation_document
from instrument.runs import iso
from instrument.validation import by_output, worst_vectors, worst_weights

SpecificationScope = Literal["output", "matrix"]

OF_EITHER_SIGN = ("gain_per_kelvin",)
"""Figures of a noise survey that may be below zero."""


@dataclass(frozen=True)
class Specification:
    """Requirements that a run must meet."""

    bits: float
    """Bits of relative error that the worse end of its confidence interval must reach."""
    agreement: float | None = None
    """Minimum fraction of equal decisions, where something is classified."""
    scope: SpecificationScope = "output"
    """Whether every output must reach the bits, or only all outputs together (`matrix`)."""

    def bits_met(self, run: Run) -> bool:
        """Return whether the products reach the bits: all together, and those of each output.

        Outputs whose weights are all zero do not count. Products without an interval meet nothing.
        """
        weighted = run.program.weights.any(axis=0)
        stated = [run.validation]
        if self.scope == "output":
            outputs = by_output(run.program, run.validation)
            stated += [outputs[output] for output in np.flatnonzero(weighted)]
        return all(products.meets(self.bits) for products in stated)

    def met(self, run: Run, classification: Classification | None) -> bool:
        """Return whether a run meets all requirements."""
        decisions = (
            self.agreement is None
            or classification is None
            or classification.agreement >= self.agreement
        )
        whole = not run.program.lost.any()
        foreseen = not any(products.worse for products in unforeseen_of(run))
        return self.bits_met(run) and decisions and whole and foreseen

    def predicted(self, program: TiledMatrix, budgets: Budgets) -> bool:
        """Return whether a matrix that was programmed is predicted to reach the bits.

        All outputs together, each of them according to the scope, and none is lost.
        """
        stated = [budgets.whole.relative_error]
        if self.scope == "output":
            weighted = program.weights.any(axis=0)
            stated += budgets.output_relative_error[weighted].tolist()
        return not program.lost.any() and all(as_bits(error) >= self.bits for error in stated)


def unforeseen_of(run: Run) -> tuple[Unforeseen, ...]:
    """Return the products of a run whose error differs from the budget."""
    return unforeseen(run.validation, by_output(run.program, run.validation), run.budgets)


def result_document(
    run: Run,
    specification: Specification,
    classification: Classification | None,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the result of a run as one JSON document; `about` becomes its section `run`.

    The same board and seed give the same document, except for `run`, `links`, `wall_seconds`
    and, where the wire failed, `recovery` and what was measured after it.
    """
    document: dict[str, Any] = {
        "ok": specification.met(run, classification),
        "run": {**about, "calibration": _made(run.calibration)},
        "specification": asdict(specification),
        **_board_and_calibration(run),
        "program": _program(
            run.program,
            [
                {**figures(products), **_predicted(budget)}
                for products, budget in zip(run.tile_validations, run.budgets.tiles, strict=True)
            ],
        ),
        "validation": validation_document(run.validation, run.checks) | _by_output(run),
        "budget": budget_document(run.budgets.whole, run.validation.relative_error),
        "bench_seconds": run.spent._asdict(),
        "recovery": dict(run.recovery),
    }
    if classification is not None:
        document["classification"] = asdict(classification)
    return document


def partial_document(
    part: PartOfRun, specification: Specification, about: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the result of a run that ended before any product: the sections that it has.

    `ok` of a calibration is whether it is done; that of a program is whether the specification is
    predicted to be met.
    """
    program, budgets = part.program, part.budgets
    document: dict[str, Any] = {
        "ok": True,
        "run": {**about, "calibration": _made(part.calibration)},
        **_board_and_calibration(part),
    }
    if program is not None and budgets is not None:
        tiles = [_predicted(budget) for budget in budgets.tiles]
        document |= {
            "ok": specification.predicted(program, budgets),
            "specification": asdict(specification),
            "program": _program(program, tiles),
            "budget": budget_document(budgets.whole, math.nan),
        }
    return document | {
        "bench_seconds": part.spent._asdict(),
        "recovery": dict(part.recovery),
    }


def _board_and_calibration(run: Run | PartOfRun) -> dict[str, Any]:
    """Return the sections of the board, its links and its calibration."""
    calibration = run.calibration
    return {
        "board": {
            "preset": run.board.type,
            "serial": run.board.serial,
            "rows": run.board.rows,
            "columns": run.board.columns,
            "branches": calibration.branches.status.size,
        },
        "links": {"board": run.resource},
        "calibration": {
            "branches": calibration.branches.status.size,
            "readings": calibration.branches.readings,
            "bytes": calibration.bytes_moved,
            "bench_seconds": calibration.bench_seconds,
            "board_kelvin": calibration.board_kelvin,
            "wall_seconds": calibration.wall_seconds,
            "design": calibration.branches.design,
            "delay_seconds": calibration.branches.delay_seconds,
            "settling": {
                **asdict(calibration.settling),
                "too_short": calibration.settling.too_short,
                "in_words": calibration.settling.in_words,
            },
            "wild_readings": int(calibration.branches.wild_readings.sum()),
            "wild_readings_at": np.argwhere(calibration.branches.wild_readings).tolist(),
            "drift_ppm": calibration.branches.drift_ppm,
            "kelvin_range": calibration.branches.kelvin_range.tolist(),
            "statuses": calibration.branches.status_counts(),
            "dead_crosspoints": np.argwhere(calibration.branches.dead_crosspoints).tolist(),
            "converters": _converters(calibration),
            "noise": _noise(calibration.noise),
            "temperature": _temperature(calibration.temperature, calibration.branches.usable),
            "relative_to": "the board's own converters",
            "versions": calibration.versions,
            "expired": run.calibration_expired,
        },
    }


def _by_output(run: Run) -> dict[str, Any]:
    """Return the precision of each output, unforeseen products and the worst errors.

    All indices count from 0.
    """
    predicted = run.budgets.output_relative_error
    lost = run.program.lost
    deviating = unforeseen_of(run)
    return {
        "outputs": [
            {
                "output": output,
                **figures(products),
                "predicted_bits": finite(as_bits(float(predicted[output]))),
                "lost": bool(lost[output]),
            }
            for output, products in enumerate(by_output(run.program, run.validation))
        ],
        "worst_vectors": [asdict(vector) for vector in worst_vectors(run.validation)],
        "worst_weights": [asdict(weight) for weight in worst_weights(run.program)],
        "foreseen": not deviating,
        "unforeseen": [asdict(products) for products in deviating],
    }


def _made(calibration: Calibration) -> dict[str, Any]:
    """Return when and by which run a calibration was made, and which earlier ones improved it."""
    return {
        "made_at": iso(calibration.made_at),
        "run": calibration.run or None,
        "joined": [iso(moment) for moment in calibration.joined],
    }


def _program(program: TiledMatrix, partial_products: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what was programmed, and what is stated of each tile's partial products.

    Scales, ranges and wires are those of the first tile; rounds follow one another in the order of
    the tiles.
    """
    residuals = [
        residual for part in program.tiles for residual in part.matrix.programmed.round_residuals
    ]
    return {
        "rows": program.weights.shape[0],
        "outputs": program.weights.shape[1],
        "cells": program.weights.size,
        "unreachable": int(program.unreachable.sum()),
        "coarse": int(program.coarse.sum()),
        "coarse_rms": finite(program.coarse_rms),
        "lost_outputs": np.flatnonzero(program.lost).tolist(),
        "rounds": len(residuals),
        "round_residuals": [finite(residual) for residual in residuals],
        "residual_rms": finite(program.residual_rms),
        **_standing(program.tiles[0].matrix.programmed),
        "tiles": [
            {
                **asdict(part.tile),
                "unreachable": int(part.matrix.programmed.unreachable.sum()),
                "coarse": int(part.matrix.programmed.coarse.sum()),
                "rounds": len(part.matrix.programmed.round_residuals),
                "residual_rms": finite(part.matrix.programmed.residual_rms),
                **_standing(part.matrix.programmed),
                "partial_products": stated,
            }
            for part, stated in zip(program.tiles, partial_products, strict=True)
        ],
    }


def _predicted(budget: Budget) -> dict[str, Any]:
    return {
        "predicted_relative_error": budget.relative_error,
        "predicted_bits": finite(budget.bits),
    }


def _standing(programmed: Programmed) -> dict[str, Any]:
    """Return the scales, ranges and wires of one tile."""
    return {
        "scale_siemens": programmed.targets.scale_siemens.tolist(),
        "range_amperes": programmed.range_amperes,
        "product_ranges_amperes": [used.range_amperes for used in programmed.ranges],
        "wire_ohms": asdict(programmed.wire.wire),
        "wire_uncertainty_ohms": asdict(programmed.wire.uncertainty),
    }


def _temperature(coefficients: Coefficients, usable: Bools) -> dict[str, Any]:
    """Return the temperature coefficients of the branches, 1/K."""
    uncertainty = coefficients.uncertainty_per_kelvin[usable]
    return {
        "common_per_kelvin": asdict(coefficients.common_per_kelvin),
        "own_per_kelvin": coefficients.own_per_kelvin,
        "median_uncertainty_per_kelvin": float(np.median(uncertainty)) if usable.any() else None,
    }


def _converters(calibration: Calibration) -> dict[str, Any]:
    """Return the figures of the converters; rows and columns count from 0."""
    converters = calibration.converters
    dac, adc = converters.rows.largest(), converters.columns.largest()

    def channels(statuses: NDArray[np.int8], status: ChannelStatus) -> list[int]:
        return [int(channel) for channel in np.flatnonzero(statuses == status)]

    return {
        "bench_seconds": calibration.converter_seconds,
        "readings": converters.readings + calibration.ranges.readings,
        "readings_left_out": converters.left_out,
        "largest_inl_steps": abs(dac.deviation) / converters.step_volts,
        "largest_inl_uncertainty_steps": dac.uncertainty / converters.step_volts,
        "largest_inl_row": dac.channel,
        "largest_adc_inl_of_range": abs(adc.deviation),
        "largest_adc_inl_uncertainty_of_range": adc.uncertainty,
        "largest_adc_inl_column": adc.channel,
        "dead_rows": channels(converters.row_status, ChannelStatus.DEAD),
        "unseen_rows": channels(converters.row_status, ChannelStatus.UNSEEN),
        "dead_columns": channels(converters.column_status, ChannelStatus.DEAD),
        "saturated_columns": channels(converters.column_status, ChannelStatus.SATURATED),
    }


def _noise(survey: NoiseSurvey) -> dict[str, Any]:
    """Return the figures of the noise, in the units of NoiseSurvey.

    An unresolved figure has a bound beside it.
    """
    parts = vars(survey) | vars(survey.settling) | vars(survey.warming)
    document = {}
    for name, figure in parts.items():
        if isinstance(figure, MeasuredValue):
            document[name] = {"value": figure.value, "uncertainty": figure.uncertainty}
            if not figure.resolved and name not in OF_EITHER_SIGN:
                document[name]["at_most"] = figure.upper_limit
    return document
