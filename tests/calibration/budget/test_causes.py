"""First-order propagation gives what Monte Carlo does (JCGM 101), cause by cause and together."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.budget.causes import (
    AGEING_PER_DECADE,
    MAX_HEATING_KELVIN_PER_WATT,
    Products,
)
from calibration.noise.readings import Settings
from calibration.noise.settling import Settling
from calibration.noise.survey import NoiseSurvey
from calibration.statistics.allan import flicker_square
from calibration.statistics.measured_value import MeasuredValue
from calibration.temperature.survey_coefficients import Warming
from tests.support.budgets import budget_at_one_scale

ROWS, OUTPUTS, BRANCHES, VECTORS, DRAWS = 6, 2, 5, 4, 1000
TRANSFER_READINGS, APERTURE, DELAY = 16, 20e-3, 1e-3
VOLTS, STEP = 15 / 16, 1e-5
NOTHING = MeasuredValue(0.0, 0.0)
QUIET = NoiseSurvey(
    settings=Settings(1e-3, APERTURE, DELAY, 50.0),
    adc_noise=NOTHING,
    adc_quantization=NOTHING,
    johnson=NOTHING,
    amplifier=NOTHING,
    flicker=NOTHING,
    dac_noise=NOTHING,
    dac_quantization=NOTHING,
    excess=NOTHING,
    mains=NOTHING,
    line_hertz=MeasuredValue(50.02, 1e-3),
    settling=Settling(NOTHING, NOTHING, NOTHING, NOTHING),
    warming=Warming(296.15, NOTHING, 0.0, NOTHING, NOTHING, NOTHING),
    readings=0,
    columns=2 * OUTPUTS,
)


class Board:
    """Branches, a pattern, and vectors; what is wanted is what they conduct."""

    def __init__(self):
        random = np.random.default_rng(8)
        self.branch = random.uniform(1e-6, 1e-5, (ROWS, 2 * OUTPUTS, BRANCHES))
        self.branch *= random.random(self.branch.shape) < 0.5
        self.siemens = self.branch.sum(axis=2)
        self.volts = random.uniform(-0.9, 0.9, (VECTORS, ROWS))
        # since the transfer matrix had been measured
        self.seconds = 3.0 + 0.021 * np.arange(VECTORS)
        self.kelvin = np.linspace(0.1, 0.4, VECTORS)
        self.decades = np.full(VECTORS, 0.02)
        self.row_bend = random.uniform(0, 1e-5, self.volts.shape)
        self.column_bend = random.uniform(0, 1e-9, (VECTORS, 2 * OUTPUTS))

    def products(self, **changed):
        nothing = Products(
            row_volts=self.volts,
            driven_lower=np.ones(VECTORS),
            rounding_volts=np.zeros_like(self.volts),
            row_bend_volts=np.zeros_like(self.volts),
            wanted_siemens=pairs(self.siemens),
            transfer_siemens=self.siemens,
            transfer_uncertainty_siemens=np.zeros(2 * OUTPUTS),
            transfer_volts=VOLTS,
            transfer_readings=TRANSFER_READINGS,
            squared_siemens=(self.branch**2).sum(axis=2),
            column_siemens=self.siemens.sum(axis=0),
            range_amperes=np.full(VECTORS, 1e-3),
            column_bend_amperes=np.zeros((VECTORS, 2 * OUTPUTS)),
            tied_siemens=np.zeros((VECTORS, 2 * OUTPUTS)),
            tied_square_kelvin=np.zeros(VECTORS),
            seconds=self.seconds + TRANSFER_READINGS * (APERTURE + DELAY) / 2,
            warmer_kelvin=np.zeros(VECTORS),
            watched_warmer_kelvin=np.zeros(VECTORS),
            square_kelvin=np.zeros(VECTORS),
            watched_square_kelvin=np.zeros(VECTORS),
            aged_decades=np.zeros(VECTORS),
        )
        return replace(nothing, **changed)


BOARD = Board()


def pairs(columns):
    return columns[..., 0::2] - columns[..., 1::2]


def white(random, square):
    """Noise of a reading, and of the zero, a mean of many."""
    size = np.sqrt(square)
    reading = random.standard_normal((VECTORS, 2 * OUTPUTS))
    zero = random.standard_normal(2 * OUTPUTS) / np.sqrt(TRANSFER_READINGS)
    return size * (reading - zero)


@cache
def flicker_root():
    """A root of the exact covariance of 1/f noise during the transfer matrix' measurement and at
    the products, but for a constant.
    """
    measured = (APERTURE + DELAY) * (np.arange(TRANSFER_READINGS) + 0.5 - TRANSFER_READINGS)
    times = np.concatenate([measured, BOARD.seconds])
    lags = np.abs(times[:, None] - times)

    def antiderivative(x):
        return -(x**2) * (np.log(np.maximum(x, 1e-300)) / 2 - 0.75)

    later, earlier = antiderivative(lags + APERTURE), antiderivative(np.abs(lags - APERTURE))
    return np.linalg.cholesky((later - 2 * antiderivative(lags) + earlier) / APERTURE**2 + 30.0)


def flicker(random, density, channels):
    """1/f noise of products (vectors, …), less its mean over the transfer matrix' measurement."""
    if not density:
        return np.zeros((VECTORS, *channels))
    root = np.sqrt(density) * flicker_root()
    drawn = np.tensordot(root, random.standard_normal((len(root), *channels)), 1)
    return drawn[TRANSFER_READINGS:] - drawn[:TRANSFER_READINGS].mean(axis=0)


def answer(random, survey, products):
    """What the board answers in one draw of everything that is uncertain, in full."""
    warming, volts = survey.warming, products.row_volts
    squares = products.square_kelvin, products.watched_square_kelvin, products.tied_square_kelvin
    warm, unwatched, warmer = (random.choice([-1.0, 1.0]) * np.sqrt(square) for square in squares)
    common = normal(random, warming.gain_per_kelvin)
    branch = np.sqrt(warming.branch_square.value) * random.standard_normal(BOARD.branch.shape)
    column = np.sqrt(warming.column_square.value) * random.standard_normal(2 * OUTPUTS)
    aged = AGEING_PER_DECADE * random.standard_normal(BOARD.branch.shape)
    excess = flicker(random, survey.excess.value, BOARD.branch.shape)
    heat = MAX_HEATING_KELVIN_PER_WATT * warming.gain_per_kelvin.value
    driven = np.rint(volts / STEP) * STEP if products.rounding_volts.any() else volts.copy()
    driven += products.row_bend_volts * random.standard_normal(volts.shape)
    driven += np.sqrt(survey.dac_noise.value) * random.standard_normal(volts.shape)

    amperes = np.empty((VECTORS, 2 * OUTPUTS))
    for k in range(VECTORS):
        relative = (1 + common * unwatched[k]) * (
            1 + branch * warm[k] + aged * products.aged_decades[k] + excess[k]
        )
        hotter = volts[k] ** 2 - products.transfer_volts**2
        relative = relative + heat * hotter[:, None, None] * BOARD.branch
        siemens = (BOARD.branch * relative).sum(axis=2) * (1 + column * warm[k])
        amperes[k] = driven[k] @ siemens
    missing = normal(random, survey.settling.left)
    amperes -= missing * np.diff(amperes, axis=0, prepend=0.0)

    total = products.column_siemens
    amperes += white(random, survey.adc_noise.value * 1e-6)
    amperes += white(random, survey.johnson.value * total)
    amperes += white(random, survey.amplifier.value * total**2)
    amperes += total * flicker(random, survey.flicker.value, (2 * OUTPUTS,))
    amperes += products.column_bend_amperes * random.standard_normal(amperes.shape)
    phase = random.uniform(0, 2 * np.pi, amperes.shape)
    hertz = normal(random, survey.line_hertz)
    amperes += np.sqrt(survey.mains.value) * np.sinc(hertz * APERTURE) * np.sin(phase) * total
    if products.tied_siemens.any():
        measured = products.tied_siemens[0] * random.standard_normal(BOARD.siemens.shape)
        gain = (measured * BOARD.siemens).sum(axis=0) / (BOARD.siemens**2).sum(axis=0)
        offset = VOLTS * products.tied_siemens[0] * random.standard_normal(2 * OUTPUTS)
        amperes = (amperes - offset) / ((1 + gain) * (1 + common * warmer[:, None]))
    step = 1e-3 * np.sqrt(12 * survey.adc_quantization.value)
    if step:  # wherever the codes lie
        phase = random.uniform(0, step, amperes.shape)
        amperes = np.rint((amperes + phase) / step) * step - phase
    return pairs(amperes)


def normal(random, estimate):
    return estimate.value + estimate.uncertainty * random.standard_normal()


CASES = {
    "temperature": (
        {"warming": replace(QUIET.warming, gain_per_kelvin=MeasuredValue(1e-4, 3e-5))},
        {"square_kelvin": BOARD.kelvin**2, "watched_square_kelvin": BOARD.kelvin**2 / 4},
    ),
    "temperature, columns and branches": (
        {
            "warming": replace(
                QUIET.warming,
                column_square=MeasuredValue(1e-10, 0.0),
                branch_square=MeasuredValue(9e-10, 0.0),
            )
        },
        {"square_kelvin": BOARD.kelvin**2, "watched_square_kelvin": BOARD.kelvin**2 / 4},
    ),
    "ageing": ({}, {"aged_decades": BOARD.decades}),
    "DAC quantization": (
        {},
        {"rounding_volts": np.rint(BOARD.volts / STEP) * STEP - BOARD.volts},
    ),
    "DAC nonlinearity": ({}, {"row_bend_volts": BOARD.row_bend}),
    "DAC noise": ({"dac_noise": MeasuredValue(1e-12, 0.0)}, {}),
    "settling": (
        {"settling": replace(QUIET.settling, left=MeasuredValue(1e-5, 5e-6))},
        {},
    ),
    "ADC nonlinearity": ({}, {"column_bend_amperes": BOARD.column_bend}),
    "ADC quantization": ({"adc_quantization": MeasuredValue(1e-14, 0.0)}, {}),
    "ranges": (
        {"warming": replace(QUIET.warming, gain_per_kelvin=MeasuredValue(1e-4, 3e-5))},
        {
            "tied_siemens": np.full((VECTORS, 2 * OUTPUTS), 1e-10),
            "tied_square_kelvin": np.full(VECTORS, 0.03),
        },
    ),
    "ADC noise": ({"adc_noise": MeasuredValue(1e-13, 0.0)}, {}),
    "Johnson noise": ({"johnson": MeasuredValue(1e-18, 0.0)}, {}),
    "amplifier noise": ({"amplifier": MeasuredValue(1e-15, 0.0)}, {}),
    "1/f noise": ({"flicker": MeasuredValue(1e-16, 0.0)}, {}),
    "excess noise": ({"excess": MeasuredValue(1e-12, 0.0)}, {}),
    "mains": ({"mains": MeasuredValue(1e-8, 0.0)}, {}),
}


def relative_square(survey, products):
    """The mean square relative error over many draws, and its standard uncertainty."""
    random = np.random.default_rng(12)
    exact = BOARD.volts @ pairs(BOARD.siemens)
    squares = [
        ((answer(random, survey, products) - exact) ** 2).sum() / (exact**2).sum()
        for _ in range(DRAWS)
    ]
    return np.mean(squares), np.std(squares) / np.sqrt(DRAWS)


@pytest.mark.parametrize("case", CASES)
def test_a_cause_alone(case):
    of_survey, of_products = CASES[case]
    survey, products = replace(QUIET, **of_survey), BOARD.products(**of_products)
    budget = budget_at_one_scale(products, survey)
    square, uncertainty = relative_square(survey, products)
    assert budget.relative_error**2 == pytest.approx(square, rel=0.02, abs=4 * uncertainty)
    for row in budget.rows:
        if row.cause != case.partition(",")[0]:
            # temperature is known to the sensor's resolution, whatever else
            assert row.relative_error < 1e-2 * budget.relative_error


def test_all_causes_together():
    of_survey, of_products = {}, {}
    for case in CASES.values():
        of_survey |= case[0]
        of_products |= case[1]
    coefficients = {
        "gain_per_kelvin": MeasuredValue(1e-4, 3e-5),
        "column_square": MeasuredValue(1e-10, 0.0),
        "branch_square": MeasuredValue(9e-10, 0.0),
    }
    of_survey["warming"] = replace(QUIET.warming, **coefficients)
    survey, products = replace(QUIET, **of_survey), BOARD.products(**of_products)
    budget = budget_at_one_scale(products, survey)
    square, uncertainty = relative_square(survey, products)
    assert budget.relative_error**2 == pytest.approx(square, rel=0.02, abs=4 * uncertainty)
    assert budget.relative_error == pytest.approx(
        math.sqrt(sum(row.relative_error**2 for row in budget.rows))
    )


@pytest.mark.parametrize("off_by", [0.0, 3e-10, 3e-9])
def test_matrix_and_its_measurement(off_by):
    """What is left of the residual without the measurement's noise is what the board is off by."""
    random, noise = np.random.default_rng(4), 1e-9
    exact = BOARD.volts @ pairs(BOARD.siemens)
    true, predicted = [], []
    for _ in range(2000):
        error = off_by * random.standard_normal(BOARD.siemens.shape)
        seen = error + noise * random.standard_normal(error.shape)
        products = BOARD.products(
            transfer_siemens=BOARD.siemens + seen,
            transfer_uncertainty_siemens=np.full(2 * OUTPUTS, noise),
        )
        true.append((BOARD.volts @ pairs(error)) ** 2 / (exact**2).sum())
        rows = {row.cause: row.relative_error for row in budget_at_one_scale(products, QUIET).rows}
        predicted.append(rows["selection residual"] ** 2 + rows["transfer matrix"] ** 2)
    true, predicted = np.sum(true, axis=(1, 2)), np.array(predicted)
    # the sum is never below zero, which draws around nothing would be half of the time
    measured = (noise**2) * 2 * (BOARD.volts**2).sum() * OUTPUTS / (exact**2).sum()
    spread = 4 * predicted.std() / np.sqrt(2000)
    assert true.mean() - spread < predicted.mean() < true.mean() + spread + 0.4 * measured


def test_self_heating_is_that_of_the_cubic_current():
    survey = replace(
        QUIET, warming=replace(QUIET.warming, gain_per_kelvin=MeasuredValue(-1e-4, 0.0))
    )
    products = BOARD.products()
    rows = {row.cause: row.relative_error for row in budget_at_one_scale(products, survey).rows}
    exact = BOARD.volts @ pairs(BOARD.siemens)
    heated = np.zeros_like(exact)
    for k, volts in enumerate(BOARD.volts):
        kelvin = MAX_HEATING_KELVIN_PER_WATT * (volts**2 - VOLTS**2)[:, None, None] * BOARD.branch
        heated[k] = pairs(volts @ (BOARD.branch * -1e-4 * kelvin).sum(axis=2))
    expected = np.linalg.norm(heated) / np.linalg.norm(exact)
    assert rows["self-heating"] == pytest.approx(expected)


@given(st.integers(1, 60), st.floats(0.1, 1e4))
def test_flicker_between_a_reading_and_a_long_measurement(readings, apart):
    """3 + ln(L²/TM), against the exact sum over all apertures."""
    period = APERTURE + DELAY
    gap = min(round(apart / period), 3000)
    weights = np.concatenate([np.full(readings, 1 / readings), np.zeros(gap), [-1.0]])
    exact = flicker_square(weights, period, APERTURE)
    survey = replace(QUIET, flicker=MeasuredValue(1.0, 0.0))
    products = BOARD.products(
        transfer_readings=readings,
        seconds=np.full(VECTORS, (gap + (readings + 1) / 2) * period),
    )
    rows = {row.cause: row.relative_error for row in budget_at_one_scale(products, survey).rows}
    whole = (products.products_amperes**2).sum()
    found = rows["1/f noise"] ** 2 * whole / (VECTORS * (products.column_siemens**2).sum())
    assert found == pytest.approx(exact, rel=0.1)
