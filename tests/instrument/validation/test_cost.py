"""What a product cost."""

from dataclasses import replace

import numpy as np
import pytest

from drivers.crossbar_board import SpentSeconds
from instrument.validation.cost import cost_of
from simulator.parts.resistors import draw_branches
from simulator.preset import load_preset
from tests.support.programs import LINEAR, program
from tests.support.tiled_programs import changed, programmed_of

INPUTS = np.random.default_rng(5).uniform(-1, 1, (20, 8))
SPENT = SpentSeconds(settling=20 * 1e-3, integrating=20 * 20e-3, talking=20 * 1e-4)


def test_heat_is_voltage_squared_times_conductance_of_every_branch_for_as_long_as_it_stands():
    ideal = LINEAR | {"wire": 0.0, "dac_gain": 0.0, "dac_offset": 0.0}
    ideal |= {"tia_gain": 0.0, "adc_gain": 0.0}
    programmed = program(**ideal)
    branches = draw_branches(load_preset("8x4").with_effects(**ideal).in_force(), 1)
    pattern = programmed_of(programmed).pattern
    siemens = np.where(pattern, branches.closed_siemens, branches.open_siemens)
    volts = INPUTS * programmed.volts_per_unit
    joules = np.einsum("vr,rcb->v", volts**2, siemens) * 21e-3
    cost = cost_of(programmed, INPUTS, SPENT)
    assert cost.resistor_joules == pytest.approx(joules.mean(), rel=1e-6)


def test_multiply_adds_and_time_are_those_of_one_product():
    cost = cost_of(program(**LINEAR), INPUTS, SPENT)
    assert cost.multiply_adds == 32
    assert cost.spent == pytest.approx((1e-3, 20e-3, 1e-4))


def test_columns_that_are_not_used_and_overload_do_not_count():
    programmed = program(**LINEAR)
    transfer = programmed_of(programmed).transfer
    siemens = np.concatenate([transfer.siemens, np.full((8, 2), np.nan)], axis=1)
    wider = changed(
        programmed,
        programmed=replace(programmed_of(programmed), transfer=replace(transfer, siemens=siemens)),
    )
    assert cost_of(wider, INPUTS, SPENT) == cost_of(programmed, INPUTS, SPENT)
