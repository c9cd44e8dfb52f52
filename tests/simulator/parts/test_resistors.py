"""The population of branches: what is drawn, and what the defects mean electrically."""

import numpy as np
import pytest
from scipy import stats

from simulator.parts.resistors import closed_branches, draw_branches, nominal_ohms
from tests.support.simulated_boards import changed, small

WIDE = small(shape={"rows": 24, "columns": 20})
KINDS = ("open", "short", "stuck_on", "stuck_off")


def nominals(preset):
    """Steps of equal ratio over the decades of the preset."""
    population, n = preset.population, preset.shape.branches
    return np.array([population.base_ohms * 10 ** (population.decades * k / n) for k in range(n)])


def test_nominal_values_are_steps_of_equal_ratio():
    ohms = nominal_ohms(WIDE.population, WIDE.shape.branches)
    np.testing.assert_allclose(ohms, nominals(WIDE), rtol=1e-12)
    assert ohms[0] == 100e3
    np.testing.assert_allclose(ohms[1:] / ohms[:-1], 10**0.1, rtol=1e-12)


def test_listed_nominal_values_are_taken_as_they_are():
    listed = tuple(1e3 * (k + 1) ** 2 for k in range(WIDE.shape.branches))
    board = changed(WIDE, population={"nominal_ohms": listed, "series": "E6", "tolerance": 0.0})
    np.testing.assert_array_equal(nominal_ohms(board.population, len(listed)), listed)
    closed = draw_branches(board, 3).closed_siemens
    expected = np.broadcast_to(1 / (np.array(listed) + 20), closed.shape)
    np.testing.assert_allclose(closed, expected, rtol=5e-3)


def test_closed_branch_is_the_resistor_in_series_with_its_switch():
    exact = changed(WIDE, population={"tolerance": 0.0}, switches={"on_spread": 0.0})
    for on_ohms in (20.0, 5000.0):
        closed = draw_branches(changed(exact, switches={"on_ohms": on_ohms}), 3).closed_siemens
        expected = np.broadcast_to(1 / (nominals(exact) + on_ohms), closed.shape)
        np.testing.assert_allclose(closed, expected, rtol=1e-12)


def test_tolerance_is_uniform_within_its_limits():
    ideal = changed(WIDE, switches={"on_ohms": 1e-6})
    for tolerance in (0.1, 0.01):
        drawn = draw_branches(changed(ideal, population={"tolerance": tolerance}), 5)
        error = (1 / drawn.closed_siemens / nominals(ideal) - 1) / tolerance
        assert np.abs(error).max() <= 1 + 1e-6
        assert stats.kstest(error.ravel(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_tolerances_of_neighbours_have_nothing_in_common():
    drawn = draw_branches(changed(WIDE, switches={"on_ohms": 1e-6}), 5).closed_siemens
    error = 1 / drawn / nominals(WIDE) - 1
    for axis in range(3):
        here = np.moveaxis(error, axis, 0)
        correlation = np.corrcoef(here[1:].ravel(), here[:-1].ravel())[0, 1]
        assert abs(correlation) < 4.5 / np.sqrt(error.size / 2)


def test_switch_resistance_is_uniform_within_its_spread():
    exact = changed(
        WIDE, population={"tolerance": 0.0}, switches={"on_ohms": 1000.0, "on_spread": 0.2}
    )
    on_ohms = 1 / draw_branches(exact, 5).closed_siemens - nominals(exact)
    error = (on_ohms / 1000.0 - 1) / 0.2
    assert np.abs(error).max() <= 1 + 1e-6
    assert stats.kstest(error.ravel(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_switches_know_nothing_of_their_resistors():
    resistors = draw_branches(changed(WIDE, switches={"on_ohms": 1e-6}), 5).closed_siemens
    tolerance = 1 / resistors / nominals(WIDE) - 1
    exact = changed(WIDE, population={"tolerance": 0.0}, switches={"on_ohms": 1000.0})
    on_ohms = 1 / draw_branches(exact, 5).closed_siemens - nominals(exact)
    correlation = np.corrcoef(tolerance.ravel(), on_ohms.ravel())[0, 1]
    assert abs(correlation) < 4.5 / np.sqrt(on_ohms.size)


def test_open_switch_leaks_through_its_resistor():
    drawn = draw_branches(changed(WIDE, switches={"on_ohms": 1e-6, "off_ohms": 1e6}), 5)
    resistors = 1 / drawn.closed_siemens
    np.testing.assert_allclose(1 / drawn.open_siemens, resistors + 1e6, rtol=1e-9)


def test_population_follows_the_seed():
    one, again, other = (draw_branches(WIDE, seed).closed_siemens for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()


def test_changing_the_tolerance_scales_the_same_draws():
    ideal = changed(WIDE, switches={"on_ohms": 1e-6, "on_spread": 0.0})
    errors = [
        1
        / draw_branches(changed(ideal, population={"tolerance": tolerance}), 5).closed_siemens
        / nominals(ideal)
        - 1
        for tolerance in (0.01, 0.1)
    ]
    np.testing.assert_allclose(10 * errors[0], errors[1], atol=1e-9)


def with_defects(**fractions):
    return draw_branches(changed(WIDE, defects=fractions), 5)


@pytest.mark.parametrize("kind", KINDS)
def test_defects_leave_the_draws_of_all_other_branches_as_they_were(kind):
    healthy, defective = draw_branches(WIDE, 5), with_defects(**{kind: 0.1})
    same = (healthy.closed_siemens == defective.closed_siemens) & (
        healthy.open_siemens == defective.open_siemens
    )
    hit, count = int((~same).sum()), same.size
    # a binomial count, five standard deviations either way
    assert abs(hit - 0.1 * count) < 5 * np.sqrt(count * 0.1 * 0.9)


def test_what_each_defect_is():
    healthy = draw_branches(WIDE, 5)
    expected_if_all = {
        "open": (0.0, 0.0),
        "stuck_on": (healthy.closed_siemens, healthy.closed_siemens),
        "stuck_off": (healthy.open_siemens, healthy.open_siemens),
    }
    for kind, (closed, opened) in expected_if_all.items():
        drawn = with_defects(**{kind: 1.0})
        np.testing.assert_array_equal(drawn.closed_siemens, closed + 0 * healthy.closed_siemens)
        np.testing.assert_array_equal(drawn.open_siemens, opened + 0 * healthy.closed_siemens)


def test_short_is_a_working_switch_without_its_resistor():
    drawn = with_defects(short=1.0)
    on_ohms = 1 / drawn.closed_siemens
    assert (on_ohms >= 16.0).all()
    assert (on_ohms <= 24.0).all()
    assert on_ohms.std() > 1.0
    np.testing.assert_allclose(drawn.open_siemens, 1e-10, rtol=1e-12)


def test_fractions_of_several_defects_hold_side_by_side():
    fractions = {"open": 0.05, "short": 0.1, "stuck_on": 0.15, "stuck_off": 0.2}
    drawn, healthy = with_defects(**fractions), draw_branches(WIDE, 5)
    moves = drawn.closed_siemens != drawn.open_siemens
    found = {
        "open": drawn.closed_siemens == 0,
        "short": drawn.closed_siemens > 1e-3,
        "stuck_on": ~moves & (drawn.open_siemens == healthy.closed_siemens),
        "stuck_off": ~moves & (drawn.closed_siemens == healthy.open_siemens),
    }
    count = moves.size
    for kind, fraction in fractions.items():
        spread = np.sqrt(count * fraction * (1 - fraction))
        assert abs(found[kind].sum() - fraction * count) < 5 * spread, kind


@pytest.mark.parametrize("kelvin", [-10.0, -1.0, 1.0, 10.0])
def test_a_closed_branch_is_its_resistor_and_its_switch_at_any_temperature(kelvin):
    """To second order: R·(1 + α·ΔT) + R_on·(1 + β·ΔT), of which the rest is below (1 %)³."""
    random = np.random.default_rng(3)
    ohms, tcr = random.uniform(1e3, 1e5, 50), random.uniform(-1e-3, 1e-3, 50)
    on_ohms = random.uniform(10, 30, 50)
    preset = changed(WIDE, switches={"on_per_kelvin": 4e-3})
    closed = closed_branches(ohms, on_ohms, tcr, np.zeros(50), preset)
    exact = 1 / (ohms * (1 + tcr * kelvin) + on_ohms * (1 + 4e-3 * kelvin))
    np.testing.assert_allclose(closed.at(kelvin, 0.0), exact, rtol=2e-6)


@pytest.mark.parametrize("decades", [0.0, 1.0, 3.0])
def test_a_closed_branch_ages_by_its_resistor_alone(decades):
    random = np.random.default_rng(3)
    ohms, ageing = random.uniform(1e2, 1e5, 50), random.normal(0, 50e-6, 50)
    closed = closed_branches(ohms, np.full(50, 20.0), np.zeros(50), ageing, WIDE)
    exact = 1 / (ohms * (1 + ageing * decades) + 20.0)
    np.testing.assert_allclose(closed.at(0.0, decades), exact, rtol=5e-7)
