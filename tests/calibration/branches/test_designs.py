"""Designs are what weighing theory says, and the planner predicts and chooses by it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.branches.designs import (
    hadamard,
    one_at_a_time,
    s_matrix,
    s_matrix_groups,
    weighted,
)
from calibration.branches.plan import (
    Conditions,
    best_repeats,
    candidates,
    least_squares,
    mean_sum_variance,
    predict,
    quickest,
)
from calibration.reading_noise import ReadingNoise

NOMINAL = 1e-5 / 10 ** (np.arange(10) / 10)
ADDITIVE = ReadingNoise(signal_fraction=0.0)
RANGES = np.array([1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3])


def conditions(ranges_amperes=RANGES, nominal_siemens=NOMINAL, **more):
    return Conditions(
        rows=64,
        columns=32,
        nominal_siemens=nominal_siemens,
        ranges_amperes=np.asarray(ranges_amperes),
        row_volts=15 / 16,
        aperture_seconds=0.02,
        delay_seconds=5e-4,
        **more,
    )


@given(st.integers(1, 70))
def test_hadamard_matrices_are_orthogonal_and_normalized(least):
    matrix = hadamard(least)
    order = len(matrix)
    assert least <= order <= least + 11
    np.testing.assert_array_equal(matrix @ matrix.T, order * np.eye(order))
    assert (matrix[0] == 1).all()
    assert (matrix[:, 0] == 1).all()


@given(st.integers(1, 64))
def test_inverse_of_an_s_matrix_is_exact(least):
    s = s_matrix(least)
    n = len(s)
    assert set(np.unique(s)) <= {0, 1}
    # In whole numbers: S · 2(2Sᵀ − J) = (n + 1) · 1.
    np.testing.assert_array_equal(s @ (2 * (2 * s.T - 1)), (n + 1) * np.eye(n))


@pytest.mark.parametrize("n", [3, 7, 11, 15, 31])
def test_s_matrix_groups_divide_the_variance_as_weighing_theory_says(n):
    s = s_matrix(n).astype(float)
    estimator = least_squares(s, np.eye(n))
    covariance = estimator @ estimator.T
    np.testing.assert_allclose(np.diag(covariance), 4 * n / (n + 1) ** 2, rtol=1e-12)
    # A sum of half of them is hardly less certain than one reading; one at a time it is n/2.
    patterns = np.random.default_rng(1).random((4000, n)) < 0.5
    sums = np.einsum("pi,ij,pj->p", patterns, covariance, patterns)
    assert sums.mean() < 1.0


def test_generalized_least_squares_is_the_best_of_all_unbiased_estimators():
    random = np.random.default_rng(3)
    matrix = random.standard_normal((12, 4))
    root = random.standard_normal((12, 12))
    covariance = root @ root.T
    estimator = least_squares(matrix, covariance)
    np.testing.assert_allclose(estimator @ matrix, np.eye(4), atol=1e-10)
    variance = np.diag(estimator @ covariance @ estimator.T)
    for _ in range(20):
        null = random.standard_normal((4, 12))
        null -= null @ matrix @ np.linalg.pinv(matrix)  # unbiased as well
        other = estimator + 1e-3 * null
        assert (np.diag(other @ covariance @ other.T) >= variance).all()


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_mean_sum_variance_is_the_mean_over_all_patterns(branches, seed):
    root = np.random.default_rng(seed).standard_normal((branches + 1, branches + 1))
    covariance = root @ root.T
    w = np.array([(1, *pattern) for pattern in product((0, 1), repeat=branches)])
    brute = np.einsum("pi,ij,pj->p", w, covariance, w).mean()
    assert mean_sum_variance(covariance) == pytest.approx(brute, rel=1e-12)


@given(st.integers(1, 40))
def test_every_design_tells_every_branch(branches):
    design = one_at_a_time(branches)
    for each in (design, one_at_a_time(branches, 3), s_matrix_groups(branches)):
        assert np.linalg.matrix_rank(each.matrix) == 1 + branches
        assert (~each.groups.any(axis=1)).any()
    assert design.scannable
    assert len(design.groups) == 1 + branches


@given(st.lists(st.integers(1, 4), min_size=6, max_size=6))
def test_weighted_designs_hold_every_point_as_often_as_asked(repeats):
    design = one_at_a_time(5)
    held = weighted(design, np.array(repeats)).groups
    for group, count in zip(design.groups, repeats, strict=True):
        assert (held == group).all(axis=1).sum() == count


def test_repeats_go_where_they_help_most():
    """The open crosspoint is in every sum, and gets them first."""
    repeats = best_repeats(one_at_a_time(10), 13, ADDITIVE, conditions())
    assert repeats[0] == 3
    assert (repeats[1:] == 1).all()


def test_groups_win_in_one_range_and_lose_where_they_need_a_wider_one():
    """Without limits on time: by the covariance that a pass of each gives."""
    designs = one_at_a_time(10), s_matrix_groups(10)
    wanted = 2.0**-18 * NOMINAL.sum()
    plans = [
        predict(each, ADDITIVE, conditions([1e-3], drift_per_root_second=0.0), wanted)
        for each in designs
    ]
    assert plans[1].branch_uncertainty_siemens < 0.45 * plans[0].branch_uncertainty_siemens
    assert plans[1].sum_uncertainty_siemens < 0.25 * plans[0].sum_uncertainty_siemens
    plans = [
        predict(each, ADDITIVE, conditions(drift_per_root_second=0.0), wanted) for each in designs
    ]
    assert plans[1].range_amperes > plans[0].range_amperes
    assert plans[1].branch_uncertainty_siemens > plans[0].branch_uncertainty_siemens


def test_no_design_is_better_than_another_where_noise_follows_the_signal():
    """Then what a group gains it loses to its larger current."""
    proportional = ReadingNoise(1e-12, 1e-5)
    equal = conditions([1e-3], np.full(11, 1e-5), drift_per_root_second=0.0)
    alone, groups = (
        predict(each, proportional, equal, 1e-12)
        for each in (one_at_a_time(11), s_matrix_groups(11))
    )
    assert groups.branch_uncertainty_siemens > 2 * alone.branch_uncertainty_siemens


@pytest.mark.parametrize("ranges_amperes", [RANGES, [1e-3]])
@given(bits=st.floats(14, 24))
def test_quickest_keeps_what_is_wanted_and_nothing_quicker_does(ranges_amperes, bits):
    case, noise = conditions(ranges_amperes), ReadingNoise()
    wanted = 2.0**-bits * NOMINAL.sum()
    designs = candidates(noise, case)
    plan = quickest(designs, noise, case, wanted)
    singles = [predict(each, noise, case, wanted) for each in designs]
    if plan.uncertainty_siemens > wanted * (1 + 1e-9):
        assert plan.passes == 64
        return
    for each in singles:
        passes = max(1, np.ceil((each.uncertainty_siemens / wanted) ** 2 - 1e-9))
        assert passes > 64 or passes * each.seconds >= plan.seconds * (1 - 1e-9)


def test_where_every_point_is_a_message_of_its_own_scans_win():
    """Short apertures: what groups gain in variance they lose in talk."""
    case = replace(conditions([1e-3]), aperture_seconds=1e-4, delay_seconds=1e-4)
    noise = ReadingNoise().at_aperture(1e-4)
    plan = quickest(candidates(noise, case), noise, case, 2.0**-14 * NOMINAL.sum())
    assert plan.design.scannable
    slow = conditions([1e-3])
    noise = ReadingNoise()
    plan = quickest(candidates(noise, slow), noise, slow, 2.0**-18 * NOMINAL.sum())
    assert not plan.design.scannable
