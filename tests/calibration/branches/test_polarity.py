"""Half sums tell the noise of half differences, and every wild reading."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.branches.polarity import judge_pairs

SIEMENS = np.concatenate([[0.0], 1e-5 / 10 ** (np.arange(10) / 10)])
ADDITIVE, RELATIVE = 9e-12, 1e-6
"""Standard deviations of one reading: ampere, and of the signal."""


def read(seed, rows=12, columns=8, pairs=1):
    """Readings of both polarities with offsets that differ from crosspoint to crosspoint."""
    random = np.random.default_rng(seed)
    shape = rows, len(SIEMENS), pairs, columns
    amperes = np.broadcast_to(SIEMENS[None, :, None, None], shape) * random.uniform(
        0.9, 1.1, (rows, len(SIEMENS), 1, columns)
    )
    offset = 1e-3 * random.uniform(-1, 1, (rows, 1, 1, columns))
    zero = 1e-9 * random.uniform(-1, 1, (1, 1, 1, columns))

    def noise():
        return ADDITIVE * random.standard_normal(
            shape
        ) + RELATIVE * amperes * random.standard_normal(shape)

    plus = amperes * (1 + offset) + zero + noise()
    minus = -amperes * (1 - offset) + zero + noise()
    return amperes, plus, minus


def judge(plus, minus):
    columns = plus.shape[3]
    return judge_pairs(
        plus,
        minus,
        np.full(columns, ADDITIVE**2 / 2),
        RELATIVE**2 / 2,
        np.zeros(plus.shape[:2], dtype=bool),
    )


def test_the_noise_is_found_without_any_repetition():
    _, plus, minus = read(1, rows=200)
    judged = judge(plus, minus)
    assert not judged.wild.any()
    additive, relative = judged.noise.fit()
    np.testing.assert_allclose(additive, ADDITIVE**2 / 2, rtol=0.15)
    assert relative == pytest.approx(RELATIVE**2 / 2, rel=0.15)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    row=st.integers(0, 11),
    point=st.integers(0, 10),
    column=st.integers(0, 7),
    size=st.floats(1.5, 9.0).map(lambda decades: ADDITIVE * 10**decades),
    negative=st.booleans(),
    pairs=st.sampled_from([1, 3]),
)
def test_one_wild_reading_is_found_and_no_other(seed, row, point, column, size, negative, pairs):
    amperes, plus, minus = read(seed, pairs=pairs)
    (minus if negative else plus)[row, point, pairs - 1, column] += size
    judged = judge(plus, minus)
    expected = np.zeros(plus.shape, dtype=bool)
    expected[row, point, pairs - 1, column] = True
    np.testing.assert_array_equal(judged.wild, expected)
    gone = np.isnan(judged.half_differences)
    assert gone.sum() == (1 if pairs == 1 else 0)
    error = judged.half_differences - amperes[:, :, 0]
    assert np.abs(error[~gone]).max() < 6 * np.hypot(ADDITIVE, RELATIVE * amperes.max())


def test_overloads_are_not_judged_and_harm_nobody():
    _, plus, minus = read(2)
    plus[3, 4, 0, 5] = np.nan
    plus[:, :, :, 7] = np.nan
    judged = judge(plus, minus)
    assert not judged.wild.any()
    gone = np.isnan(judged.half_differences)
    assert gone[3, 4, 5]
    assert gone.sum() == 1 + 12 * 11
    additive, _ = judged.noise.fit()
    assert np.isfinite(additive).all()


def test_a_row_with_few_points_left_is_judged_by_those():
    _, plus, minus = read(4)
    plus[2, [1, 4, 5, 6, 7, 8], 0] = np.nan
    assert not judge(plus, minus).wild.any()


def test_no_noise_is_no_noise():
    plus = np.broadcast_to(SIEMENS[None, :, None, None], (4, 11, 1, 3)).copy()
    judged = judge(plus, -plus)
    additive, relative = judged.noise.fit()
    assert not additive.any()
    assert relative == 0
