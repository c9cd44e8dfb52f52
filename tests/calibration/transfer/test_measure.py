"""The measured transfer matrix is the true one, to the uncertainty that it states."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from calibration.crossbar import Crossbar
from calibration.errors import OverloadError
from calibration.transfer.measure import measure_transfer
from tests.support.simulated_boards import NO_NOISE, changed, small, switched_on, true_transfer

SEED, VOLTS = 31, 15 / 16
LONG_WIRES = {"wire": {"row_ohms": 2.0, "column_ohms": 3.0, "source_ohms": 20.0, "sense_ohms": 5.0}}


def programmed(preset, range_amperes, seed=SEED):
    board = switched_on(preset, seed)
    shape = board.rows, board.columns, board.branches
    board.apply(np.random.default_rng(3).random(shape) < 0.5)
    board.configure(range_amperes=range_amperes)
    return board


@pytest.mark.parametrize(
    ("rows", "used", "range_amperes"),
    [
        (8, 8, 3e-4),
        (8, 5, 3e-4),
        (8, 1, 3e-4),
        (8, 2, 3e-4),
        (8, 3, 3e-4),
        (1, 1, 3e-4),
        (100, 100, 3e-3),
        (100, 65, 3e-3),
    ],
)
def test_measured_transfer_is_the_true_one(rows, used, range_amperes):
    preset = small(NO_NOISE, LONG_WIRES, shape={"rows": rows, "columns": 6, "branches": 8})
    board = programmed(preset, range_amperes)
    measured = measure_transfer(board, used, 6, VOLTS)
    truth = true_transfer(preset, SEED, board.pattern, range_amperes)[:used]
    step_siemens = 2.1 * range_amperes / 2**32 / VOLTS
    assert measured.siemens.shape == (used, 6)
    np.testing.assert_allclose(measured.siemens, truth, rtol=1e-10, atol=step_siemens)
    assert (truth > 1e4 * step_siemens).mean() > 0.95
    assert measured.uncertainty_siemens.shape == (6,)
    assert (measured.uncertainty_siemens <= step_siemens).all()
    zero = board.column_currents(np.zeros((1, rows)))[0]
    np.testing.assert_allclose(measured.zero_amperes, zero, rtol=1e-6, atol=VOLTS * step_siemens)
    assert (np.abs(zero) > 100 * VOLTS * step_siemens).all()


def test_a_measurement_says_when_and_how_warm():
    board = programmed(small(), 3e-4)
    began = board.moment()
    measured = measure_transfer(board, 8, 8, VOLTS)
    assert measured.began == began
    assert measured.ended == board.moment()
    assert measured.ended[0] - measured.began[0] == pytest.approx(16 * 21e-3)


def test_measuring_leaves_the_pattern_and_the_range():
    board = programmed(small(), 3e-4)
    pattern = board.pattern.copy()
    measure_transfer(board, 8, 8, VOLTS)
    np.testing.assert_array_equal(board.pattern, pattern)
    assert board.range_amperes == 3e-4
    assert not board.row_volts.any()


@pytest.mark.parametrize("used", [8, 5, 2])
def test_uncertainty_is_the_scatter_of_the_estimate(used):
    preset = small()
    board = programmed(preset, 3e-4)
    measured = [measure_transfer(board, used, 8, VOLTS) for _ in range(400)]
    truth = true_transfer(preset, SEED, board.pattern, 3e-4)[:used]
    error = np.array([one.siemens for one in measured]) - truth
    stated = np.sqrt(np.mean([one.uncertainty_siemens**2 for one in measured]))
    order = {8: 8, 5: 8, 2: 2}[used]
    # both are estimates: of the scatter from all errors, of the uncertainty from m − 1 each
    spread = np.sqrt(1 / (2 * error.size) + 1 / (2 * 400 * 8 * (order - 1)))
    assert error.std() / stated == pytest.approx(1, abs=5 * spread)
    assert 5 * spread < 0.1
    assert np.abs(error.mean(axis=0)).max() < 5.5 * stated / np.sqrt(400)


def test_overload_names_the_first_column_beyond_its_range():
    board = switched_on(small(), SEED)
    pattern = np.zeros((8, 8, 10), dtype=bool)
    pattern[:, 5:7] = True
    board.apply(pattern)
    board.configure(range_amperes=1e-4)
    with pytest.raises(OverloadError, match="column 6 "):
        measure_transfer(board, 8, 8, VOLTS)
    measured = measure_transfer(board, 8, 5, VOLTS)  # nobody needs it
    np.testing.assert_array_equal(
        np.isnan(measured.siemens).any(axis=0), [False] * 5 + [True] * 2 + [False]
    )


def test_rows_that_are_not_in_use_stay_at_zero_volts():
    preset = changed(small(NO_NOISE), dac={"offset_volts": 0.0}, tia={"offset_volts": 0.0})
    board = switched_on(preset, SEED)
    pattern = np.zeros((8, 8, 10), dtype=bool)
    pattern[5:] = True
    board.apply(pattern)
    board.configure(range_amperes=1e-6)  # a row of these driven would overload
    measured = measure_transfer(board, 5, 8, VOLTS)
    assert (np.abs(measured.siemens) < 2e-9).all()


@pytest.mark.parametrize("used", [1, 2, 4, 8, 12, 16, 20, 32, 33, 64])
def test_no_vector_drives_equal_crosspoints_far_harder_than_another(used):
    driven = []
    recorder = SimpleNamespace(
        rows=64,
        column_currents=lambda volts: driven.append(volts) or volts,
        moment=lambda: None,
    )
    measure_transfer(cast(Crossbar, recorder), used, 0, VOLTS)
    design = driven[0] / VOLTS
    order = len(design) // 2
    np.testing.assert_array_equal(design[order:], -design[:order])
    rows_in_use = design[:order, :used]
    np.testing.assert_array_equal(rows_in_use.T @ rows_in_use, order * np.eye(used))
    assert not design[:, used:].any()
    if used == order:
        assert np.abs(design.sum(axis=1)).max() <= np.sqrt(2 * order) * (1 + 1e-12)


@pytest.mark.parametrize("used", [8, 5])
def test_a_board_that_warms_up_is_measured_as_it_was_at_mid_time(used):
    board = programmed(small(NO_NOISE), 3e-4)
    still = measure_transfer(board, used, 8, VOLTS)
    gain_per_reading = 2e-6
    readings = board.column_currents

    def warming(volts):
        amperes = readings(volts)
        since_middle = np.arange(len(amperes)) - (len(amperes) - 1) / 2
        return amperes * (1 + gain_per_reading * since_middle)[:, None]

    board.column_currents = warming
    measured = measure_transfer(board, used, 8, VOLTS)
    largest = still.siemens.max()
    np.testing.assert_allclose(measured.siemens, still.siemens, atol=1e-9 * largest)
    assert measured.uncertainty_siemens.max() < 1e-8 * largest
