"""Characterization finds what the branches really are, to the uncertainty that it states."""

import numpy as np
import pytest

from calibration.branches.characterization import characterize
from calibration.branches.plan import mean_sum_variance
from simulator.parts.resistors import draw_branches
from tests.support.simulated_boards import NO_GAIN, NO_WIRE, changed, small, switched_on

WIDE = small(NO_WIRE, shape={"rows": 32, "columns": 32})
IDEAL_GAINS = changed(WIDE, dac={"gain": 0.0}, tia={"gain": 0.0}, adc={"gain": 0.0})
SEED = 21
TOTAL_SIEMENS = sum(1e-5 / 10 ** (k / 10) for k in range(10))


def true_steps(preset, seed=SEED):
    drawn = draw_branches(preset, seed)
    return drawn.closed_siemens - drawn.open_siemens


def scores(preset, **how):
    """Errors over stated uncertainties (rows, columns, branches), and the calibration."""
    board = switched_on(preset, SEED)
    board.configure(aperture_seconds=how.pop("aperture_seconds", 0.02))
    measured = characterize(board, **how)
    assert (measured.status == 0).all()
    error = measured.branch_siemens - true_steps(preset)
    return error / measured.uncertainty_siemens, measured


@pytest.mark.parametrize(
    ("aperture_seconds", "wanted_bits"), [(0.02, 18), (1e-3, 18), (1e-4, 19), (1e-5, 16)]
)
def test_stated_uncertainty_covers_the_error(aperture_seconds, wanted_bits):
    z, _ = scores(IDEAL_GAINS, aperture_seconds=aperture_seconds, wanted_bits=wanted_bits)
    assert z.size == 10_240
    assert 0.9 < z.std() < 1.1
    assert 0.94 < (np.abs(z) < 2).mean() < 0.97
    assert np.abs(z).max() < 6
    assert abs(z.mean()) < 0.1  # offsets of DACs and amplifiers are on, and leave no bias


def test_uncertainty_is_right_for_every_column():
    z, measured = scores(IDEAL_GAINS)
    assert z.std(axis=(0, 2)).min() > 0.8
    assert z.std(axis=(0, 2)).max() < 1.2
    assert len(np.unique(measured.uncertainty_siemens[0, :, 0])) == 32


def test_conductances_are_true_but_for_a_gain_of_each_row_and_column():
    measured = characterize(switched_on(WIDE, SEED))
    truth = true_steps(WIDE)
    log_ratio = np.log(measured.branch_siemens / truth)
    weight = (truth / measured.uncertainty_siemens) ** 2
    row_gain, column_gain = np.zeros(32), np.zeros(32)
    for _ in range(50):  # weighted least squares of the rank-one gain, one side after the other
        rest = log_ratio - column_gain[:, None]
        row_gain = (weight * rest).sum(axis=(1, 2)) / weight.sum(axis=(1, 2))
        rest = log_ratio - row_gain[:, None, None]
        column_gain = (weight * rest).sum(axis=(0, 2)) / weight.sum(axis=(0, 2))
    z = (log_ratio - row_gain[:, None, None] - column_gain[:, None]) * np.sqrt(weight)
    assert 0.9 < z.std() < 1.1
    assert 3e-4 < row_gain.std() < 9e-4  # uniform within 1E-3
    assert 3e-4 < column_gain.std() < 9e-4


@pytest.mark.parametrize("off_ohms", [1e6, 1e7])
def test_leakage_drops_out(off_ohms):
    preset = changed(IDEAL_GAINS, switches={"off_ohms": off_ohms})
    z, measured = scores(preset)
    assert 0.9 < z.std() < 1.1
    assert abs(z.mean()) < 0.1
    leakage = draw_branches(preset, SEED).open_siemens.sum(axis=2)
    error = measured.open_siemens - leakage
    assert np.abs(error).max() < 6 * measured.uncertainty_siemens.max()
    assert (leakage > 100 * measured.uncertainty_siemens.max()).all()


def passes_over(measured):
    """How often each point was read, the reference left out."""
    rows, columns = measured.open_siemens.shape
    return measured.readings // (2 * rows * columns * len(measured.groups))


def test_one_reading_of_each_polarity_where_it_suffices():
    measured = characterize(switched_on(small(), 1))
    assert passes_over(measured) == 1
    assert measured.design == "one at a time"
    assert len(measured.groups) == 11


@pytest.mark.parametrize("wanted_bits", [17, 18])
def test_more_readings_where_uncertainty_asks_for_them(wanted_bits):
    board = switched_on(small(), 1)
    board.configure(aperture_seconds=1e-5)
    measured = characterize(board, wanted_bits=wanted_bits)
    wanted = 2.0**-wanted_bits * TOTAL_SIEMENS
    assert 1 < passes_over(measured) < 64
    rows, columns = np.indices(measured.open_siemens.shape)
    every = measured.covariance(rows.ravel(), columns.ravel())
    sums = max(mean_sum_variance(each) for each in every) ** 0.5
    worst = max(sums, measured.uncertainty_siemens.max())
    assert 0.7 * wanted < worst <= wanted  # and not more of them than that


def test_readings_end_at_64_passes():
    board = switched_on(small(shape={"rows": 2}), 1)
    board.configure(aperture_seconds=1e-5)
    before = board.clock.seconds
    measured = characterize(board, wanted_bits=26)
    assert 64 <= passes_over(measured) <= 66
    assert measured.uncertainty_siemens.max() > 2.0**-26 * TOTAL_SIEMENS
    assert board.clock.seconds - before > measured.readings / board.columns * 1e-5


def test_stated_uncertainty_is_the_covariance():
    measured = characterize(switched_on(small(defects={"open": 0.1}), 3))
    rows, columns = np.indices(measured.open_siemens.shape)
    covariance = measured.covariance(rows.ravel(), columns.ravel()).reshape(8, 8, 11, 11)
    stated = np.sqrt(np.diagonal(covariance, axis1=2, axis2=3))
    ok = measured.usable
    np.testing.assert_allclose(measured.uncertainty_siemens[ok], stated[:, :, 1:][ok], rtol=1e-12)
    np.testing.assert_allclose(measured.open_uncertainty_siemens, stated[:, :, 0], rtol=1e-12)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    # Each branch is a difference against the one open reading, which they so have in common.
    shared = covariance[:, :, 1:, 0] / stated[:, :, :1] ** 2
    np.testing.assert_allclose(shared, -1, atol=0.02)


@pytest.mark.parametrize("branches", [1, 2, 3, 7, 32])
def test_any_number_of_branches(branches):
    preset = changed(small(NO_WIRE, NO_GAIN), shape={"branches": branches})
    measured = characterize(switched_on(preset, SEED))
    assert measured.branch_siemens.shape == (8, 8, branches)
    error = measured.branch_siemens - true_steps(preset)
    assert (np.abs(error) < 6 * measured.uncertainty_siemens).all()
    assert passes_over(measured) * len(measured.groups) >= 6  # enough to outvote a wild reading


def test_progress_tells_the_rows():
    told = []
    characterize(switched_on(small(), 1), progress=lambda *step: told.append(step))
    assert told == sorted(told)
    assert told[-1] == (8, 8)


def test_board_is_left_open_and_at_zero_volts():
    board = switched_on(small(), 1)
    measured = characterize(board)
    assert not board.pattern.any()
    assert not board.row_volts.any()
    assert board.range_amperes == measured.range_amperes == 3e-5
    assert board.delay_seconds == 1e-3
    assert board.aperture_seconds == 0.02
    assert measured.row_volts == 15 / 16
