"""The run of a matrix: calibrate, program, validate; each step kept on disk when done.

A run may end behind an earlier step: `run_until` does the same steps, up to the one asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from calibration.arrays import Floats
from calibration.branches import USUAL_BITS
from calibration.crossbar import Moment
from calibration.errors import MatrixError
from calibration.programming import (
    PrecisionByBranches,
    bits_against_branches,
    check_matrix,
    tiles_to_program,
)
from calibration.records import Record
from drivers import SpentSeconds
from instrument.bench import Bench
from instrument.board_calibration import BoardIdentity, Calibration, save_calibration
from instrument.budget import Budgets, budgets_of
from instrument.errors import UsageError
from instrument.files import SQUARABLE, random_inputs
from instrument.matrix import TiledMatrix, program_arrays, program_file
from instrument.run_files import CALIBRATION_FILE, PRODUCTS_FILE
from instrument.runs import RunFolder
from instrument.validation import (
    Checks,
    Scope,
    Step,
    Validation,
    check,
    check_hours,
    compare,
    compare_tiles,
)

LastStep = Literal["calibrate", "program", "validate"]
"""The step that ends a run."""


@dataclass(frozen=True, eq=False, repr=False)
class PartOfRun(Record):
    """What a run measured that ended before any product."""

    board: BoardIdentity
    resource: str
    calibration: Calibration
    calibration_expired: str | None
    """As in `Run`."""
    spent: SpentSeconds
    """How the board spent its time from opening the bench on."""
    recovery: Mapping[str, int]
    """As in `Run`."""
    program: TiledMatrix | None = None
    """None where the calibration was the last step."""
    budgets: Budgets | None = None
    """Predicted error of the first products after programming; None without a program."""


@dataclass(frozen=True, eq=False, repr=False)
class Run(Record):
    """What one run of the pipeline measured."""

    board: BoardIdentity
    resource: str
    calibration: Calibration
    program: TiledMatrix
    validation: Validation
    tile_validations: tuple[Validation, ...]
    """Partial products of each tile, whose sum the products are."""
    budgets: Budgets
    """Predicted error of these products, by cause."""
    checks: Checks
    coverage: PrecisionByBranches
    calibration_expired: str | None
    """Why the calibration no longer held when it was used all the same; None if it held."""
    spent: SpentSeconds
    """How the board spent its time from opening the bench to the last product of its inputs."""
    recovery: Mapping[str, int] = field(default_factory=dict)
    """Number of faults of the wire, the power and the watchdog since the bench was opened after
    which the run went on, by kind.
    """


@dataclass(frozen=True)
class PipelineOptions:
    """Choices of a run beside its bench, matrix and inputs."""

    calibration: Calibration | None = None
    """Calibration to use; None to measure one."""
    earlier: tuple[Calibration, ...] = ()
    """Calibrations of the same board at other temperatures, which improve the one in use."""
    allow_expired: bool = False
    """Use a calibration that is too old or of too different a temperature."""
    wanted_bits: float = USUAL_BITS
    """Precision that the products shall have, bits: sets how long currents settle."""
    scope: Scope = field(default_factory=Scope)
    """Extent of the validation."""


def run_pipeline(
    bench: Bench,
    weights: object,
    inputs: Floats,
    folder: RunFolder,
    step: Step,
    options: PipelineOptions = PipelineOptions(),
    *,
    so_far: Callable[[Run], object] = lambda _run: None,
) -> Run:
    """Calibrate, program, multiply and validate, and return what was measured.

    `weights` are (rows, outputs), `inputs` (vectors, rows). A calibration in the options replaces
    the first step. Each step's arrays are written to `folder` as soon as they are measured, so that
    they outlive an error in a later step. `so_far` receives the run before the hours begin that the
    scope may ask for.

    Raises FileNotWritten where a file cannot be written, and MatrixError, UsageError, OverloadError
    and InstrumentError as the steps do.
    """
    # Whatever can be refused is refused before the long measurement.
    matrix = check_matrix(weights)
    tiles = tiles_to_program(matrix, bench.board.rows, bench.board.columns // 2)
    _check_products(matrix, inputs)
    calibration, expired = _calibrated(bench, folder, step, options)
    full_scale = float(np.abs(inputs).max())
    program = _programmed(bench, matrix, full_scale, calibration, folder, step, options)
    programmed_at = bench.spent_seconds()
    moments = [Moment(*bench.board.moment())]
    with step("validate") as progress:

        def and_note_the_moment(done: int, total: int) -> None:
            moments.append(Moment(*bench.board.moment()))
            progress(done, total)

        partial = program.partial_products(inputs, and_note_the_moment)
        bench.board.rest()
    validation = compare(program, inputs, program.sum_of(partial))
    budgets = budgets_of(program, calibration, inputs, moments)
    spent = bench.spent_seconds()
    folder.keep(
        PRODUCTS_FILE,
        {
            "inputs": validation.inputs,
            "exact": validation.exact,
            "answered": validation.answered,
        },
    )

    def keep(name: str, arrays: dict[str, Any]) -> None:
        folder.keep(f"{name}.npz", arrays)

    checks = check(program, validation, spent.since(programmed_at), options.scope, step, keep)
    run = Run(
        board=bench.identity,
        resource=bench.config.board.resource,
        calibration=calibration,
        program=program,
        validation=validation,
        tile_validations=compare_tiles(program, inputs, partial),
        budgets=budgets,
        checks=checks,
        coverage=bits_against_branches(
            [matrix[tile.block] for tile in tiles], calibration.branches
        ),
        calibration_expired=expired,
        spent=spent,
        recovery=bench.board.recovery,
    )
    if not checks.scope.hours:
        return run
    so_far(run)
    checks = check_hours(program, inputs, checks, step, keep)
    return replace(run, checks=checks, recovery=bench.board.recovery)


def run_until(
    last: Literal["calibrate", "program"],
    bench: Bench,
    weights: object,
    inputs: Floats | None,
    folder: RunFolder,
    step: Step,
    options: PipelineOptions = PipelineOptions(),
) -> PartOfRun:
    """Do the steps of a run up to `last`, and return what was measured.

    `weights` are (rows, outputs), and of no account where the calibration is the last step.
    `inputs` (vectors, rows) are like those that will be multiplied: the largest is the full scale,
    and the error is predicted for them; without them the full scale is one. No product is read.

    Raises as `run_pipeline`.
    """
    matrix, full_scale = None, 1.0
    if last == "program":
        matrix = check_matrix(weights)
        tiles_to_program(matrix, bench.board.rows, bench.board.columns // 2)
        if inputs is None:
            inputs = random_inputs(len(matrix), options.scope.seed)
        else:
            full_scale = float(np.abs(inputs).max())
        _check_products(matrix, inputs)
    calibration, expired = _calibrated(bench, folder, step, options)
    program = budgets = None
    if matrix is not None and inputs is not None:
        program = _programmed(bench, matrix, full_scale, calibration, folder, step, options)
        now = Moment(*bench.board.moment())
        bench.board.rest()
        budgets = budgets_of(program, calibration, inputs, [now] * (len(program.tiles) + 1))
    return PartOfRun(
        board=bench.identity,
        resource=bench.config.board.resource,
        calibration=calibration,
        calibration_expired=expired,
        spent=bench.spent_seconds(),
        recovery=bench.board.recovery,
        program=program,
        budgets=budgets,
    )


def _calibrated(
    bench: Bench, folder: RunFolder, step: Step, options: PipelineOptions
) -> tuple[Calibration, str | None]:
    """Return the calibration that was given, or measure one; and why it has expired."""
    for earlier in options.earlier:
        bench.require(earlier)
    calibration, expired = options.calibration, None
    if calibration is None:
        with step("calibrate") as progress:
            calibration = replace(bench.calibrate(progress), run=folder.id)
        save_calibration(calibration, folder.path / CALIBRATION_FILE)
    else:
        bench.require(calibration)
        expired = bench.why_expired(calibration)
    if options.earlier:
        calibration = calibration.with_earlier(options.earlier)
        save_calibration(calibration, folder.path / CALIBRATION_FILE)
    return calibration, expired


def _programmed(
    bench: Bench,
    matrix: Floats,
    input_full_scale: float,
    calibration: Calibration,
    folder: RunFolder,
    step: Step,
    options: PipelineOptions,
) -> TiledMatrix:
    """Program a matrix, and keep each tile as soon as it is programmed."""
    shape = matrix.shape[0], matrix.shape[1]
    with step("program") as progress:
        return bench.program(
            matrix,
            calibration,
            input_full_scale=input_full_scale,
            wanted_bits=options.wanted_bits,
            allow_expired=options.allow_expired,
            progress=progress,
            keep=lambda done: folder.keep(
                program_file(done.tile, shape), program_arrays([done], shape)
            ),
        )


def _check_products(matrix: Floats, inputs: Floats) -> None:
    """Raise MatrixError or UsageError where the precision of these products cannot be stated."""
    minimum, maximum = SQUARABLE
    largest = float(np.abs(matrix).max())
    if not minimum <= largest <= maximum:
        raise MatrixError(
            f"the largest weight is {largest:g}: only {minimum:g} to {maximum:g} can be computed"
        )
    if not (inputs @ matrix).any():
        raise UsageError("every product of these inputs is zero: no relative error to state")
