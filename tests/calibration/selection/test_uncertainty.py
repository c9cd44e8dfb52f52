"""Selection by expected square error: never worse than any subset, checked against all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.selection import Status, select

LEAST = "least_square_error"
AS_GOOD = 1.001  # what the tie-break may give away


def all_states(n, values=(0, 1)):
    return np.stack(np.meshgrid(*[values] * n, indexing="ij"), axis=-1).reshape(-1, n).astype(float)


def random_covariance(rng, cells, n, size):
    root = rng.normal(0, size, (cells, n, n))
    return root @ root.transpose(0, 2, 1) / n


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 12),
    st.sampled_from([0.0, 1e-7, 1e-5, 1e-3, 1e-1]),
    st.sampled_from(["uncertainty", "covariance"]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_no_subset_has_a_less_expected_square_error(n, share, known, three_way, seed):
    rng = np.random.default_rng(seed)
    cells, values = 5, (-1, 0, 1) if three_way else (0, 1)
    n = min(n, 7) if three_way else n
    branch = rng.uniform(-1, 1, (cells, n)) * 1e-5
    target = (branch * rng.random((cells, n))).sum(axis=1)
    usable = rng.random((cells, n)) < 0.9
    stuck = rng.random((cells, n)) < 0.1
    if known == "uncertainty":
        u = share * 1e-5 * rng.random((cells, n))
        covariance = u[:, :, None] ** 2 * np.eye(n)
        spread = {"uncertainty": u}
    else:
        covariance = random_covariance(rng, cells, n, share * 1e-5)
        spread = {"covariance": covariance}
    result = select(
        branch,
        target,
        **spread,
        usable=usable,
        stuck_on=stuck,
        objective=LEAST,
        three_way=three_way,
    )
    assert (result.pattern[stuck] == 1).all()
    assert not result.pattern[~usable & ~stuck].any()
    for c in range(cells):
        free = usable[c] & ~stuck[c]
        states = np.unique(np.where(free, all_states(n, values), stuck[c]), axis=0)
        residual = states @ branch[c] - target[c]
        variance = np.einsum("sk,kl,sl->s", states, covariance[c], states)
        error = residual**2 + variance
        got = result.residual_siemens[c] ** 2 + result.standard_uncertainty[c] ** 2
        if result.status[c] != Status.OK:
            assert abs(result.residual_siemens[c]) <= np.abs(residual).min() + 1e-15 * n * 1e-5
            continue
        assert got <= AS_GOOD * error.min() + (1e-15 * n * 1e-5) ** 2
        conductance = np.abs(states) @ np.abs(branch[c])
        taken = np.abs(result.pattern[c].astype(float)) @ np.abs(branch[c])
        # Nothing that is better in both, beyond rounding.
        better = (error <= (1 - 1e-9) * got) & (conductance < taken - 1e-18)
        assert not better.any()


def test_of_equal_errors_the_one_of_least_conductance_is_taken():
    """3 − 1 and 2 make the same difference as well as each other; the latter draws less."""
    result = select([[3.0, -1.0, 2.0]], [2.0], uncertainty=np.zeros((1, 3)), objective=LEAST)
    np.testing.assert_array_equal(result.pattern, [[False, False, True]])


def test_a_noisy_branch_is_avoided_where_another_subset_will_do():
    branch, target = [[4.0, 3.0, 1.0]], [4.0]
    noisy = select(branch, target, uncertainty=[[0.5, 0.01, 0.01]], objective=LEAST)
    np.testing.assert_array_equal(noisy.pattern, [[False, True, True]])
    assert noisy.standard_uncertainty[0] == pytest.approx(0.01 * 2**0.5)


def test_an_uncertainty_far_beyond_the_range_is_no_overflow():
    """A branch known to no more than a hundred times its size is left off."""
    result = select([[1e-6]], [0.6e-6], uncertainty=[[1e-4]], objective=LEAST)
    np.testing.assert_array_equal(result.pattern, [[False]])


def test_correlation_decides_where_deviations_do_not():
    """Two branches that err together are worse than two that err against each other."""
    branch, target = [[2.0, 2.0, 2.0]], [4.0]
    errs_against = [[[1.0, 0.9, 0.0], [0.9, 1.0, -0.9], [0.0, -0.9, 1.0]]]
    result = select(branch, target, covariance=np.array(errs_against) * 1e-4, objective=LEAST)
    np.testing.assert_array_equal(result.pattern, [[False, True, True]])


@pytest.mark.parametrize("n", [16, 20])
@pytest.mark.parametrize("parts_per_million", [5, 20, 100])
def test_true_mean_square_error_is_less_than_that_of_the_nearest_sum(n, parts_per_million):
    """Of the cells where they differ; elsewhere the residual alone decides."""
    rng = np.random.default_rng(parts_per_million)
    cells = 4000
    ladder = np.tile(10 ** (-2 * np.arange(n // 2) / n), 2) * np.repeat([1, -1], n // 2)
    measured = ladder * rng.uniform(0.9, 1.1, (cells, n))
    u = parts_per_million * 1e-6 * np.abs(measured) * rng.uniform(0.3, 3, (cells, n))
    target = rng.uniform(-0.25, 0.25, cells) * np.abs(measured).sum(axis=1)
    true = measured + u * rng.standard_normal((cells, n))
    least = select(measured, target, uncertainty=u, objective=LEAST).pattern
    nearest = select(measured, target).pattern

    differ = (least != nearest).any(axis=1)
    least_square, nearest_square = (
        (((true * pattern).sum(axis=1) - target) ** 2)[differ] for pattern in (least, nearest)
    )
    gain = nearest_square - least_square
    assert differ.any()
    assert gain.mean() > 2 * gain.std() / np.sqrt(len(gain))


def test_stated_uncertainty_is_the_spread_of_the_true_sum():
    rng = np.random.default_rng(4)
    n = 14
    branch = np.tile(rng.uniform(0.1, 1, n), (20_000, 1))
    covariance = np.tile(random_covariance(rng, 1, n, 1e-4), (20_000, 1, 1))
    chosen = select(branch, np.full(20_000, 3.0), covariance=covariance, objective=LEAST)
    errors = rng.multivariate_normal(np.zeros(n), covariance[0], 20_000)
    spread = (errors * chosen.pattern).sum(axis=1).std()
    assert spread == pytest.approx(chosen.standard_uncertainty[0], rel=0.03)


def test_a_tolerance_bounds_the_residual_of_the_least_error():
    rng = np.random.default_rng(5)
    branch = rng.uniform(0.1, 1, (200, 14))
    target = 0.5 * branch.sum(axis=1)
    u = np.full(branch.shape, 0.1)
    loose = select(branch, target, uncertainty=u, objective=LEAST)
    tight = select(branch, target, uncertainty=u, objective=LEAST, tolerance_siemens=1e-2)
    assert np.abs(loose.residual_siemens).max() > 1e-2
    assert np.abs(tight.residual_siemens).max() <= 1e-2
    assert (tight.standard_uncertainty >= loose.standard_uncertainty).all()


def test_more_candidates_than_are_judged_still_give_a_near_one():
    """All sums of equal branches coincide: far more subsets than can be judged."""
    u = np.linspace(0.1, 0.2, 20)[None]
    chosen = select(np.ones((1, 20)), [10.0], uncertainty=u, objective=LEAST)
    nearest = select(np.ones((1, 20)), [10.0], uncertainty=u)
    assert chosen.residual_siemens[0] == 0
    assert chosen.standard_uncertainty[0] <= nearest.standard_uncertainty[0]


def test_uncertainty_is_unknown_where_it_is_not_given():
    assert np.isnan(select(np.ones((2, 3)), np.ones(2)).standard_uncertainty).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"uncertainty": -np.ones((1, 3))}, "uncertainty must not be negative"),
        ({"uncertainty": np.ones((1, 2))}, "uncertainty has shape"),
        ({"uncertainty": np.full((1, 3), np.nan)}, "uncertainty must be finite"),
        ({"uncertainty": np.ones((1, 3)), "covariance": np.ones((1, 3, 3))}, "give one"),
        ({"covariance": np.ones((1, 3))}, "covariance has shape"),
        ({"covariance": -np.eye(3)[None]}, "negative variance"),
        ({"covariance": np.array([[[1.0, 0.5, 0], [0, 1, 0], [0, 0, 1]]])}, "symmetric"),
        ({"covariance": np.array([[[1.0, 2, 0], [2, 1, 0], [0, 0, 1]]])}, "correlation"),
        ({"objective": LEAST}, "needs uncertainty"),
        ({"objective": "best"}, "objective"),
    ],
)
def test_bad_uncertainty_is_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        select(np.ones((1, 3)), np.ones(1), **arguments)
