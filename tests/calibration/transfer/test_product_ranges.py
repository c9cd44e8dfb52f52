"""A range tied to another reads the same currents."""

import numpy as np
import pytest

from calibration.transfer.measure import measure_transfer
from calibration.transfer.product_ranges import lowest_that_holds, range_of_use, tie
from tests.support.simulated_boards import NO_NOISE, small, switched_on

VOLTS = 15 / 16


def measured_in(board, *ranges):
    found = []
    for range_amperes in ranges:
        board.configure(range_amperes=range_amperes)
        found.append(measure_transfer(board, 8, 0, VOLTS))
    return found


@pytest.mark.parametrize(("changes", "error"), [((NO_NOISE,), 1e-8), ((), 2e-5)])
def test_what_the_wider_range_reads_is_what_the_other_would_have_read(changes, error):
    board = switched_on(small(*changes), 7)
    board.apply(np.random.default_rng(7).random((8, 8, 10)) < 0.5)
    used, wide = measured_in(board, 3e-4, 1e-3)
    wider = tie(used, wide, 1e-3)
    gains = board.readers.tia_gain_error
    low, high = (list(board.ranges_amperes).index(amperes) for amperes in (3e-4, 1e-3))
    np.testing.assert_allclose(wider.gain, (1 + gains[high]) / (1 + gains[low]), rtol=error)

    board.apply(np.random.default_rng(8).random((8, 8, 10)) < 0.5)  # tied is tied
    volts = np.random.default_rng(9).uniform(-0.3, 0.3, (6, 8))
    board.configure(range_amperes=1e-3)
    seen = wider.in_range_of_use(board.column_currents(volts))
    board.configure(range_amperes=3e-4)
    direct = board.column_currents(volts)
    assert np.abs(board.column_currents(volts)).max() > 2e-5
    np.testing.assert_allclose(seen, direct, atol=error * 3e-4)


def test_a_column_that_conducts_nothing_has_no_gain_to_tell():
    board = switched_on(small(switches={"leakage": 0.0}), 7)
    used, wide = measured_in(board, 3e-4, 1e-3)
    used.siemens[:, 3] = 0.0
    assert tie(used, wide, 1e-3).gain[3] == 1


@pytest.mark.parametrize("limits", [(1e-3,), (1e-3, 3e-3), (3e-4, 1e-3, 3e-3)])
def test_every_current_goes_where_it_fits(limits):
    ranges = tuple(range_of_use(limit, 4) for limit in limits)
    amperes = np.array([0.0, 2e-4, 3e-4, 3.1e-4, 9e-4, 1e-3, 1.1e-3, 3e-3, 5e-3])
    expected = [
        next((i for i, limit in enumerate(limits) if current <= limit), len(limits) - 1)
        for current in amperes
    ]
    np.testing.assert_array_equal(lowest_that_holds(ranges, amperes), expected)
    seen = np.random.default_rng(1).standard_normal((9, 4))
    np.testing.assert_array_equal(ranges[0].in_range_of_use(seen), seen)
