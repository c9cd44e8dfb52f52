"""Checks beside the one-shot products of the job's own inputs.

The default checks take a few seconds on the bench; those of minutes or hours are optional.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from calibration.arrays import Floats
from calibration.crossbar import Progress
from drivers import SpentSeconds
from instrument.files import random_stream
from instrument.matrix import TiledMatrix
from instrument.validation import vectors
from instrument.validation.cost import Cost, cost_of
from instrument.validation.hysteresis import Hysteresis, leave_and_return
from instrument.validation.linearity import Linearity, superpose
from instrument.validation.over_hours import IntermediatePrecision, Visit, reprogram, visits
from instrument.validation.products import Validation, validate
from instrument.validation.refined import refine
from instrument.validation.repeatability import (
    AVERAGED_READINGS,
    FEW_PASSES,
    MANY_PASSES,
    Repeatability,
    averaged,
    repeat,
)

Step = Callable[[str], AbstractContextManager[Progress]]
"""Opens a step by its name and yields the step's progress function."""
Keep = Callable[[str, dict[str, Any]], None]
"""Writes arrays under a name."""

UNIFORM_STREAM, SPARSE_STREAM, LINEARITY_STREAM = 2, 3, 4


@dataclass(frozen=True)
class Scope:
    """Extent of a validation."""

    seed: int = 1
    """Seed of random vectors."""
    own_inputs: bool = False
    """The job's inputs are a person's own: random ones are multiplied as well."""
    thorough: bool = False
    """More repeats, linearity and hysteresis: almost a minute on the bench."""
    hours: float = 0.0
    """Time over which products are repeated, on the board's clock; 0 for none."""


@dataclass(frozen=True)
class Checks:
    """Results of the checks beside the products of the job's own inputs."""

    scope: Scope
    kinds: dict[str, Validation]
    """One-shot products of other kinds of vectors, by the kind's name."""
    refined: Validation
    """The job's products, digitally refined: not one-shot."""
    repeatability: Repeatability
    averaged: Validation
    """Products of some of the job's inputs, averaged over AVERAGED_READINGS: not one-shot."""
    averaged_one_shot: Validation
    """The first of these readings alone: one-shot, for comparison."""
    cost: Cost
    linearity: Linearity | None
    hysteresis: Hysteresis | None
    intermediate_precision: IntermediatePrecision | None
    """Over hours; None if none were asked for."""
    spent: SpentSeconds
    """How the board spent its time on all checks."""


def check(
    program: TiledMatrix,
    validation: Validation,
    spent: SpentSeconds,
    scope: Scope,
    step: Step,
    keep: Keep,
) -> Checks:
    """Do the checks of a scope, except those over hours.

    `spent` is the time that the job's own products took. Everything is kept as soon as it is
    measured. The board is left with the programmed pattern. Raises OverloadError and
    InstrumentError as products do.
    """
    inputs, began = validation.inputs, program.board.spent_seconds()
    kinds = _kinds(program, scope, step, keep)
    repeated = _repeated(program, inputs, scope, step, keep)
    linearity = _linearity(program, scope, step, keep) if scope.thorough else None
    hysteresis = _hysteresis(program, inputs, step, keep) if scope.thorough else None
    return Checks(
        scope=scope,
        kinds=kinds,
        refined=refine(program, validation),
        repeatability=repeated,
        averaged=averaged(program, repeated, AVERAGED_READINGS),
        averaged_one_shot=averaged(program, repeated, 1),
        cost=cost_of(program, inputs, spent),
        linearity=linearity,
        hysteresis=hysteresis,
        intermediate_precision=None,
        spent=program.board.spent_seconds().since(began),
    )


def check_hours(
    program: TiledMatrix, inputs: Floats, checks: Checks, step: Step, keep: Keep
) -> Checks:
    """Return checks with the products over the hours that their scope asks for.

    The board is left with a new pattern. Raises OverloadError and InstrumentError as products do.
    """
    began = program.board.spent_seconds()
    over_hours = _over_hours(program, inputs, checks.scope.hours, step, keep)
    spent = program.board.spent_seconds().since(began)
    return replace(checks, intermediate_precision=over_hours, spent=checks.spent.plus(spent))


def _kinds(program: TiledMatrix, scope: Scope, step: Step, keep: Keep) -> dict[str, Validation]:
    chosen = {
        "sparse": vectors.sparse(program, random_stream(scope.seed, SPARSE_STREAM)),
        "one_hot": vectors.one_hot(program),
        "largest_product_signs": vectors.largest_product_signs(program),
        "largest_error_signs": vectors.largest_error_signs(program),
    }
    if scope.own_inputs:
        uniform = vectors.uniform(program, random_stream(scope.seed, UNIFORM_STREAM))
        chosen = {"uniform": uniform} | chosen
    kinds: dict[str, Validation] = {}
    with step("vectors") as progress:
        for name, kind in chosen.items():
            kinds[name] = validate(program, kind.inputs, sampled=kind.sampled)
            progress(len(kinds), len(chosen))
    keep(
        "vectors",
        {
            f"{name}_{part}": getattr(products, part)
            for name, products in kinds.items()
            for part in ("inputs", "answered")
        },
    )
    return kinds


def _repeated(
    program: TiledMatrix, inputs: Floats, scope: Scope, step: Step, keep: Keep
) -> Repeatability:
    with step("repeats") as progress:
        passes = MANY_PASSES if scope.thorough else FEW_PASSES
        repeated = repeat(program, inputs, passes, progress)
    keep("repeatability", {"inputs": repeated.inputs, "answered": repeated.answered})
    return repeated


def _linearity(program: TiledMatrix, scope: Scope, step: Step, keep: Keep) -> Linearity:
    with step("linearity") as progress:
        measured = superpose(program, random_stream(scope.seed, LINEARITY_STREAM), progress)
    keep(
        "linearity",
        {
            "shared_rows": measured.shared_rows.residuals,
            "rows_apart": measured.rows_apart.residuals,
        },
    )
    return measured


def _hysteresis(program: TiledMatrix, inputs: Floats, step: Step, keep: Keep) -> Hysteresis:
    with step("hysteresis") as progress:
        measured = leave_and_return(program, inputs, progress)
    keep("hysteresis", {"from_open": measured.from_open, "from_closed": measured.from_closed})
    return measured


def _over_hours(
    program: TiledMatrix, inputs: Floats, hours: float, step: Step, keep: Keep
) -> IntermediatePrecision:
    made: list[Visit] = []
    with step("hours") as progress:
        for visit in visits(program, inputs, hours, progress):
            made.append(visit)
            # Written after each visit: the visits outlive whatever ends the hours.
            keep(
                "intermediate_precision",
                {
                    "hours": np.array([visit.hours for visit in made]),
                    "board_kelvin": np.array([visit.board_kelvin for visit in made]),
                    "inputs": visit.validation.inputs,
                    "answered": np.array([visit.validation.answered for visit in made]),
                    "watched": np.array([visit.watched.answered for visit in made]),
                },
            )
    with step("reprogram") as progress:
        anew = reprogram(program, inputs, progress)
    keep(
        "reprogrammed",
        {
            "patterns": np.array([part.matrix.programmed.pattern for part in anew.program.tiles]),
            "inputs": anew.validation.inputs,
            "answered": anew.validation.answered,
        },
    )
    return IntermediatePrecision(tuple(made), anew)
