"""The design: whatever the board, what must be told apart is apart."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.converters.design import LEVELS, MAX_CODES, design_converters
from simulator.preset import load_preset
from tests.support.simulated_boards import switched_on

RANGES = np.array([1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2])


def board(rows=8, columns=8, ohms=1e5, branches=10, limit=1.0):
    return SimpleNamespace(
        rows=rows,
        columns=columns,
        branches=branches,
        nominal_ohms=ohms * 10 ** (np.arange(branches) / branches),
        ranges_amperes=RANGES,
        row_volts_limit=limit,
    )


SIDES = st.integers(1, 40)


@settings(deadline=None, max_examples=40)
@given(rows=SIDES, columns=SIDES)
def test_rows_that_meet_follow_different_sequences(rows, columns):
    design = design_converters(board(rows, columns))
    for block in range(len(design.volts)):
        meeting = design.sequences_of_column(block)
        assert meeting.shape == (columns, min(rows, 2))
        if rows > 1:
            assert (meeting[:, 0] != meeting[:, 1]).all()
            rows_met = design.rows_of_column[block]
            assert (rows_met[:, 0] != rows_met[:, 1]).all()


@settings(deadline=None, max_examples=40)
@given(rows=SIDES, columns=SIDES)
def test_every_row_is_looked_at_and_about_as_often_as_the_others(rows, columns):
    design = design_converters(board(rows, columns))
    seen = np.bincount(design.rows_of_column.ravel(), minlength=rows)
    assert seen.min() >= 1
    each_block = 2 * columns / rows
    assert seen.max() - seen.min() <= 2 + (len(design.volts) if each_block % 1 else 0)


def test_every_level_of_a_sequence_meets_every_level_of_every_other():
    design = design_converters(board())
    for volts in design.volts:
        levels = np.argsort(np.argsort(volts, axis=0), axis=0) // LEVELS
        for one in range(LEVELS + 1):
            for other in range(one):
                pairs = set(zip(levels[:, one], levels[:, other], strict=True))
                assert len(pairs) == LEVELS**2


def test_settings_are_codes_all_different_and_reach_the_ends():
    design = design_converters(board(limit=2.5))
    codes = design.volts / 2.5 * MAX_CODES
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-6)
    assert np.abs(codes).max() <= MAX_CODES - 1
    assert all(len(np.unique(block[:, 0])) == LEVELS**2 for block in design.volts)
    assert (np.abs(design.volts).max(axis=(1, 2)) > 0.998 * 2.5).all()


@settings(deadline=None, max_examples=50)
@given(ohms=st.floats(10, 1e8), branches=st.integers(1, 12), limit=st.floats(0.1, 10))
def test_a_column_fits_its_range_and_fills_it_if_it_can(ohms, branches, limit):
    asked = board(ohms=ohms, branches=branches, limit=limit)
    design = design_converters(asked)
    fill = 2 * limit * design.siemens / design.range_amperes
    assert design.closed.any()
    weakest = 2 * limit / asked.nominal_ohms.max()
    if weakest <= 0.95 * RANGES[-1]:
        assert fill <= 0.95
        strongest = 2 * limit / asked.nominal_ohms.min()
        if RANGES[0] < strongest < RANGES[-1]:
            assert fill > 0.25  # ranges are a factor 10/3 apart


def test_more_blocks_where_columns_are_few_or_more_is_wanted():
    few = design_converters(board(200, 4))
    many = design_converters(board(64, 64))
    assert len(few.volts) > len(many.volts) == 8
    assert few.predicted(15 / 16) < 2**-20
    finer = design_converters(board(64, 64), wanted=2.0**-23)
    assert finer.predicted(15 / 16) < 2**-23
    assert finer.vectors > many.vectors


@pytest.mark.parametrize("name", ["8x4", "64x16", "100x100"])
def test_the_presets_take_less_than_nine_seconds(name):
    crossbar = switched_on(load_preset(name), 1)
    vectors = design_converters(crossbar).vectors
    assert vectors * (crossbar.aperture_seconds + crossbar.delay_seconds) < 9
