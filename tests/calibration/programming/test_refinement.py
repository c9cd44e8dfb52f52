"""A programmed board does what was wanted, and is left that way."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.branches.characterization import characterize
from calibration.errors import OverloadError
from calibration.programming.pairs import differences, left_to_reach, pair_banks
from calibration.programming.refinement import FAR_OFF_SHARE, program, reprogram
from calibration.programming.rounds import MAX_ROUNDS
from calibration.programming.targets import choose_targets
from calibration.transfer.measure import measure_transfer, weighing_signs
from simulator.preset import load_preset
from tests.support.simulated_boards import (
    NO_NOISE,
    STILL,
    changed,
    small,
    switched_on,
    true_transfer,
)

LONG_WIRES = {"wire": {"row_ohms": 1.0, "column_ohms": 1.0, "source_ohms": 5.0, "sense_ohms": 5.0}}


@cache
def calibrated(preset_of=small, seed=1):
    """The calibration of a board; the board itself is made anew for each test."""
    return characterize(switched_on(preset_of(), seed))


def weights_of(seed, rows=8, outputs=4):
    return np.random.default_rng(seed).uniform(-1, 1, (rows, outputs))


def run(weights, preset=None, seed=1, calibration=None, **how):
    """Program a board, characterized first unless a calibration is given."""
    board = switched_on(preset or small(), seed)
    calibration = calibration or characterize(board)
    return board, program(board, calibration, choose_targets(weights, calibration), **how)


def true_error(preset, seed, programmed):
    """(rows, outputs): what the board really does, less what was wanted; of the largest wanted."""
    rows, outputs = programmed.targets.difference_siemens.shape
    truth = true_transfer(preset, seed, programmed.pattern, programmed.range_amperes)
    wanted = programmed.targets.difference_siemens
    return (differences(truth[:rows], outputs) - wanted) / np.abs(wanted).max()


def rms(values):
    return float(np.sqrt((values**2).mean()))


@pytest.mark.parametrize("seed", range(6))
def test_sixteen_bits_with_all_that_the_preset_has(seed):
    _, programmed = run(weights_of(seed), seed=seed)
    assert programmed.residual_rms < 2.0**-16
    assert rms(true_error(small(), seed, programmed)) < 2.0**-16


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("wires", "better"), [({}, 60), (LONG_WIRES, 30)])
def test_refinement_is_worth_its_rounds(seed, wires, better):
    preset = small(wires)
    _, programmed = run(weights_of(seed), preset, seed=seed)
    first = programmed.round_residuals[0]
    assert programmed.round_residuals[-1] == programmed.residual_rms
    assert programmed.residual_rms < first / better
    assert rms(true_error(preset, seed, programmed)) < first / better


@pytest.mark.parametrize("seed", range(2))
def test_strong_wires_are_no_obstacle(seed):
    preset = small(LONG_WIRES, shape={"rows": 32, "columns": 32})
    _, programmed = run(weights_of(seed, 32, 16), preset, seed=seed)
    assert len(programmed.round_residuals) <= 5
    assert rms(true_error(preset, seed, programmed)) < 2.0**-15


def test_residual_is_what_was_measured_of_the_best_pattern():
    weights = weights_of(3)
    board, programmed = run(weights)
    np.testing.assert_array_equal(board.pattern, programmed.pattern)
    assert board.range_amperes == programmed.range_amperes
    wanted = weights * programmed.targets.scale_siemens
    again = measure_transfer(board, 8, 8, 15 / 16)
    np.testing.assert_allclose(
        differences(again.siemens, 4) - wanted,
        programmed.residual_siemens,
        atol=10 * np.hypot(*again.uncertainty_siemens[:2]),
    )
    assert programmed.residual_rms == pytest.approx(
        rms(programmed.residual_siemens) / np.abs(wanted).max()
    )


def test_rounds_end_when_they_no_longer_help():
    told = []
    _, programmed = run(weights_of(1), progress=lambda *step: told.append(step))
    rounds = len(programmed.round_residuals)
    steps = [(number + 1, MAX_ROUNDS) for number in range(rounds)]
    assert told == [*steps, (rounds, rounds)]
    assert 2 <= rounds < MAX_ROUNDS


@pytest.mark.parametrize("seed", range(4))
def test_the_first_round_that_is_not_worth_its_time_is_the_last(seed):
    """Without noise one measurement tells all: of the next pattern nothing is left to learn."""
    board, programmed = run(weights_of(seed), small(NO_NOISE), seed=seed)
    assert len(programmed.round_residuals) == 2
    assert len(reprogram(board, programmed).round_residuals) == 2


def test_where_no_pair_can_be_helped_one_round_is_all():
    """Every crosspoint has one small branch left, and large weights are wanted."""
    calibration = calibrated()
    status = np.where(np.arange(10) < 9, 1, calibration.status).astype(np.int8)
    lossy = replace(
        calibration,
        status=status,
        branch_siemens=np.where(status == 0, calibration.branch_siemens, 0.0),
    )
    targets = choose_targets(weights_of(5), calibration)
    programmed = program(switched_on(small(), 1), lossy, targets)
    assert (programmed.unreachable | programmed.coarse).all()
    assert len(programmed.round_residuals) == 2


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 1000))
def test_a_part_of_the_board_is_used_and_the_rest_stays_open(rows, outputs, seed):
    weights = weights_of(seed, rows, outputs)
    board, programmed = run(weights, calibration=calibrated())
    assert not board.pattern[rows:].any()
    assert not board.pattern[:, 2 * outputs :].any()
    assert programmed.residual_siemens.shape == weights.shape
    assert not programmed.unreachable.any()
    # one weight alone is as exact as its own subset sums, many as their root mean square
    assert rms(true_error(small(), 1, programmed)) < 2.0**-13


@pytest.mark.parametrize(("rows", "outputs"), [(1, 1), (2, 1), (5, 1), (3, 2), (8, 1)])
def test_wires_of_a_small_part_are_known_as_well_as_is_said(rows, outputs):
    """Elements are few there, down to fewer than the unknowns, and leave no scatter to judge by."""
    true = small().wire
    for seed in range(8):
        _, programmed = run(weights_of(seed, rows, outputs), calibration=calibrated())
        found = programmed.wire
        for name in ("row_ohms", "column_ohms", "source_ohms", "sense_ohms"):
            off = getattr(found.wire, name) - getattr(true, name)
            assert abs(off) < 5 * getattr(found.uncertainty, name), (seed, name)


def test_one_weight():
    for weight in (1.0, -1.0, 1e-9, 1e9):
        board, programmed = run(np.array([[weight]]), calibration=calibrated())
        assert programmed.residual_rms < 2.0**-13
        assert abs(true_error(small(), 1, programmed)[0, 0]) < 2.0**-13
        assert board.pattern[0, :2].any()
        assert not board.pattern[1:].any()


def test_zero_weights_are_zero():
    weights = weights_of(2)
    weights[np.random.default_rng(3).random(weights.shape) < 0.7] = 0
    _, programmed = run(weights, calibration=calibrated())
    error = true_error(small(), 1, programmed)[weights == 0]
    assert len(error) > 15
    assert rms(error) < 2.0**-13


def test_the_scale_is_the_one_that_was_measured():
    weights = weights_of(4)
    _, programmed = run(weights)
    targets = programmed.targets
    np.testing.assert_allclose(targets.difference_siemens, weights * targets.scale_siemens)
    wanted = targets.difference_siemens
    assert abs((programmed.residual_siemens * wanted).sum() / (wanted**2).sum()) < 1e-12


def test_a_board_that_warms_up_is_not_chased_with_switches():
    board = switched_on(small(), 5)
    calibration = characterize(board)
    targets = choose_targets(weights_of(5), calibration)
    still = program(board, calibration, targets)
    read, readings = board.column_currents, []

    def warming(volts):
        readings.append(len(volts))
        return read(volts) * (1 - 2e-5 * len(readings))  # 0.2 K from one measurement to the next

    board = switched_on(small(), 5)
    read, board.column_currents = board.column_currents, warming
    warm = program(board, calibration, targets)
    assert len(warm.round_residuals) <= len(still.round_residuals) + 2
    assert warm.residual_rms < 2.0**-16
    moved = [
        one.targets.scale_siemens / targets.scale_siemens
        for one in (warm, still)  # each by its choice of scale, in tenths, and what it measured
    ]
    drifted = moved[0] / np.round(moved[0], 1) / (moved[1] / np.round(moved[1], 1))
    assert drifted.max() < 1 - 1e-5
    assert drifted.min() > 1 - 1e-3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_dead_branches_are_never_closed(seed):
    fractions = {"open": 0.02, "short": 0.02, "stuck_on": 0.02, "stuck_off": 0.02}
    preset = small(defects=fractions)
    board = switched_on(preset, seed)
    calibration = characterize(board)
    targets = choose_targets(weights_of(seed), calibration)
    programmed = program(board, calibration, targets)
    assert (~calibration.usable).sum() > 20
    assert not (programmed.pattern & ~calibration.usable).any()
    reached = ~programmed.unreachable
    assert reached.sum() >= 28
    assert rms(true_error(preset, seed, programmed)[reached]) < 2.0**-12


def test_cells_out_of_reach_are_told_and_cost_the_others_nothing():
    calibration = calibrated()
    status = calibration.status.copy()
    status[2, 4, :8] = 1  # the plus side of cell (2, 2) has two small branches left
    weights = weights_of(5)
    weights[2, 2] = 1.0
    lossy = replace(
        calibration,
        status=status,
        branch_siemens=np.where(status == 0, calibration.branch_siemens, 0.0),
    )
    _, programmed = run(weights, calibration=lossy)
    assert np.argwhere(programmed.unreachable).tolist() == [[2, 2]]
    assert programmed.pattern[2, 4, 8:].all()  # as near as it comes
    assert not programmed.pattern[2, 4, :8].any()
    assert not programmed.pattern[2, 5].any()
    error = true_error(small(), 1, programmed)
    assert abs(error[2, 2]) > 0.5
    assert rms(error[~programmed.unreachable]) < 2.0**-12


def test_ranges_hold_what_they_are_for():
    preset = small(shape={"rows": 32, "columns": 8})
    board, programmed = run(weights_of(6, 32, 4), preset)
    ranges = board.ranges_amperes.tolist()
    corner = np.full((1, 32), 15 / 16)
    assert len(programmed.ranges) > 1
    assert np.isnan(board.column_currents(corner)).any()  # for most inputs, not for this one
    assert np.isfinite(measure_transfer(board, 32, 8, 15 / 16).siemens).all()
    board.configure(range_amperes=ranges[ranges.index(programmed.range_amperes) - 1])
    with pytest.raises(OverloadError):
        measure_transfer(board, 32, 8, 15 / 16)
    board.configure(range_amperes=programmed.ranges[-1].range_amperes)
    assert np.isfinite(board.column_currents(np.concatenate([corner, -corner]))).all()


def test_a_row_driver_that_dies_is_reported_and_costs_the_others_nothing():
    board = switched_on(small(), 7)
    calibration = characterize(board)
    board.faults.dead_rows = [3]
    weights = weights_of(7)
    programmed = program(board, calibration, choose_targets(weights, calibration))
    expected = np.zeros((8, 4), dtype=bool)
    expected[3] = np.abs(weights[3]) * programmed.targets.scale_siemens > (
        FAR_OFF_SHARE * np.abs(programmed.targets.difference_siemens).max()
    )
    np.testing.assert_array_equal(programmed.unreachable, expected)
    assert rms(true_error(small(), 7, programmed)[np.arange(8) != 3]) < 2.0**-14


def test_branches_that_die_after_characterization_are_done_without():
    calibration = calibrated()
    alive = np.random.default_rng(8).random(calibration.status.shape) > 0.02
    board = switched_on(small(), 1)
    apply = board.apply
    board.apply = lambda pattern: apply(pattern & alive)
    weights = weights_of(8)
    programmed = program(board, calibration, choose_targets(weights, calibration))
    assert not programmed.unreachable.any()
    programmed = replace(programmed, pattern=programmed.pattern & alive)
    assert rms(true_error(small(), 1, programmed)) < 2.0**-14


def test_the_default_board():
    preset = changed(small(), shape={"rows": 64, "columns": 32})
    _, programmed = run(weights_of(7, 64, 16), preset)
    assert programmed.residual_rms < 2.0**-16.5
    assert rms(true_error(preset, 1, programmed)) < 2.0**-16.5


@pytest.mark.parametrize("seed", range(3))
def test_a_board_that_aged_is_programmed_anew_without_being_characterized(seed):
    preset = load_preset("8x4").with_effects(**STILL | {"ageing": 1.0})
    board = switched_on(preset, seed)
    calibration = characterize(board)
    programmed = program(board, calibration, choose_targets(weights_of(seed), calibration))

    def error(of):
        now = measure_transfer(board, 8, 8, 15 / 16)
        wanted = of.targets.difference_siemens
        return rms(differences(now.siemens, 4) - wanted) / np.abs(wanted).max()

    fresh = error(programmed)
    board.clock.advance(36_000, "integrating")
    aged = error(programmed)
    began = board.moment()[0]
    again = reprogram(board, programmed)
    assert fresh < aged / 3
    assert error(again) < aged / 1.6
    assert board.moment()[0] - began < 10
    assert again.targets.scale_siemens == pytest.approx(programmed.targets.scale_siemens, rel=1e-4)
    np.testing.assert_array_equal(board.pattern, again.pattern)


@pytest.mark.parametrize("seed", [2, 4])
def test_the_pattern_that_measured_best_stays(seed):
    """An ADC of 14 bits measures so coarsely that rounds lead astray as often as not."""
    board, programmed = run(weights_of(seed), small(adc={"bits": 14}), seed=seed)
    *before, last = programmed.round_residuals
    assert min(before) < 0.9 * before[-1]  # the last round was not the best
    # Measured anew: the root mean square of 32 pairs scatters by 1/√64 of itself.
    assert last < 1.2 * min(before)
    assert last == programmed.residual_rms
    np.testing.assert_array_equal(board.pattern, programmed.pattern)


def test_sums_that_are_too_coarse_are_not_called_beyond_reach():
    preset = small(shape={"branches": 5})
    _, programmed = run(weights_of(1), preset)
    wanted = programmed.targets.difference_siemens
    bank = pair_banks(programmed.estimate.branches, 8, 4)
    spanned = left_to_reach(bank, wanted.ravel()).reshape(8, 4) > 0
    assert programmed.coarse.sum() > 10
    assert spanned[programmed.coarse].all()
    assert not (programmed.coarse & programmed.unreachable).any()
    assert not spanned[programmed.unreachable].any()
    far = np.abs(programmed.residual_siemens) > FAR_OFF_SHARE * np.abs(wanted).max()
    assert far[programmed.coarse].mean() > 0.7  # by its own branches, before wires had their say
    assert programmed.coarse_rms > FAR_OFF_SHARE > programmed.residual_rms


def test_no_residual_is_stated_where_no_pair_is_within_reach():
    _, programmed = run(weights_of(1), calibration=calibrated())
    none = replace(programmed, unreachable=np.ones((8, 4), dtype=bool))
    assert math.isnan(none.residual_rms)
    assert math.isnan(none.coarse_rms)


def test_programming_anew_what_has_not_moved_is_no_worse():
    board, programmed = run(weights_of(2))
    again = reprogram(board, programmed)
    assert again.residual_rms < max(1.5 * programmed.residual_rms, 2.0**-16)
    assert rms(true_error(small(), 1, again)) < 2.0**-16


class Saturating:
    """A board of which one column overloads, whatever the range."""

    def __init__(self, board, column):
        self.board, self.column = board, column

    def __getattr__(self, name):
        return getattr(self.board, name)

    def column_currents(self, row_volts):
        amperes = self.board.column_currents(row_volts)
        amperes[:, self.column] = np.nan
        return amperes


@pytest.mark.parametrize("column", [0, 5])
def test_a_column_that_overloads_costs_its_output_and_no_other(column):
    weights = weights_of(4)
    sound, whole = run(weights, calibration=calibrated())
    board = Saturating(switched_on(small(), 1), column)
    programmed = program(board, calibrated(), choose_targets(weights, calibrated()))
    lost = np.arange(4) == column // 2
    np.testing.assert_array_equal(programmed.lost, lost)
    assert programmed.range_amperes == whole.range_amperes == board.range_amperes
    assert programmed.unreachable[:, lost].all()
    assert not programmed.unreachable[:, ~lost].any()
    assert not programmed.pattern[:, 2 * (column // 2) : 2 * (column // 2) + 2].any()
    for values in (programmed.transfer.siemens, programmed.residual_siemens):
        assert np.isfinite(values).all()
        assert not values[:, column // 2 * (1 if values.shape[1] == 4 else 2)].any()
    assert rms(programmed.residual_siemens[:, ~lost]) < 2 * rms(whole.residual_siemens)
    again = reprogram(board, programmed)
    np.testing.assert_array_equal(again.lost, lost)
    assert rms(again.residual_siemens[:, ~lost]) < 3 * rms(whole.residual_siemens)
    assert sound.range_amperes == board.range_amperes


@pytest.mark.parametrize("widest_share", [1.0, 1.06, 1.12, 1.2, 1.3])
def test_no_output_of_a_sound_board_is_lost_where_the_widest_range_is_narrow(widest_share):
    weights = weights_of(4)
    _, first = run(weights, calibration=calibrated())
    largest = (
        first.transfer.volts
        * np.abs(weighing_signs(8) @ first.transfer.siemens[:, : 2 * weights.shape[1]]).max()
    )
    ranges = [1e-5, float(largest * widest_share)]
    board = switched_on(changed(small(), tia={"ranges_amperes": ranges}), 1)
    board.configure(aperture_seconds=20e-3, delay_seconds=1e-3)
    programmed = program(board, calibrated(), choose_targets(weights, calibrated()))
    assert not programmed.lost.any()
    assert rms(programmed.residual_siemens) < 2 * rms(first.residual_siemens)
