"""Gains of rows and columns are found, and what is no gain is left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.transfer.line_gains import GainSpread, fit_gains

WIDE = GainSpread(rows=1.0, columns=1.0)
SIGMA = 1e-6


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 20), st.integers(2, 20), st.booleans(), st.integers(0, 2**32 - 1))
def test_what_the_gains_make_of_elements_is_found(rows, columns, common, seed):
    random = np.random.default_rng(seed)
    deviation = 1e-3 * (random.standard_normal(rows)[:, None] + random.standard_normal(columns))
    weight = random.uniform(0.5, 1.0, deviation.shape) / SIGMA**2
    found = fit_gains(deviation, weight, WIDE, common=common)
    np.testing.assert_allclose(found.of_elements - 1, deviation, atol=3e-5)
    assert common or found.common == 0


def test_only_what_all_have_in_common_is_common():
    spread = GainSpread(rows=1e-6, columns=1e-6)
    weight = np.full((30, 40), SIGMA**-2)
    found = fit_gains(np.full((30, 40), 5e-5), weight, spread, common=True)
    assert found.common == pytest.approx(5e-5, rel=1e-6)
    assert np.abs(found.rows).max() < 1e-10
    assert np.abs(found.columns).max() < 1e-10


def test_a_prior_holds_what_noise_would_move():
    deviation = SIGMA * np.random.default_rng(1).standard_normal((10, 10))
    weight = np.full(deviation.shape, SIGMA**-2)
    tight = fit_gains(deviation, weight, GainSpread(rows=1e-9, columns=1e-9), common=False)
    loose = fit_gains(deviation, weight, WIDE, common=False)
    assert np.abs(tight.columns).max() < 1e-3 * np.abs(loose.columns).max()


def test_elements_that_stand_out_move_no_gain():
    random = np.random.default_rng(2)
    deviation = SIGMA * random.standard_normal((20, 30))
    weight = np.full(deviation.shape, SIGMA**-2)
    plain = fit_gains(deviation, weight, WIDE, common=True)
    deviation[3, 4], deviation[10, 10] = 1.0, -1e-3
    found = fit_gains(deviation, weight, WIDE, common=True)
    np.testing.assert_allclose(found.of_elements, plain.of_elements, atol=SIGMA)


def test_a_row_that_died_moves_no_gain():
    random = np.random.default_rng(4)
    deviation = SIGMA * random.standard_normal((20, 30))
    weight = np.full(deviation.shape, SIGMA**-2)
    plain = fit_gains(deviation, weight, WIDE, common=True)
    deviation[3] = -1.0
    found = fit_gains(deviation, weight, WIDE, common=True)
    others = np.arange(20) != 3
    np.testing.assert_allclose(found.of_elements[others], plain.of_elements[others], atol=SIGMA)


def test_what_is_hardly_known_does_not_judge_the_rest():
    random = np.random.default_rng(3)
    deviation = random.standard_normal((3, 20))
    weight = np.ones((3, 20))
    deviation[:, :2], weight[:, :2] = [1e-3, -2e-3], SIGMA**-2
    found = fit_gains(deviation, weight, GainSpread(rows=1e-6, columns=1.0), common=False)
    np.testing.assert_allclose(found.columns[:2], [1e-3, -2e-3], atol=1e-6)


def test_nothing_known_is_no_gain():
    found = fit_gains(np.zeros((3, 4)), np.zeros((3, 4)), WIDE, common=True)
    assert (found.of_elements == 1).all()
