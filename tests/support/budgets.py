"""Budgets of products on boards that are simulated in this process, and what they really err by."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from calibration.branches.characterization import characterize
from calibration.budget.causes import Budget, Products, budget_of_squares, predict_squares
from calibration.budget.products import products_of
from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.measure import measure_converters
from calibration.converters.range_gains import measure_ranges
from calibration.crossbar import Moment, measuring_volts
from calibration.noise.survey import NoiseSurvey, survey_noise, usual_settings
from calibration.programming import refinement
from calibration.programming.targets import choose_targets
from instrument.matrix.programmed import ProgrammedMatrix
from instrument.validation.products import validate
from simulator.preset import load_preset
from tests.support.in_process import as_driver
from tests.support.simulated_boards import switched_on
from tests.support.tiled_programs import alone

VECTORS = 256


@dataclass(frozen=True)
class Budgeted:
    """Products, what they should err by, and what they err by."""

    program: ProgrammedMatrix
    products: Products
    budget: Budget
    relative_error: float
    moments: list[Moment]

    @property
    def ratio(self) -> float:
        """Measured over predicted relative error."""
        return self.relative_error / self.budget.relative_error

    def of_cause(self, cause: str) -> float:
        """Return the relative error by one cause."""
        return next(row.relative_error for row in self.budget.rows if row.cause == cause)


def budget_at_one_scale(products: Products, survey: NoiseSurvey) -> Budget:
    """Return the budget of products whose outputs all have the same scale."""
    squares = predict_squares(products, survey)
    return budget_of_squares(
        {cause: float(square.sum()) for cause, square in squares.items()},
        float((products.asked_amperes**2).sum()),
    )


def budgeted(preset: str, seed: int, effect: str = "", factor: float = 1.0) -> Budgeted:
    """Multiply random vectors by a random matrix on a board, one of whose effects is scaled."""
    return _budgeted(preset, seed, () if factor == 1 else ((effect, factor),))


@cache
def _budgeted(preset: str, seed: int, scaled: tuple[tuple[str, float], ...]) -> Budgeted:
    effects = dict(scaled)
    board = as_driver(switched_on(load_preset(preset).with_effects(**effects), seed))
    converters = measure_converters(board)
    straight = CorrectedCrossbar(board, converters)
    branches = characterize(straight)
    corrected = CorrectedCrossbar(
        board, converters, measure_ranges(straight, converters.columns, branches)
    )
    settings = usual_settings(
        board,
        branches,
        aperture_seconds=board.aperture_seconds,
        delay_seconds=board.delay_seconds,
        line_hertz=50.0,
    )
    survey = survey_noise(board, branches, settings)

    random = np.random.default_rng(seed)
    weights = random.uniform(-1, 1, (board.rows, board.columns // 2))
    inputs = random.uniform(-1, 1, (VECTORS, board.rows))
    volts = measuring_volts(board.row_volts_limit)
    program = ProgrammedMatrix(
        board=board,
        corrected=corrected,
        weights=weights,
        programmed=refinement.program(corrected, branches, choose_targets(weights, branches)),
        volts_per_unit=volts,
        input_full_scale=1.0,
    )
    moments = [Moment(*board.moment())]

    def note_the_moment(_done: int, _total: int) -> None:
        moments.append(Moment(*board.moment()))

    validation = validate(alone(program), inputs, note_the_moment)
    products = products_of(
        program.programmed, branches, converters, survey, volts * inputs, moments
    )
    budget = budget_at_one_scale(products, survey)
    return Budgeted(program, products, budget, validation.relative_error, moments)
