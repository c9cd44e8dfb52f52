"""The whole way of a matrix: calibrate, program, validate; each step kept on disk as soon as it is
done.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.coverage import Coverage, bits_against_branches
from calibration.crossbar import Progress
from calibration.targets import check_fit, check_matrix
from drivers.crossbar_board import SpentSeconds
from instrument.bench import Bench
from instrument.errors import UsageError
from instrument.mvm import ProgrammedMatrix
from instrument.store import BoardIdentity, Calibration, save_calibration, save_program
from instrument.validation import Validation, validate

Step = Callable[[str], AbstractContextManager[Progress]]
"""Opens a step by its name; what it yields hears of the step's progress."""

CALIBRATION_FILE, PROGRAM_FILE, PRODUCTS_FILE = "calibration.npz", "program.npz", "products.npz"


SQUARABLE = 1e-60, 1e60
"""Weights and inputs whose products float64 can square: their norms are stated."""


@dataclass(frozen=True)
class Run:
    """What one run of the pipeline measured."""

    board: BoardIdentity
    resource: str
    calibration: Calibration
    program: ProgrammedMatrix
    validation: Validation
    coverage: Coverage
    calibration_expired: str | None
    """Why the calibration no longer held when it was used all the same; None if it did."""
    spent: SpentSeconds
    """Where the board's time went, from opening the bench to the last product."""


def run_pipeline(
    bench: Bench,
    weights: object,
    inputs: NDArray[np.float64],
    folder: Path,
    step: Step,
    calibration: Calibration | None = None,
    *,
    allow_expired: bool = False,
) -> Run:
    """Calibrate (unless a calibration is given), program the weights (rows, outputs), multiply all
    inputs.

    Inputs are (vectors, rows). Files in `folder` keep what was measured even if a later step fails.
    Raises MatrixError, UsageError, OverloadError and InstrumentError as the steps do.
    """
    # Everything that can be refused is refused before the long measurement, not after it.
    matrix = check_matrix(weights)
    check_fit(matrix, bench.board.rows, bench.board.columns // 2)
    _check_products(matrix, inputs)
    expired = None
    if calibration is None:
        with step("calibrate") as progress:
            calibration = bench.calibrate(progress)
        save_calibration(calibration, folder / CALIBRATION_FILE)
    else:
        calibration.require(bench.identity)
        expired = bench.why_expired(calibration)
    with step("program") as progress:
        program = bench.program(
            matrix,
            calibration,
            input_full_scale=float(np.abs(inputs).max()),
            allow_expired=allow_expired,
            progress=progress,
        )
    save_program(program, folder / PROGRAM_FILE)
    with step("validate") as progress:
        validation = validate(program, inputs, progress)
    np.savez_compressed(
        folder / PRODUCTS_FILE,
        inputs=validation.inputs,
        exact=validation.exact,
        answered=validation.answered,
    )
    return Run(
        board=bench.identity,
        resource=bench.config.board.resource,
        calibration=calibration,
        program=program,
        validation=validation,
        coverage=bits_against_branches(matrix, calibration.branches),
        calibration_expired=expired,
        spent=bench.spent_seconds(),
    )


def _check_products(matrix: NDArray[np.float64], inputs: NDArray[np.float64]) -> None:
    """Raise UsageError where the precision of these products could not be stated."""
    least, most = SQUARABLE
    for name, values in (("weight", matrix), ("input", inputs)):
        largest = float(np.abs(values).max())
        if not least <= largest <= most:
            raise UsageError(
                f"the largest {name} is {largest:g}: between {least:g} and {most:g} is computed"
            )
    if not (inputs @ matrix).any():
        raise UsageError("every product of these inputs is zero: no relative error to state")
