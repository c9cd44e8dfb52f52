"""The network of a pattern: near the temperature it was solved for, and far from it."""

import numpy as np
import pytest

from kirchhoff import Wire, column_currents
from simulator.parts.resistors import combine, draw_branches
from simulator.parts.wire_network import SOLVED_WITHIN_KELVIN, Network
from simulator.preset import load_preset

WIRE = Wire(0.02, 0.02, 0.05, 0.05)
PRESET = load_preset("64x16")


@pytest.fixture
def crosspoints():
    drawn = draw_branches(PRESET, 1)
    pattern = np.random.default_rng(1).random(drawn.closed_siemens.shape) < 0.5
    return combine(
        lambda closed, opened: np.where(pattern, closed, opened).sum(axis=2),
        drawn.closed,
        drawn.open,
    )


@pytest.mark.parametrize("vectors", [2, 200])
def test_currents_at_any_temperature_and_age_are_those_of_a_new_solution(crosspoints, vectors):
    network = Network(crosspoints, WIRE)
    random = np.random.default_rng(2)
    volts = random.uniform(-1, 1, (vectors, PRESET.shape.rows))
    for middle, decades in ((0.0, 0.0), (0.4, 0.01), (0.41, 0.01), (-1.5, 0.9)):
        kelvin = middle + random.uniform(-0.5, 0.5, vectors) * SOLVED_WITHIN_KELVIN
        got = network.currents(volts, 1, kelvin, decades)
        heated = volts**3 @ crosspoints.heating
        for index in range(0, vectors, 37):
            now = crosspoints.at(kelvin[index], decades)
            exact = column_currents(now, volts[index : index + 1], WIRE)[0] + heated[index]
            assert np.abs(got[index] - exact).max() < 4e-8 * np.abs(exact).max()


def test_each_vector_is_read_as_often_as_asked(crosspoints):
    network = Network(crosspoints, WIRE)
    volts = np.random.default_rng(2).uniform(-1, 1, (3, PRESET.shape.rows))
    got = network.currents(volts, 4, np.zeros(12), 0.0)
    np.testing.assert_array_equal(got[0::4], network.currents(volts, 1, np.zeros(3), 0.0))
    np.testing.assert_array_equal(got[0:4], np.repeat(got[:1], 4, axis=0))


def test_heat_grows_with_the_cube_of_the_voltage(crosspoints):
    network = Network(crosspoints, WIRE)
    one = np.full((1, PRESET.shape.rows), 0.4)
    single = network.currents(one, 1, np.zeros(1), 0.0)
    double = network.currents(2 * one, 1, np.zeros(1), 0.0)
    heat = one**3 @ crosspoints.heating
    # The linear part cancels in 2 I(V) − I(2V), the cubic one leaves 2 − 8.
    np.testing.assert_allclose(2 * single - double, -6 * heat, rtol=1e-6, atol=1e-18)
    assert (heat < 0).all()  # warmer resistors of positive TCR conduct less
