"""Bits against resistances: what must hold of any run, and the figures that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.studies.banks import BANKS
from calibration.studies.fits import straight_line
from calibration.studies.frame import CHUNK, Chunk, gather, split
from calibration.studies.theory.bits import bits_study, counts_every, measure


@pytest.fixture(scope="module")
def summary():
    study = bits_study(100, 12)
    return study.summarize(gather((chunk, measure(1, chunk)) for chunk in study.chunks))


def found(summary, bank, targets, statistic):
    (line,) = (
        row
        for row in summary.findings
        if (row["bank"], row["targets"], row["statistic"]) == (bank, targets, statistic)
    )
    return line


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.key)
def test_no_target_is_worse_than_the_worst(bank):
    samples = measure(1, Chunk("bits", bank.key, 9, 0, 60))
    assert (np.array(samples["pair"]) >= np.array(samples["every"]) - 1e-5).all()


def test_dispersed_resistors_bring_about_one_bit_each(summary):
    for bank in ("decade-10", "radix-10", "log-uniform", "uniform"):
        assert found(summary, bank, "pair", "median")["slope"] == pytest.approx(1, abs=0.25)


def test_a_gap_free_ladder_serves_every_target_and_equal_resistors_do_not(summary):
    assert found(summary, "radix-10", "every", "worst")["slope"] == pytest.approx(0.85, abs=0.05)
    assert found(summary, "equal-10", "every", "worst")["slope"] < 0.3
    assert abs(found(summary, "binary-10", "every", "worst")["slope"]) < 0.2


def test_theory_s_case_is_the_predicted_line(summary):
    for targets in ("pair", "every"):
        line = found(summary, "uniform", targets, "median")
        assert line["slope"] == pytest.approx(line["predicted_slope"], abs=0.15)
        at_10 = 10 * (line["slope"] - line["predicted_slope"])
        assert line["intercept"] + at_10 == pytest.approx(line["predicted_intercept"], abs=0.25)
    assert found(summary, "uniform", "pair", "worst")["predicted_slope"] is None


def test_a_third_state_brings_more_than_a_bit_each(summary):
    assert found(summary, "three-way-10", "every", "worst")["slope"] > 1


def test_a_chunk_depends_on_its_name_and_the_seed_alone():
    chunk = Chunk("bits", "equal-10", 6, 3, 5)
    assert measure(1, chunk) == measure(1, chunk)
    others = [Chunk("bits", "equal-10", 6, 4, 5), Chunk("bits", "equal-20", 6, 3, 5)]
    assert all(measure(1, other) != measure(1, chunk) for other in others)
    assert measure(2, chunk) != measure(1, chunk)


def test_worst_targets_stop_where_the_sums_are_too_many():
    two, three = (next(bank for bank in BANKS if bank.states == states) for states in (2, 3))
    assert [counts_every(two, 24), counts_every(three, 15), counts_every(three, 16)] == [
        True,
        True,
        False,
    ]
    assert "every" not in measure(1, Chunk("bits", three.key, 16, 0, 1))


@given(st.integers(1, 10 * CHUNK))
def test_chunks_hold_all_instances(instances):
    chunks = split("bits", "uniform", 4, instances)
    assert sum(chunk.instances for chunk in chunks) == instances
    assert len({chunk.key for chunk in chunks}) == len(chunks)


def test_gathering_does_not_depend_on_the_order_chunks_come_in():
    results = [(Chunk("s", "c", 4, index, 1), {"x": [float(index)]}) for index in range(12)]
    np.testing.assert_array_equal(gather(reversed(results))["c", 4]["x"], np.arange(12.0))


@settings(deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_a_line_without_scatter_is_found_exactly(slope, intercept):
    x = np.arange(4, 12)
    line = straight_line(x, slope * x + intercept)
    assert (line.slope, line.intercept) == pytest.approx((slope, intercept), abs=1e-9)
    assert line.slope_margin == pytest.approx(0, abs=1e-6)


def test_margins_hold_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(3)
    x = np.arange(8, 25)
    lines = [straight_line(x, 0.9 * x - 2 + generator.normal(0, 0.3, x.size)) for _ in range(2000)]
    held = np.mean([abs(line.slope - 0.9) <= line.slope_margin for line in lines])
    assert held == pytest.approx(0.95, abs=0.02)
    held = np.mean([abs(line.intercept + 2) <= line.intercept_margin for line in lines])
    assert held == pytest.approx(0.95, abs=0.02)
