"""Temperature coefficients: honest when the day was long, and when it was not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.ageing import AGEING_PER_DECADE, decades
from calibration.temperature import Measured, Moment, conductances_at
from calibration.uncertainty import Estimate

SUPPOSED, OWN = Estimate(0.0, 500e-6), 50e-6
BRANCHES = 2000


class Lot:
    """Branches of one lot, drawn from what is supposed of them."""

    def __init__(self, seed, common=-1e-4, own=OWN):
        self.random = np.random.default_rng(seed)
        self.siemens = 1e-5 * self.random.uniform(0.1, 1, BRANCHES)
        self.per_kelvin = common + own * self.random.standard_normal(BRANCHES)
        self.per_decade = AGEING_PER_DECADE * self.random.standard_normal(BRANCHES)

    def at(self, moment):
        aged = self.per_decade * decades(moment.seconds)
        return self.siemens * np.exp(self.per_kelvin * (moment.kelvin - 300) + aged)

    def measured(self, kelvin, hours=0.0, relative=3e-6):
        moment = Moment(kelvin, 3600 * hours)
        uncertainty = relative * self.siemens
        seen = self.at(moment) + uncertainty * self.random.standard_normal(BRANCHES)
        return Measured(seen, uncertainty, moment)


def covered(estimate, uncertainty, truth):
    return float((np.abs(estimate - truth) <= 1.96 * uncertainty).mean())


DAYS = {
    "two temperatures": [(300.0, 0.0), (301.0, 0.5)],
    "hardly two": [(300.0, 0.0), (300.02, 0.1)],
    "a whole day": [(300.0, 0.0), (300.8, 2.0), (299.3, 5.0), (300.2, 9.0)],
    "a hot one": [(300.0, 0.0), (310.0, 5.0)],
    "one temperature": [(300.0, 1.0)],
}


@pytest.mark.parametrize("day", DAYS)
def test_intervals_cover_the_truth_of_95_branches_in_100(day):
    found, own = [], []
    for seed in range(5):
        lot = Lot(seed)
        measured = [lot.measured(*when) for when in DAYS[day]]
        now = Moment(300.5, 10 * 3600.0)
        said = conductances_at(now, measured, Estimate(-1e-4, 20e-6), OWN)
        truth = lot.at(now)
        # what all have in common is no error of a branch
        common = np.average(said.siemens / truth)
        found.append(covered(said.siemens / common, said.uncertainty_siemens, truth))
        own.append(covered(said.per_kelvin, said.uncertainty_per_kelvin, lot.per_kelvin))
    assert 0.93 < np.mean(found) < 0.97
    assert 0.93 < np.mean(own) < 0.975


def test_one_temperature_tells_what_was_supposed():
    lot = Lot(1)
    said = conductances_at(Moment(300, 0), [lot.measured(300)], Estimate(-2e-4, 30e-6), 40e-6)
    assert (said.per_kelvin == pytest.approx(-2e-4)) and said.own_per_kelvin == 40e-6
    assert said.uncertainty_per_kelvin == pytest.approx(50e-6)
    np.testing.assert_allclose(said.siemens, lot.siemens, rtol=2e-5)


@pytest.mark.parametrize("own", [5e-6, 50e-6, 300e-6])
@pytest.mark.parametrize("common", [-4e-4, 1e-4])
def test_what_a_lot_has_in_common_is_found(common, own):
    lot = Lot(2, common, own)
    measured = [lot.measured(300), lot.measured(303, 0.2)]
    said = conductances_at(Moment(300, 0), measured, SUPPOSED, OWN)
    found = said.common_per_kelvin
    assert abs(found.value - common) < 4 * found.uncertainty < 4 * SUPPOSED.uncertainty / 10
    assert said.own_per_kelvin == pytest.approx(own, rel=0.1, abs=3e-6)


def test_more_temperatures_tell_more_and_ageing_tells_less():
    lot = Lot(3)
    two = [lot.measured(300), lot.measured(301, 0.1)]
    now = Moment(300, 0)

    def uncertainty(measured):
        said = conductances_at(now, measured, SUPPOSED, OWN)
        return float(np.median(said.uncertainty_per_kelvin))

    assert uncertainty([*two, lot.measured(298, 0.2)]) < uncertainty(two) < uncertainty(two[:1]) / 5
    late = [two[0], lot.measured(301, 50.0)]
    assert uncertainty(late) > 3 * uncertainty(two)


def test_a_branch_that_broke_does_not_spoil_the_others():
    lot = Lot(4)
    two = [lot.measured(300), lot.measured(301, 0.1)]
    broken = two[1].siemens.copy()
    broken[:10] *= 0.5
    with_broken = [two[0], replace(two[1], siemens=broken)]
    now = Moment(300, 0)
    whole = conductances_at(now, two, SUPPOSED, OWN)
    said = conductances_at(now, with_broken, SUPPOSED, OWN)
    assert said.own_per_kelvin == pytest.approx(whole.own_per_kelvin, rel=0.02)
    np.testing.assert_allclose(said.per_kelvin[10:], whole.per_kelvin[10:], atol=2e-6)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, BRANCHES - 1), max_size=20), st.integers(1, 3))
def test_what_is_not_known_stays_unknown(dead, times):
    lot = Lot(5)
    measured = []
    for hours in range(times):
        one = lot.measured(300 + hours, hours)
        siemens = one.siemens.copy()
        siemens[dead] = 0.0
        measured.append(replace(one, siemens=siemens))
    said = conductances_at(Moment(300.3, 3600.0), measured, SUPPOSED, OWN)
    for values in (said.siemens, said.uncertainty_siemens, said.per_kelvin):
        assert not values[dead].any()
        assert np.isfinite(values).all()
    alive = np.setdiff1d(np.arange(BRANCHES), dead)
    assert (said.siemens[alive] > 0).all()
    assert (said.uncertainty_siemens[alive] > 0).all()
