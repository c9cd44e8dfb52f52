"""Cells to select in, of every kind."""

import numpy as np

KINDS = ("uniform", "decades", "equal", "signed", "zeros", "signed equal", "one huge", "denormal")


def branches(kind, cells, n, rng):
    positive = rng.uniform(1e-6, 1e-4, (cells, n))
    sign = rng.choice([-1.0, 1.0], (cells, n))
    huge = positive.copy()
    huge[:, rng.integers(n)] = 1.0
    return {
        "uniform": positive,
        "decades": 10.0 ** rng.uniform(-9, -2, (cells, n)),
        "equal": np.full((cells, n), 3e-5),
        "signed": positive * sign,
        "zeros": np.where(rng.random((cells, n)) < 0.5, 0.0, positive * sign),
        "signed equal": 3e-5 * sign,
        "one huge": huge,
        "denormal": rng.integers(0, 1000, (cells, n)) * 5e-324 * sign,
    }[kind]


def reachable_targets(branch, rng):
    return (branch * rng.random(branch.shape)).sum(axis=1)


def all_patterns(n):
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(bool)


def pairs(cells, n, seed):
    """Differential pairs of one-decade branches, some of them unusable, and targets."""
    rng = np.random.default_rng(seed)
    siemens = 1e-5 * 10.0 ** (-np.arange(n // 2) / (n // 2))
    total = np.tile(siemens, 2) * rng.uniform(0.9, 1.1, (cells, n))
    signed = total * np.repeat([1.0, -1.0], n // 2)
    usable = rng.random((cells, n)) < 0.97
    return signed, total, rng.uniform(-0.2, 0.2, cells) * total.sum(axis=1), usable


def assert_same(one, other):
    """Two selections, pattern by pattern."""
    np.testing.assert_array_equal(one.pattern, other.pattern)
    np.testing.assert_array_equal(one.achieved_siemens, other.achieved_siemens)
    np.testing.assert_array_equal(one.residual_siemens, other.residual_siemens)
    np.testing.assert_array_equal(one.status, other.status)
