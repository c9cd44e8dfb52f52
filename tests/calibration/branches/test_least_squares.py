"""What is said of branches, against the covariances that it is said from."""

import numpy as np

from calibration.branches.least_squares import Unknowns


def unknowns(random, rows=3, columns=4, branches=5):
    def covariances(size):
        factors = size * random.standard_normal((rows, 1 + branches, 1 + branches))
        return factors @ np.swapaxes(factors, 1, 2)

    return Unknowns(
        theta=random.uniform(1e-6, 1e-5, (rows, columns, 1 + branches)),
        noise_covariance=covariances(1.0),
        noise_variance=random.uniform(1e-24, 1e-22, columns),
        signal_covariance=covariances(1e-12),
        own_covariance=covariances(1e-12),
        drift_covariance=np.zeros((rows, rows)),
    )


def test_no_branch_of_any_column_that_can_be_read_is_less_certain_than_the_largest_uncertainty():
    for seed in range(20):
        found = unknowns(np.random.default_rng(seed))
        noise = found.noise_variance[:, None, None, None] * found.noise_covariance
        covariance = noise + found.signal_covariance
        spread = np.sqrt(np.diagonal(covariance, axis1=2, axis2=3)[..., 1:])
        largest, lasting = found.uncertainty()
        assert (spread.max(axis=(0, 2)) <= largest * (1 + 1e-12)).all()
        own = np.sqrt(np.diagonal(found.own_covariance, axis1=1, axis2=2)[:, 1:])
        assert (own.max(axis=1) <= lasting * (1 + 1e-12)).all()


def test_a_column_that_overloads_has_no_say():
    found = unknowns(np.random.default_rng(1))
    before = found.uncertainty()
    noisy = int(found.noise_variance.argmax())
    found.theta[:, noisy] = np.nan
    after = found.uncertainty()
    assert (after[0] < before[0]).all()
    np.testing.assert_array_equal(after[1], before[1])
