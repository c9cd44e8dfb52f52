"""What the curves of ADCs leave in products, against Monte Carlo (JCGM 101); products by the
clock and the thermometer.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.branches.characterization import characterize
from calibration.budget.products import column_bend_amperes, products_of
from calibration.crossbar import Moment
from calibration.programming.refinement import program
from calibration.programming.targets import choose_targets
from calibration.transfer.measure import measure_transfer
from calibration.transfer.product_ranges import range_of_use, tie
from tests.support.branch_calibrations import converters_of, survey_of
from tests.support.simulated_boards import small, switched_on

ROWS, COLUMNS, VECTORS, VOLTS, USED, WIDE = 48, 6, 40, 15 / 16, 1e-3, 3e-3


class Bent:
    """A board of exact conductances, read through the curves of its ADCs."""

    rows, columns = ROWS, COLUMNS

    def __init__(self, siemens, curves):
        self.siemens, self.curves, self.range_amperes = siemens, curves, USED

    def moment(self):
        return 0.0, 0.0

    def column_currents(self, row_volts):
        amperes = row_volts @ self.siemens
        bend = self.curves.deviation(amperes / self.range_amperes)
        return amperes + self.range_amperes * bend

    def measured_in(self, range_amperes):
        self.range_amperes = range_amperes
        return measure_transfer(self, ROWS, COLUMNS, VOLTS)


@pytest.mark.parametrize("siemens", [2e-5, 6e-5])
@pytest.mark.parametrize("full", [USED, WIDE])
def test_what_zero_and_transfer_matrix_have_taken_in_is_no_error(full, siemens):
    """Curves drawn from their covariance bend the zero, the transfer matrix and the products."""
    random = np.random.default_rng(3)
    curves = converters_of(ROWS, COLUMNS).columns
    conductances = siemens * random.uniform(0.5, 1.5, (ROWS, COLUMNS))
    volts = random.uniform(-VOLTS, VOLTS, (VECTORS, ROWS))
    squares = []
    for _ in range(300):
        drawn = [random.multivariate_normal(np.zeros(4), one) for one in curves.covariance]
        board = Bent(conductances, replace(curves, coefficients=np.array(drawn)))
        wide, used = board.measured_in(WIDE), board.measured_in(USED)
        tied = range_of_use(USED, COLUMNS) if full == USED else tie(used, wide, WIDE)
        board.range_amperes = full
        answered = tied.in_range_of_use(board.column_currents(volts)) - used.zero_amperes
        squares.append((answered - volts @ used.siemens) ** 2)
    ranges = np.full(VECTORS, full)
    predicted = column_bend_amperes(curves, conductances, volts, VOLTS, ranges, USED)
    found = np.mean(squares, axis=0)
    assert predicted.shape == (VECTORS, COLUMNS)
    # of what the curves deviate by, most is taken in
    deviation = full * curves.uncertainty(volts @ conductances / full)
    assert (predicted**2).sum() < 0.5 * (deviation**2).sum()
    assert (predicted**2).sum() == pytest.approx(found.sum(), rel=0.15)


INPUTS = np.random.default_rng(5).uniform(-1, 1, (6, 8)) * VOLTS


@cache
def programmed():
    """A matrix on a still board, and what its branches are."""
    board = switched_on(small(), 1)
    branches = characterize(board)
    weights = np.random.default_rng(1).uniform(-1, 1, (8, 4))
    return program(board, branches, choose_targets(weights, branches)), branches


def measured_at(seconds, kelvin=296.15, lasted_seconds=2.0):
    """The same, its transfer matrix measured around a time since power-on."""
    matrix, branches = programmed()
    half = lasted_seconds / 2
    transfer = replace(
        matrix.transfer, began=(seconds - half, kelvin), ended=(seconds + half, kelvin)
    )
    return replace(matrix, transfer=transfer), branches


def products_at(matrix, branches, *moments, **more):
    return products_of(matrix, branches, converters_of(8, 8), survey_of(), INPUTS, moments, **more)


@given(st.floats(1.0, 1e8))
def test_products_made_while_the_transfer_matrix_was_measured_have_aged_nothing(seconds):
    now = Moment(seconds, 296.15)
    products = products_at(*measured_at(seconds), now, now)
    np.testing.assert_allclose(products.aged_decades, 0.0, atol=1e-12)
    np.testing.assert_allclose(products.seconds, 0.0, atol=1e-6)


@given(st.floats(1.0, 1e6), st.floats(1.0, 1e6))
def test_products_age_by_the_hours_since_power_on(measured, later):
    """log₁₀ of (1 h + t): what is left of a decade falls as the board grows old."""
    after = Moment(measured + later, 296.15)
    products = products_at(*measured_at(measured), after, after)
    aged = np.log10((3600 + measured + later) / (3600 + measured))
    np.testing.assert_allclose(products.aged_decades, aged, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(products.seconds, later, rtol=1e-6)


def test_products_are_evenly_spread_between_the_first_and_the_last_moment():
    products = products_at(*measured_at(100.0), Moment(100.0, 296.15), Moment(112.0, 299.15))
    np.testing.assert_allclose(products.seconds, [1, 3, 5, 7, 9, 11])
    np.testing.assert_allclose(products.warmer_kelvin, np.array([1, 3, 5, 7, 9, 11]) / 4)


def test_between_two_looks_at_the_thermometer_the_temperature_wanders_as_a_bridge():
    """s(L − s)/L of a random walk between two known ends; before them, half of the half that the
    matrix took.
    """
    matrix, branches = measured_at(50.0, lasted_seconds=8.0)
    products = products_at(matrix, branches, Moment(100.0, 296.15), Moment(112.0, 296.15))
    since = np.array([1, 3, 5, 7, 9, 11])
    wander = survey_of().warming.wander
    by_chance = products.square_kelvin - products.square_kelvin[0]
    bridge = since * (12 - since) / 12
    np.testing.assert_allclose(by_chance, wander * (bridge - bridge[0]), atol=1e-12)
    still = products_at(matrix, branches, Moment(100.0, 296.15), Moment(100.0, 296.15))
    sensor = (2.0**-7) ** 2 / 6
    np.testing.assert_allclose(still.square_kelvin, sensor + wander * 8.0 / 4)
    warmer = products_at(matrix, branches, Moment(100.0, 298.15), Moment(100.0, 298.15))
    np.testing.assert_allclose(warmer.square_kelvin, still.square_kelvin + 2.0**2)


def test_sentinels_make_an_early_change_of_temperature_no_matter():
    matrix, branches = measured_at(50.0)
    ends = Moment(1000.0, 299.15), Moment(1012.0, 299.15)
    products = products_at(matrix, branches, *ends, watched_at=Moment(990.0, 299.15))
    np.testing.assert_array_equal(products.watched_warmer_kelvin, 0.0)
    assert (products.watched_square_kelvin < products.square_kelvin - 8).all()
    # Never read, or so long ago that they are read again before the first product.
    never = products_at(*measured_at(990.0), *ends)
    np.testing.assert_allclose(never.watched_square_kelvin, never.square_kelvin)
    np.testing.assert_allclose(never.watched_warmer_kelvin, 3.0)
    long_ago = products_at(matrix, branches, *ends, watched_at=Moment(900.0, 296.15))
    np.testing.assert_array_equal(long_ago.watched_warmer_kelvin, 0.0)


def test_codes_are_rounded_to_the_nearest_step_and_the_columns_carry_all_that_is_closed():
    matrix, branches = measured_at(100.0)
    products = products_at(matrix, branches, Moment(100.0, 296.15), Moment(101.0, 296.15))
    converters, now = converters_of(8, 8), Moment(100.0, 296.15)
    assert np.abs(products.rounding_volts).max() <= converters.step_volts * (0.5 + 1e-9)
    codes = (converters.settings(INPUTS) + products.rounding_volts) / converters.step_volts
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-6)
    assert products.transfer_readings == 16  # 8 vectors and their negatives
    closed = np.where(matrix.pattern, branches.branch_siemens, 0.0)
    np.testing.assert_allclose(
        products.column_siemens, closed.sum(axis=(0, 2)) + branches.open_siemens.sum(axis=0)
    )
    np.testing.assert_allclose(products.squared_siemens, (closed**2).sum(axis=2))
    # A range that holds half of the currents halves the voltages, and says so.
    largest = np.abs(INPUTS @ matrix.transfer.siemens).max()
    narrow = replace(matrix, ranges=(replace(matrix.ranges[0], range_amperes=largest / 1.5),))
    lower = products_at(narrow, branches, now, now)
    assert set(lower.driven_lower.tolist()) == {1.0, 2.0}
    np.testing.assert_allclose(lower.row_volts * lower.driven_lower[:, None], INPUTS)


def test_products_of_a_part_of_the_board_are_those_of_its_rows_and_columns_alone():
    board = switched_on(small(), 1)
    branches = characterize(board)
    weights = np.random.default_rng(1).uniform(-1, 1, (5, 2))
    matrix = program(board, branches, choose_targets(weights, branches))
    now = Moment(100.0, 296.15)
    products = products_of(
        matrix, branches, converters_of(8, 8), survey_of(), INPUTS[:, :5], [now, now]
    )
    assert products.products_amperes.shape == (len(INPUTS), 2)
    assert products.rounding_volts.shape == products.row_bend_volts.shape == (len(INPUTS), 5)
    for values in (products.transfer_siemens, products.squared_siemens):
        assert values.shape == (5, 4)
    for values in (products.column_siemens, products.transfer_uncertainty_siemens):
        assert values.shape == (4,)
    for values in (products.column_bend_amperes, products.tied_siemens):
        assert values.shape == (len(INPUTS), 4)
    assert products.transfer_readings == 16
