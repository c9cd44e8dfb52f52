"""The nearest of n weights and the best subset of them, each against its law."""

import numpy as np
import pytest
from scipy import stats

from calibration.studies.frame import Chunk, gather
from calibration.studies.theory.poisson import uniform_random
from calibration.studies.theory.pruning import NEAREST, SUBSET, measure, nearest_bits, pruning_study


def errors(case, n, instances=2000):
    return 0.5 * 2.0 ** -np.array(measure(1, Chunk("pruning", case, n, 0, instances))["bits"])


@pytest.mark.parametrize("n", [4, 32, 1024])
def test_nearest_error_has_its_exact_distribution(n):
    found = errors(NEAREST, n)
    inside = found <= 0.5  # beyond, a target at the end of its interval has weights on one side
    assert inside.mean() > 0.9
    assert (
        stats.kstest((1 - found[inside]) ** n, stats.uniform(0.5**n, 1 - 0.5**n).cdf).pvalue > 1e-3
    )


def test_subset_error_has_its_predicted_distribution():
    share = [uniform_random(14, error) for error in errors(SUBSET, 14)]
    assert stats.kstest(share, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_nearest_bits_are_reached_by_that_share(share):
    error = 0.5 * 2.0 ** -nearest_bits(20, share)
    assert 1 - (1 - error) ** 20 == pytest.approx(share)


def test_doubling_the_weights_buys_one_bit_and_one_more_weight_another():
    study = pruning_study(300, 14)
    summary = study.summarize(gather((chunk, measure(1, chunk)) for chunk in study.chunks))
    found = {(finding["way"], finding["share"]): finding for finding in summary.findings}
    assert found[NEAREST, 0.5]["slope"] == pytest.approx(1, abs=0.05)
    assert found[SUBSET, 0.5]["slope"] == pytest.approx(0.94, abs=0.1)
    assert found[NEAREST, 0.5]["n_for_9_bits"] == pytest.approx(2**10 * np.log(2), rel=0.2)
    assert found[SUBSET, 0.5]["n_for_9_bits"] == pytest.approx(10.3, abs=0.5)
