"""How a population of branches is drawn, and how it moves with temperature and age."""

import numpy as np
import pytest
from scipy import stats

from simulator.parts.resistors import draw_branches, nominal_ohms, preferred_values
from tests.support.simulated_boards import changed, small

MANY = {"shape": {"rows": 40, "columns": 40, "branches": 5}}
PLAIN = {"switches": {"on_ohms": 1e-6, "on_spread": 0.0}}


def population(**values):
    return changed(small(MANY, PLAIN), population=values)


def deviations(preset, seed=1):
    """Of the resistances from nominal, (rows, columns, branches)."""
    return 1 / draw_branches(preset, seed).closed_siemens / nominal_ohms(preset.population, 5) - 1


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        ("uniform", stats.uniform(-0.1, 0.2)),
        ("normal", stats.norm(0, 0.1 / 3)),
        ("lognormal", stats.lognorm(0.1 / 3, loc=-1)),
    ],
)
def test_tolerance_has_its_distribution(distribution, law):
    drawn = deviations(population(distribution=distribution)).ravel()
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("distribution", ["uniform", "normal", "lognormal"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_batch_has_its_share_in_common(distribution, share):
    preset = population(distribution=distribution, batch_share=share)
    own = np.stack([deviations(preset, seed).std(axis=(0, 1)) for seed in range(3)])
    whole = deviations(population(distribution=distribution)).std()
    expected = 1 - share if distribution == "uniform" else np.sqrt(1 - share**2)
    assert own.mean() / whole == pytest.approx(expected, abs=0.03)
    batches = np.array([deviations(preset, seed).mean(axis=(0, 1)) for seed in range(60)]).ravel()
    assert batches.std() / whole == pytest.approx(share, abs=0.1)


E24 = "10 11 12 13 15 16 18 20 22 24 27 30 33 36 39 43 47 51 56 62 68 75 82 91"
E96 = """
    100 102 105 107 110 113 115 118 121 124 127 130 133 137 140 143 147 150 154 158 162 165 169 174
    178 182 187 191 196 200 205 210 215 221 226 232 237 243 249 255 261 267 274 280 287 294 301 309
    316 324 332 340 348 357 365 374 383 392 402 412 422 432 442 453 464 475 487 499 511 523 536 549
    562 576 590 604 619 634 649 665 681 698 715 732 750 768 787 806 825 845 866 887 909 931 953 976
"""


@pytest.mark.parametrize(
    ("series", "listed"),
    [
        ("E6", E24.split()[::4]),
        ("E12", E24.split()[::2]),
        ("E24", E24.split()),
        ("E48", E96.split()[::2]),
        ("E96", E96.split()),
    ],
)
def test_preferred_numbers_are_the_standards(series, listed):
    """Against the lists of IEC 60063, in which every other value of one is the next coarser one."""
    values = np.array([float(digits) / 10 ** (len(digits) - 1) for digits in listed])
    np.testing.assert_allclose(preferred_values(series), values, rtol=1e-12)


def test_nominals_are_taken_from_the_series():
    preset = population(series="E12", base_ohms=1e5)
    ohms = nominal_ohms(preset.population, 10)
    np.testing.assert_allclose(
        ohms / 1e5, [1.0, 1.2, 1.5, 2.2, 2.7, 3.3, 3.9, 4.7, 6.8, 8.2], rtol=1e-12
    )


def test_temperature_acts_as_the_exact_law_says():
    preset = changed(
        small(MANY),
        population={"tcr_per_kelvin": 1e-4, "tcr_spread_per_kelvin": 5e-5},
        switches={"on_per_kelvin": 4e-3},
    )
    closed = draw_branches(preset, 1).closed
    cold = changed(preset, switches={"on_ohms": 1e-6, "on_spread": 0.0})
    ohms = 1 / draw_branches(cold, 1).closed_siemens - 1e-6
    on_ohms = 1 / closed.siemens - ohms
    alpha = -(closed.first / closed.siemens**2 + on_ohms * 4e-3) / ohms
    assert 0.5e-4 <= alpha.min() < 0.51e-4
    assert 1.49e-4 < alpha.max() <= 1.5e-4
    for kelvin in (-5.0, 0.5, 5.0):
        exact = 1 / (ohms * (1 + alpha * kelvin) + on_ohms * (1 + 4e-3 * kelvin))
        np.testing.assert_allclose(closed.at(kelvin, 0.0), exact, rtol=1e-9)


def test_what_the_expansion_leaves_out_is_what_it_states():
    preset = changed(
        population(tcr_per_kelvin=1e-4, tcr_spread_per_kelvin=5e-5, ageing_per_decade=50e-6),
        switches={"on_ohms": 20.0, "on_per_kelvin": 4e-3},
    )
    closed = draw_branches(preset, 1).closed
    warmer, older = -closed.first / closed.siemens, -closed.aged / closed.siemens
    for kelvin, decades in ((5.0, 0.0), (5.0, 1.0), (-5.0, 2.0)):
        exact = closed.siemens / (1 + warmer * kelvin + older * decades)
        left_out = np.abs(closed.at(kelvin, decades) / exact - 1)
        stated = (warmer * kelvin) ** 3, 2 * warmer * kelvin * older * decades, older * decades
        bound = abs(stated[0]) + abs(stated[1]) + stated[2] ** 2
        assert (left_out <= 1.01 * bound + 1e-15).all()
        assert left_out.max() > 0.5 * bound.max()


def test_ageing_is_a_random_slope_over_decades_of_hours():
    preset = population(ageing_per_decade=50e-6)
    closed = draw_branches(preset, 1).closed
    change = closed.at(0.0, 2.0) / closed.siemens - 1
    sigma = 2 * 50e-6
    assert change.std() == pytest.approx(sigma, rel=5 / np.sqrt(2 * change.size))
    assert abs(change.mean()) < 5 * sigma / np.sqrt(change.size)
    assert not draw_branches(population(), 1).closed.aged.any()
