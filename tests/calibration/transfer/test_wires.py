"""The wires: found from the board's own measurements, and taken out of the branch values."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.branches.characterization import characterize
from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.measure import measure_converters
from calibration.converters.range_gains import measure_ranges
from calibration.crossbar import measuring_volts
from calibration.programming.refinement import program
from calibration.programming.targets import choose_targets
from calibration.transfer.measure import TransferMeasurement, measure_transfer
from calibration.transfer.wires import identify_wire, without_wire_drop
from kirchhoff import Wire, transfer_matrix
from simulator.parts.resistors import draw_branches
from simulator.preset import load_preset
from tests.support.simulated_boards import NO_GAIN, NO_NOISE, changed, small, switched_on

WIDE = {"shape": {"rows": 12, "columns": 40, "branches": 6}}
HEAVY = {
    "wire": {"row_ohms": 0.05, "column_ohms": 0.03, "source_ohms": 0.2, "sense_ohms": 0.1},
}


EVERYTHING = changed(load_preset("8x4"), shape={"rows": 16, "columns": 16, "branches": 10})
"""With all effects, and with wires long enough to be told."""


def half_closed(board, seed=0):
    shape = board.rows, board.columns, board.branches
    pattern = np.random.default_rng(seed).random(shape) < 0.5
    board.apply(pattern)
    return pattern


def scores(preset, seed):
    """Errors over standard uncertainties of the four resistances, of a board that is measured as
    the bench does it, but for the pattern: half of the branches at random, not those selected.
    """
    board = switched_on(preset, seed)
    converters = measure_converters(board)
    straight = CorrectedCrossbar(board, converters)
    branches = characterize(straight)
    ranges = measure_ranges(straight, converters.columns, branches)
    corrected = CorrectedCrossbar(board, converters, ranges)
    pattern = half_closed(corrected, seed)
    corrected.configure(range_amperes=1e-3)
    volts = measuring_volts(board.row_volts_limit)
    measured = measure_transfer(corrected, board.rows, board.columns, volts)
    estimate = identify_wire(branches, pattern, measured)
    true = np.array(astuple(Wire(**preset.wire.model_dump())))
    return (np.array(astuple(estimate.wire)) - true) / astuple(estimate.uncertainty)


def test_probes_without_the_wires_drop_are_the_branches():
    preset = small(NO_GAIN, NO_NOISE, HEAVY, **WIDE)
    drawn = draw_branches(preset, 3)
    true = drawn.closed_siemens - drawn.open_siemens
    measured = characterize(switched_on(preset, 3))
    freed = without_wire_drop(measured, Wire(**preset.wire.model_dump()))
    dropped = np.abs(measured.branch_siemens / true - 1).max()
    assert dropped > 1e-4
    assert np.abs(freed.branch_siemens / true - 1).max() < dropped * 1e-3
    np.testing.assert_allclose(freed.open_siemens, drawn.open_siemens.sum(axis=2), rtol=1e-3)


def test_no_wire_takes_nothing_out():
    measured = characterize(switched_on(small(), 3))
    freed = without_wire_drop(measured, Wire(0.0, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(freed.branch_siemens, measured.branch_siemens, rtol=1e-12)
    np.testing.assert_allclose(freed.open_siemens, measured.open_siemens, rtol=1e-9)


@settings(deadline=None, max_examples=15)
@given(st.floats(0.01, 0.5), st.floats(0.01, 0.5), st.floats(0.05, 1.0), st.integers(0, 2**32 - 1))
def test_wires_are_found_from_exact_measurements(row_ohms, column_ohms, source_ohms, seed):
    random = np.random.default_rng(seed)
    wire = Wire(row_ohms, column_ohms, source_ohms, 0.1)
    board = switched_on(small(NO_GAIN, NO_NOISE, **WIDE), 3)
    seen = characterize(board)
    true = without_wire_drop(seen, wire)  # any branches will do: these are what `seen` would mean
    pattern = random.random(seen.status.shape) < 0.5
    crosspoints = true.open_siemens + (pattern * true.branch_siemens).sum(axis=2)
    gains = 1 + 1e-3 * random.uniform(-1, 1, board.columns)
    measured = TransferMeasurement(
        transfer_matrix(crosspoints, wire) * gains,
        np.zeros(board.columns),
        np.full(board.columns, 1e-12),
        volts=1.0,
    )
    found = identify_wire(seen, pattern, measured).wire
    assert found.row_ohms == pytest.approx(row_ohms, rel=1e-3)
    assert found.column_ohms == pytest.approx(column_ohms, rel=1e-3)
    assert found.source_ohms == pytest.approx(source_ohms, rel=0.02)


def test_wires_are_found_on_a_noisy_board_within_their_uncertainty():
    preset = small(HEAVY, **WIDE)
    true = astuple(Wire(**preset.wire.model_dump()))
    scores = []
    for seed in range(6):
        board = switched_on(preset, seed)
        calibration = characterize(board)
        pattern = half_closed(board, seed)
        board.configure(range_amperes=1e-3)
        volts = measuring_volts(board.row_volts_limit)
        measured = measure_transfer(board, board.rows, board.columns, volts)
        estimate = identify_wire(calibration, pattern, measured)
        assert estimate.uncertainty.row_ohms < 0.1 * preset.wire.row_ohms
        assert estimate.uncertainty.column_ohms < 0.1 * preset.wire.column_ohms
        found, spread = astuple(estimate.wire), astuple(estimate.uncertainty)
        scores += [(f - t) / s for f, t, s in zip(found[:3], true[:3], spread[:3], strict=True)]
    # 18 scores of unit variance: the sum of their squares is beyond 50 once in 10,000.
    assert sum(score**2 for score in scores) < 50


def test_with_all_effects_errors_are_what_is_stated():
    z = np.array([scores(EVERYTHING, seed) for seed in range(6)])
    # 24 scores of unit variance at most: the sum of their squares is beyond 62 once in 30,000.
    assert (z**2).sum() < 62


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_95_percent_intervals_cover_the_wires_of_400_boards():
    """Chance alone moves a share of 95 % of 400 boards by 1.1 % (one standard deviation).

    Sense and source are hardly told from gains on a board as small as this: what is supposed of
    them before has a say, and nothing below zero is used, so that their intervals cover more.
    """
    covered = np.mean([np.abs(scores(EVERYTHING, seed)) < 1.96 for seed in range(400)], axis=0)
    row, column, source, sense = covered
    assert 0.93 <= row <= 0.97
    assert 0.93 <= column <= 0.97
    assert min(source, sense) >= 0.93


def test_drift_between_two_readings_of_the_reference_is_common_to_the_rows_read_meanwhile():
    """It is stated so, is symmetric, and never more than the uncertainty of a row."""
    covariance = characterize(switched_on(EVERYTHING, 1)).drift_covariance
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-9, atol=1e-24)
    variance = np.diagonal(covariance)
    assert np.linalg.eigvalsh(covariance).min() > -1e-6 * variance.max()
    neighbours = np.diagonal(covariance, 1) / np.sqrt(variance[1:] * variance[:-1])
    assert neighbours.mean() > 0.3


def test_a_column_wire_is_less_certain_where_rows_drift():
    board = switched_on(EVERYTHING, 1)
    calibration = characterize(board)
    pattern = half_closed(board, 1)
    board.configure(range_amperes=1e-3)
    volts = measuring_volts(board.row_volts_limit)
    measured = measure_transfer(board, board.rows, board.columns, volts)
    usual = identify_wire(calibration, pattern, measured).uncertainty
    drifting = replace(calibration, drift_covariance=100 * calibration.drift_covariance)
    drifted = identify_wire(drifting, pattern, measured).uncertainty
    # Ten times in ρ, less what is white in it: the DACs and the scatter of the elements.
    assert 2 < drifted.column_ohms / usual.column_ohms < 10
    assert drifted.row_ohms < 2 * usual.row_ohms


def test_what_was_never_closed_tells_nothing_and_harms_nothing():
    board = switched_on(small(), 2)
    calibration = characterize(board)
    pattern = np.zeros(calibration.status.shape, dtype=bool)
    pattern[0, 0, :5] = True
    siemens = np.full((board.rows, board.columns), np.nan)
    siemens[0, 0] = (pattern * calibration.branch_siemens).sum()
    measured = TransferMeasurement(
        siemens, np.zeros(board.columns), np.zeros(board.columns), volts=1.0
    )
    estimate = identify_wire(calibration, pattern, measured)
    assert astuple(estimate.wire) == (0.0, 0.0, 0.0, 0.0)
    assert astuple(estimate.uncertainty) == pytest.approx((1.0, 1.0, 1.0, 1.0))


def test_a_wide_board_is_programmed_beyond_what_its_wires_would_allow():
    preset = small(HEAVY, shape={"rows": 8, "columns": 200, "branches": 10})
    board = switched_on(preset, 1)
    calibration = characterize(board)
    weights = np.random.default_rng(1).uniform(-1, 1, (8, 100))
    done = program(board, calibration, choose_targets(weights, calibration))
    assert done.round_residuals[0] > 2.0**-9
    assert done.residual_rms < 2.0**-12.5
