"""A corrected board is a board: what is asked for is driven, what is read is on one scale."""

import numpy as np
import pytest

from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.measure import measure_converters
from calibration.converters.range_gains import measure_ranges
from calibration.crossbar import NO_BRANCH
from tests.calibration.converters.test_range_gains import true_branches
from tests.support.simulated_boards import NO_NOISE, small, switched_on

BENT = small(
    NO_NOISE,
    dac={"inl_steps": 20.0, "quantization": 0.0, "offset_volts": 0.0},
    tia={"offset_volts": 0.0},
    adc={"inl": 30e-6},
)
"""Ten times the nonlinearity, no offsets, and codes as fine as one likes."""
RANDOM = np.random.default_rng(8)
VECTORS = RANDOM.uniform(-0.9, 0.9, (20, 8))
PATTERN = RANDOM.random((8, 8, 10)) < 0.5


@pytest.fixture(scope="module")
def boards():
    plain = switched_on(BENT, 9)
    converters = measure_converters(plain)
    gains = measure_ranges(
        CorrectedCrossbar(plain, converters), converters.columns, true_branches(plain)
    )
    plain.apply(PATTERN)
    return plain, CorrectedCrossbar(plain, converters, gains)


def departure(board, range_amperes):
    """Superposition: by how much a sum reads otherwise than its parts, over the largest reading."""
    board.configure(range_amperes=range_amperes)
    zero = board.column_currents(np.zeros((1, 8)))
    one, other = VECTORS[:10] / 2, VECTORS[10:] / 2
    together = board.column_currents(one + other) - zero
    apart = board.column_currents(one) + board.column_currents(other) - 2 * zero
    return float(np.abs(together - apart).max() / np.abs(together).max())


def test_superposition_holds_a_thousand_times_better(boards):
    plain, corrected = boards
    assert departure(plain, 3e-4) > 3e-4
    assert departure(corrected, 3e-4) < 1e-6


def test_all_ranges_read_the_same(boards):
    plain, corrected = boards

    def readings(board):
        found = []
        for range_amperes in (3e-4, 1e-3):
            board.configure(range_amperes=range_amperes)
            plus, minus = board.column_currents(0.8 * np.array([[1.0], [-1.0]]) * np.ones(8))
            found.append(plus - minus)
        return found

    narrow, wide = readings(plain)
    assert np.abs(narrow / wide - 1).max() > 3e-4
    narrow, wide = readings(corrected)
    np.testing.assert_allclose(narrow, wide, rtol=1e-6)


def test_a_scan_reads_what_vectors_read(boards):
    _, corrected = boards
    corrected.configure(range_amperes=3e-5)
    scanned = corrected.scan(
        np.array([2, 2, 5]), np.array([4, NO_BRANCH, 0]), np.array([0.5, 0.5, -0.3]), 2
    )
    assert scanned.shape == (3, 2, 8)
    for point, (row, branch, volts) in enumerate([(2, 4, 0.5), (2, NO_BRANCH, 0.5), (5, 0, -0.3)]):
        pattern = np.zeros((8, 8, 10), dtype=bool)
        if branch != NO_BRANCH:
            pattern[row, :, branch] = True
        corrected.apply(pattern)
        vector = np.zeros((1, 8))
        vector[0, row] = volts
        read = corrected.column_currents(vector)
        # The other rows are set to 0 V in the one, driven to it in the other: what leaks differs.
        np.testing.assert_allclose(scanned[point], np.repeat(read, 2, axis=0), atol=1e-11)
    corrected.apply(PATTERN)


def test_a_reading_beyond_the_range_stays_one(boards):
    _, corrected = boards
    corrected.configure(range_amperes=1e-6)
    assert np.isnan(corrected.column_currents(np.full((1, 8), 0.9))).all()


def test_it_is_as_large_as_its_board(boards):
    plain, corrected = boards
    assert (corrected.rows, corrected.columns, corrected.branches) == (8, 8, 10)
    assert corrected.row_volts_limit == plain.row_volts_limit
    assert corrected.range_amperes == plain.range_amperes
    np.testing.assert_array_equal(corrected.nominal_ohms, plain.nominal_ohms)
    np.testing.assert_array_equal(corrected.ranges_amperes, plain.ranges_amperes)
