"""Temperature coefficients: honest when the day was long, and when it was not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.branches.characterization import characterize
from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.measure import measure_converters
from calibration.statistics.measured_value import MeasuredValue
from calibration.temperature.ageing import AGEING_PER_DECADE, decades
from calibration.temperature.branch_coefficients import (
    KnownMoment,
    Measured,
    conductances_at,
    moved_to,
    with_earlier,
)
from calibration.temperature.survey_coefficients import Warming
from tests.support.branch_truth import EVERYTHING, read_value, scores
from tests.support.simulated_boards import switched_on

SUPPOSED, OWN = MeasuredValue(0.0, 500e-6), 50e-6
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
        moment = KnownMoment(3600 * hours, kelvin)
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
        now = KnownMoment(10 * 3600.0, 300.5)
        said = conductances_at(now, measured, MeasuredValue(-1e-4, 20e-6), OWN)
        truth = lot.at(now)
        # what all have in common is no error of a branch
        common = np.average(said.siemens / truth)
        found.append(covered(said.siemens / common, said.uncertainty_siemens, truth))
        own.append(covered(said.per_kelvin, said.uncertainty_per_kelvin, lot.per_kelvin))
    # where hardly anything was seen, what is supposed counts, and caution
    most = 1.0 if day == "hardly two" else 0.97
    assert 0.93 < np.mean(found) < most
    assert 0.93 < np.mean(own) < most


def test_one_temperature_tells_what_was_supposed():
    lot = Lot(1)
    said = conductances_at(
        KnownMoment(0, 300), [lot.measured(300)], MeasuredValue(-2e-4, 30e-6), 40e-6
    )
    assert said.per_kelvin == pytest.approx(-2e-4)
    assert said.own_per_kelvin == 40e-6
    assert said.uncertainty_per_kelvin == pytest.approx(50e-6)
    np.testing.assert_allclose(said.siemens, lot.siemens, rtol=2e-5)


@pytest.mark.parametrize("own", [5e-6, 50e-6, 300e-6])
@pytest.mark.parametrize("common", [-4e-4, 1e-4])
def test_what_a_lot_has_in_common_is_found(common, own):
    lot = Lot(2, common, own)
    measured = [lot.measured(300), lot.measured(303, 0.2)]
    said = conductances_at(KnownMoment(0, 300), measured, SUPPOSED, OWN)
    found = said.common_per_kelvin
    assert abs(found.value - common) < 4 * found.uncertainty < 4 * SUPPOSED.uncertainty / 10
    assert said.own_per_kelvin == pytest.approx(own, rel=0.1, abs=3e-6)


def test_more_temperatures_tell_more_and_ageing_tells_less():
    lot = Lot(3)
    two = [lot.measured(300), lot.measured(301, 0.1)]
    now = KnownMoment(0, 300)

    def uncertainty(measured):
        said = conductances_at(now, measured, SUPPOSED, OWN)
        return float(np.median(said.uncertainty_per_kelvin))

    assert uncertainty([*two, lot.measured(298, 0.2)]) < uncertainty(two) < uncertainty(two[:1]) / 5
    late = [two[0], lot.measured(301, 50.0)]
    assert uncertainty(late) > 3 * uncertainty(two)


@pytest.mark.parametrize("kelvin", [0.0, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("supposed", [4e-6, 5e-4])
def test_another_measurement_never_makes_the_common_coefficient_less_certain(kelvin, supposed):
    lot = Lot(7)
    measured = [lot.measured(300), lot.measured(300 + kelvin, 0.5)]
    before = MeasuredValue(-1e-4, supposed)
    after = conductances_at(KnownMoment(0, 300), measured, before, OWN).common_per_kelvin
    assert after.uncertainty <= before.uncertainty
    assert abs(after.value + 1e-4) < 4 * after.uncertainty


def test_a_branch_that_broke_does_not_spoil_the_others():
    lot = Lot(4)
    two = [lot.measured(300), lot.measured(301, 0.1)]
    broken = two[1].siemens.copy()
    broken[:10] *= 0.5
    with_broken = [two[0], replace(two[1], siemens=broken)]
    now = KnownMoment(0, 300)
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
        siemens[dead] = np.nan
        measured.append(replace(one, siemens=siemens))
    said = conductances_at(KnownMoment(3600.0, 300.3), measured, SUPPOSED, OWN)
    for values in (said.siemens, said.uncertainty_siemens, said.per_kelvin):
        assert not values[dead].any()
        assert np.isfinite(values).all()
    alive = np.setdiff1d(np.arange(BRANCHES), dead)
    assert (said.siemens[alive] > 0).all()
    assert (said.uncertainty_siemens[alive] > 0).all()


CLASS = Warming(
    kelvin=300.0,
    kelvin_per_second=MeasuredValue(0.0, 0.0),
    wander=0.0,
    gain_per_kelvin=SUPPOSED,
    column_square=MeasuredValue(1e-10, 1e-10),
    branch_square=MeasuredValue(OWN**2, OWN**2),
)
"""What is supposed of a board before it is surveyed."""


def over_a_day(seed, day, preset=EVERYTHING):
    """A board characterized at some hours, when it was so much warmer, and what it then is said to
    be; with it the shares of intervals that cover the truth: conductances, coefficients.
    """
    board = switched_on(preset, seed)
    straight = CorrectedCrossbar(board, measure_converters(board))
    calibrations = []
    for hours, kelvin in day:
        board.clock.advance(max(3600 * hours - board.clock.seconds, 0.0), "integrating")
        board.ambient.step_kelvin = kelvin
        calibrations.append(characterize(straight))
    *earlier, last = calibrations
    branches, coefficients = with_earlier(last, earlier, CLASS)
    now = KnownMoment(last.reference_seconds, last.reference_kelvin + 0.4)
    branches = moved_to(now, branches, coefficients)
    warmer, colder = (
        read_value(board, replace(branches, reference_kelvin=now.kelvin + step), now.seconds)
        for step in (0.5, -0.5)
    )
    truth = 2 * (warmer - colder) / (warmer + colder)
    off = np.abs(coefficients.per_kelvin - truth) / coefficients.uncertainty_per_kelvin
    within = np.abs(scores(board, branches, now.seconds)) < 1.96
    assert branches.usable.all()
    return float(within.mean()), float((off < 1.96).mean()), coefficients


def test_a_day_tells_the_coefficients_of_a_board():
    shares = [over_a_day(seed, [(0, 0.0), (2, 1.0), (5, -0.7)]) for seed in range(6)]
    covered, own, said = zip(*shares, strict=True)
    assert 0.9 < np.mean(covered) < 0.99
    assert 0.9 < np.mean(own) < 0.99
    for coefficients in said:
        assert coefficients.own_per_kelvin == pytest.approx(30e-6, rel=0.15)
        assert coefficients.common_per_kelvin.uncertainty < 4e-6


def test_where_nothing_is_known_the_uncertainty_grows_with_temperature_and_age():
    board = switched_on(EVERYTHING, 3)
    measured = characterize(CorrectedCrossbar(board, measure_converters(board)))
    branches, coefficients = with_earlier(measured, [], CLASS)
    np.testing.assert_allclose(branches.branch_siemens, measured.branch_siemens, rtol=1e-12)
    then = KnownMoment(measured.reference_seconds, measured.reference_kelvin)
    same = moved_to(then, branches, coefficients)
    np.testing.assert_allclose(same.uncertainty_siemens, measured.uncertainty_siemens, rtol=1e-9)

    def grown(kelvin, hours):
        now = KnownMoment(then.seconds + 3600 * hours, then.kelvin + kelvin)
        after = moved_to(now, branches, coefficients)
        square = after.uncertainty_siemens**2 - measured.uncertainty_siemens**2
        assert (
            after.covariance(*np.ogrid[:8, :8])[..., 3, 3]
            > measured.covariance(*np.ogrid[:8, :8])[..., 3, 3]
        ).all()
        return np.sqrt(square) / after.branch_siemens

    np.testing.assert_allclose(grown(2.0, 0.0), 2 * OWN, rtol=0.5)
    aged = AGEING_PER_DECADE * np.log10(
        (measured.reference_seconds / 3600 + 10) / (measured.reference_seconds / 3600 + 1)
    )
    np.testing.assert_allclose(grown(0.0, 9.0), aged, rtol=1e-6)


def test_a_room_that_stays_as_it_is_tells_little_and_says_so():
    calm = EVERYTHING.with_effects(ambient=0.0).in_force()
    covered, own, said = over_a_day(1, [(0, 0.0), (1, 0.0)], calm)
    assert covered > 0.9
    assert own > 0.9
    assert said.common_per_kelvin.uncertainty > 100e-6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_intervals_cover_what_they_say_from_board_to_board():
    """On 40 boards; the shares scatter by 0.03, their means by 0.005. Of conductances it is more:
    what parts of a class age by at most is taken for their standard deviation.
    """
    shares = [over_a_day(seed, [(0, 0.0), (2, 1.0), (5, -0.7)])[:2] for seed in range(40)]
    covered, own = np.mean(shares, axis=0)
    assert 0.93 < covered < 0.995
    assert 0.93 < own < 0.97
