"""Tables of the validation in the report: precision, and what the errors are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibration.programming import Programmed
from calibration.statistics import as_bits
from instrument import wording
from instrument.pipeline import Run
from instrument.validation import AVERAGED_READINGS, Checks, Interval, Validation, by_output

MAX_OUTPUTS_LISTED = 12
OWN, UNIFORM = "the job’s inputs", "random, uniform"
KINDS = {
    "uniform": UNIFORM,
    "sparse": "sparse: one row in ten driven",
    "one_hot": "one row at a time, at full scale",
    "largest_product_signs": "signs of the weights: each output’s largest product",
    "largest_error_signs": "signs of the residual: each output’s worst linear error",
}


@dataclass(frozen=True)
class PrecisionRow:
    """The precision of the products of one kind of vectors."""

    name: str
    vectors: int
    relative_error: float
    bits: float
    interval: str
    worst_bits: float


@dataclass(frozen=True)
class TileRow:
    """How one tile was programmed, and the precision of its partial products."""

    programmed: Programmed
    scales: str
    precision: PrecisionRow
    predicted_bits: float


@dataclass(frozen=True)
class Share:
    """A possible part of the relative error, likewise relative to ‖y‖₂."""

    name: str
    fraction: float
    bits: float


@dataclass(frozen=True)
class OutputRow:
    """The precision of the products of one output, counted from 1."""

    precision: PrecisionRow
    predicted_bits: float
    lost: bool


def output_rows(run: Run) -> list[OutputRow]:
    """Return a row for each of the worst outputs, lost ones first, then the worst first."""
    predicted, lost = run.budgets.output_relative_error, run.program.lost
    rows = [
        OutputRow(
            _precision_row(f"output {output + 1}", products),
            as_bits(float(predicted[output])),
            bool(lost[output]),
        )
        for output, products in enumerate(by_output(run.program, run.validation))
    ]
    stated = [row for row in rows if row.lost or not math.isnan(row.precision.bits)]
    return sorted(stated, key=lambda row: (not row.lost, row.precision.bits))[:MAX_OUTPUTS_LISTED]


def one_shot_rows(validation: Validation, checks: Checks) -> list[PrecisionRow]:
    """Return the rows of one-shot products, those of the job's inputs first."""
    first = OWN if checks.scope.own_inputs else f"{UNIFORM}: {OWN}"
    return [
        _precision_row(first, validation),
        *(_precision_row(KINDS[name], products) for name, products in checks.kinds.items()),
    ]


def not_one_shot_rows(checks: Checks) -> list[PrecisionRow]:
    """Return the rows of averaged and of refined products, and of one of the averaged readings."""
    return [
        _precision_row(f"mean of {AVERAGED_READINGS} readings", checks.averaged),
        _precision_row("for comparison, one of these readings", checks.averaged_one_shot),
        _precision_row(f"digitally refined: {OWN}", checks.refined),
    ]


def tile_rows(run: Run) -> list[TileRow]:
    """Return a row for each tile, in the order in which they were programmed."""
    return [
        TileRow(
            part.matrix.programmed,
            scales_in_words(part.matrix.programmed),
            _precision_row(str(part.tile), products),
            budget.bits,
        )
        for part, products, budget in zip(
            run.program.tiles, run.tile_validations, run.budgets.tiles, strict=True
        )
    ]


def shares(checks: Checks) -> list[Share]:
    """Return the measured noise, nonlinearity and hysteresis."""
    fractions = [("the same vector again: scatter", checks.repeatability.relative_noise)]
    if checks.linearity is not None:
        for where, superposed in (
            ("on shared rows", checks.linearity.shared_rows),
            ("on rows apart", checks.linearity.rows_apart),
        ):
            fractions += [
                (f"superposition {where}: residual", superposed.relative_residual),
                ("… less its noise: not linear", superposed.relative_nonlinearity),
            ]
    if checks.hysteresis is not None:
        fractions += [
            ("switches: from closed less from open", checks.hysteresis.relative_difference),
            ("… what noise alone would give", checks.hysteresis.relative_noise),
            ("switches: scatter from return to return", checks.hysteresis.relative_scatter),
        ]
    return [Share(name, fraction, as_bits(fraction)) for name, fraction in fractions]


def scales_in_words(programmed: Programmed) -> str:
    """Write the smallest and the largest of the outputs' scales, siemens for a weight of one."""
    scales = programmed.targets.scale_siemens
    ends = [wording.quantity(float(end), "S") for end in (scales.min(), scales.max())]
    return " to ".join(dict.fromkeys(ends))


def interval_in_words(ends: Interval | None) -> str:
    """Write the interval of bits, its worse end first."""
    if ends is None:
        return wording.NONE
    return f"{wording.bits(ends.low)} to {wording.bits(ends.high)}"


def _precision_row(name: str, products: Validation) -> PrecisionRow:
    return PrecisionRow(
        name=name,
        vectors=len(products.inputs),
        relative_error=products.relative_error,
        bits=products.bits,
        interval=interval_in_words(products.bits_interval) if products.sampled else "these are all",
        worst_bits=products.worst_bits,
    )
