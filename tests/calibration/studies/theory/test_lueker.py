"""Lueker's law: the constant beside the bound and the prediction."""

import pytest

from calibration.studies.frame import gather
from calibration.studies.theory.lueker import lueker_study


@pytest.fixture(scope="module")
def summary():
    study = lueker_study(1500, 14)
    return study.summarize(gather((chunk, study.measure(1, chunk)) for chunk in study.chunks))


def test_no_bank_beats_the_bound(summary):
    assert {row["n"] for row in summary.rows} == set(range(4, 15))
    assert all(row["bits"] < row["bound_bits"] for row in summary.rows)
    assert all(row["predicted_bits"] < row["bound_bits"] for row in summary.rows)


def test_the_constant_is_above_the_bound_and_about_the_predicted_one(summary):
    for finding in summary.findings:
        assert finding["constant"] > finding["bound"]
        assert finding["constant"] == pytest.approx(finding["predicted_constant"], abs=0.1)


def test_the_prediction_is_not_off_by_more_than_the_margin_where_it_should_hold(summary):
    for targets in ("random", "every"):
        (half,) = (
            finding
            for finding in summary.findings
            if (finding["targets"], finding["share"]) == (targets, 0.5)
        )
        assert abs(half["excess"]) < 0.1
        assert half["held"] >= half["points"] - 1


def test_every_target_takes_more_weights_than_one_and_surety_takes_more_still(summary):
    at_12 = {(row["targets"], row["share"]): row["bits"] for row in summary.rows if row["n"] == 12}
    assert at_12["random", 0.5] > at_12["random", 0.9] > at_12["every", 0.5] > at_12["every", 0.9]


def test_nine_bits_of_every_target_are_not_made_up_where_no_bank_has_them(summary):
    needed = {
        (finding["targets"], finding["share"]): finding["n_for_9_bits"]
        for finding in summary.findings
    }
    assert 10 < needed["random", 0.5] < 11
    assert 12 < needed["random", 0.9] < 14
    assert needed["every", 0.9] is None
