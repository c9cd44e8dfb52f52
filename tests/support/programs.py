"""Matrices programmed on boards that are simulated in this process, without wires to them."""

from functools import cache

import numpy as np

from calibration.branches.characterization import characterize
from calibration.crossbar import measuring_volts
from calibration.programming import refinement, targets
from instrument.matrix.programmed import ProgrammedMatrix
from instrument.matrix.tiled import TiledMatrix
from simulator.electronics import SimulatedCrossbar
from simulator.preset import load_preset
from tests.support.in_process import as_driver
from tests.support.simulated_boards import STILL, switched_on
from tests.support.tiled_programs import alone, changed, programmed_of

NOISE = ["johnson", "amplifier_noise", "adc_noise"]
LINEAR = STILL | dict.fromkeys([*NOISE, "dac_quantization", "adc_quantization"], 0.0)
"""Factors that leave a board that is wrong in many ways, but linear, and the same every time."""
NOISY = STILL | {"dac_quantization": 0.0, "adc_quantization": 0.0, "adc_noise": 30.0}
"""Factors that leave a linear board with white noise, and more of that than of anything else."""


def weights_of(seed: int, rows: int = 8, outputs: int = 4):
    return np.random.default_rng(seed).uniform(-1, 1, (rows, outputs))


def program(seed: int = 1, *, input_full_scale: float = 1.0, **effects: float) -> TiledMatrix:
    """Return random weights on an 8x4 board with some of its effects scaled."""
    return _programmed(seed, input_full_scale, tuple(effects.items()))


@cache
def _programmed(
    seed: int, input_full_scale: float, effects: tuple[tuple[str, float], ...]
) -> TiledMatrix:
    board = as_driver(switched_on(load_preset("8x4").with_effects(**dict(effects)), seed))
    calibration, weights = characterize(board), weights_of(seed)
    return on_board(board, calibration, weights, input_full_scale)


def moved(program: TiledMatrix, seed: int = 1, **effects: float) -> TiledMatrix:
    """Return the same pattern on the same board with other effects: its draws are the same."""
    board = as_driver(switched_on(load_preset("8x4").with_effects(**effects), seed))
    board.apply(programmed_of(program).pattern)
    board.configure(range_amperes=programmed_of(program).range_amperes)
    return changed(program, board=board, corrected=board)


def on_board(board: SimulatedCrossbar, calibration, weights, input_full_scale=1.0):
    """Program weights on a board that is characterized."""
    wanted = targets.choose_targets(weights, calibration)
    return alone(
        ProgrammedMatrix(
            board=board,
            corrected=board,
            weights=weights,
            programmed=refinement.program(board, calibration, wanted),
            volts_per_unit=measuring_volts(board.row_volts_limit) / input_full_scale,
            input_full_scale=input_full_scale,
        )
    )
