"""Pairs: what is laid out on the board is what was chosen for the cells."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.programming.pairs import board_pattern, differences, pair_banks
from tests.support.branch_calibrations import calibration_of


@st.composite
def parts_of_boards(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, outputs, branches = (draw(st.integers(1, 4)) for _ in range(3))
    size = rows + draw(st.integers(0, 2)), 2 * outputs + draw(st.integers(0, 3)), branches
    usable = random.random(size) < 0.8
    calibration = calibration_of(random.random(size), usable, random.random(size[:2]))
    return random, calibration, rows, outputs


@settings(deadline=None)
@given(parts_of_boards())
def test_a_cell_conducts_what_its_pair_of_columns_does(case):
    random, calibration, rows, outputs = case
    bank = pair_banks(calibration, rows, outputs)
    chosen = random.random(bank.signed_siemens.shape) < 0.5
    of_cells = (bank.signed_siemens * chosen).sum(axis=1) + bank.open_difference_siemens

    shape = calibration.status.shape
    pattern = board_pattern(chosen, (rows, outputs), shape)
    assert pattern.shape == shape
    columns = (pattern * calibration.branch_siemens).sum(axis=2) + calibration.open_siemens
    of_board = differences(columns[:rows], outputs)
    np.testing.assert_allclose(of_board.ravel(), of_cells, atol=1e-12)
    assert pattern.sum() == chosen.sum()
    assert not pattern[rows:].any()
    assert not pattern[:, 2 * outputs :].any()

    allowed = board_pattern(bank.usable, (rows, outputs), shape)
    used = calibration.usable[:rows, : 2 * outputs]
    np.testing.assert_array_equal(allowed[:rows, : 2 * outputs], used)


def test_plus_column_less_minus_column_along_any_leading_axes():
    columns = np.arange(24.0).reshape(2, 2, 6) ** 2
    expected = columns[..., [0, 2]] - columns[..., [1, 3]]
    np.testing.assert_array_equal(differences(columns, 2), expected)
    np.testing.assert_array_equal(differences(columns[0, 0], 2), expected[0, 0])
