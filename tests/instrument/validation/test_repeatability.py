"""What repeats say of noise, and what averaging them is worth."""

import numpy as np
import pytest

from instrument.validation.repeatability import Repeatability, averaged, repeat
from tests.support.programs import LINEAR, NOISY, moved, program

PASSES, VECTORS, OUTPUTS = 64, 16, 8
INPUTS = np.random.default_rng(5).uniform(-1, 1, (VECTORS, 8))


def repeated(answered):
    exact = np.ones((VECTORS, OUTPUTS))
    return Repeatability(np.ones((VECTORS, 8)), exact + answered, exact)


def white(sigma):
    return sigma * np.random.default_rng(6).standard_normal((PASSES, VECTORS, OUTPUTS))


def test_independent_answers_scatter_by_their_noise_and_less_by_the_root_of_their_number():
    scatter = repeated(white(1e-3)).relative_scatter
    assert list(scatter) == [1, 2, 4, 8, 16, 32]
    for k, fraction in scatter.items():
        differences = VECTORS * OUTPUTS * (PASSES // k - 1)
        # Neighbouring differences share a mean: at most 3/2 of the variance of independent ones.
        spread = np.sqrt(1.5 / (2 * differences))
        assert fraction == pytest.approx(1e-3 / np.sqrt(k), rel=4 * spread)


def test_what_is_wrong_every_time_is_no_scatter():
    wrong = np.random.default_rng(7).standard_normal((VECTORS, OUTPUTS))
    assert repeated(white(1e-3) + wrong).relative_scatter == pytest.approx(
        repeated(white(1e-3)).relative_scatter
    )


def test_drift_does_not_average_out():
    slope = 1e-4
    drift = slope * np.arange(PASSES)[:, None, None] * np.ones((VECTORS, OUTPUTS))
    for k, fraction in repeated(drift).relative_scatter.items():
        assert fraction == pytest.approx(slope * k / np.sqrt(2))


def test_a_still_board_repeats_exactly_and_a_noisy_one_averages():
    still = program(**LINEAR)
    answers = repeat(still, INPUTS, 4)
    assert answers.answered.shape == (4, VECTORS, 4)
    assert answers.relative_noise < 1e-12
    assert averaged(still, answers, 4).relative_error == pytest.approx(
        averaged(still, answers, 1).relative_error
    )

    noisy = moved(still, **NOISY)
    answers = repeat(noisy, INPUTS, PASSES)
    one = averaged(noisy, answers, 1).relative_error
    assert one > 10 * averaged(still, repeat(still, INPUTS, 1), 1).relative_error
    assert answers.relative_noise == pytest.approx(one, rel=0.35)
    for k in (4, 16):
        # The noise of 64 products: 9 % (standard) in each of the two.
        assert averaged(noisy, answers, k).relative_error == pytest.approx(
            one / np.sqrt(k), rel=0.35
        )


def test_fewer_inputs_than_are_repeated():
    answers = repeat(program(**LINEAR), INPUTS[:1], 2)
    assert answers.answered.shape == (2, 1, 4)
    assert list(answers.relative_scatter) == [1]
