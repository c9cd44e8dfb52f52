"""The steps of the converters are seen in what the board answers, and the budget counts them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.converters.resolution import (
    MAX_BITS,
    USUAL_ADC_BITS,
    USUAL_DAC_BITS,
    adc_step,
    find_adc_bits,
    find_dac_bits,
)
from calibration.crossbar import Moment
from instrument.budget import budgets_of
from instrument.opening import open_bench
from instrument.validation import compare
from simulator.preset import load_preset
from tests.support.simulated_boards import changed, small, switched_on


@given(st.integers(5, 22), st.integers(0, 1000), st.floats(0.01, 1.0))
def test_the_grid_of_readings_tells_the_bits_of_the_adc(bits, seed, share):
    step = adc_step(bits)
    codes = np.rint(np.random.default_rng(seed).uniform(-share, share, 400) / step)
    codes = np.concatenate([codes, [1, 3, 5, 7, -1, -3, -5, -7]])
    assert find_adc_bits(np.float32(codes * step).astype(np.float64)) == bits


def test_readings_without_a_grid_and_too_few_of_them():
    readings = np.random.default_rng(1).uniform(-1, 1, 400)
    assert find_adc_bits(readings) == MAX_BITS
    too_few = np.array([np.nan, 0.0, 1e-3])
    assert find_adc_bits(too_few) == USUAL_ADC_BITS
    assert find_adc_bits(too_few, stated_bits=18) == 18


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16, 18, 20])
@pytest.mark.parametrize("preset", [small(), load_preset("8x4")], ids=["still", "everything"])
def test_the_finest_setting_that_moves_a_row_tells_the_bits_of_the_dac(preset, bits):
    board = switched_on(changed(preset, dac={"bits": bits}), bits)
    board.configure(aperture_seconds=20e-3, delay_seconds=1e-3)
    assert find_dac_bits(board) == bits
    assert not board.pattern.any()


@pytest.mark.parametrize("widest", [1e-3, 1e-4, 1e-5])
def test_the_bits_of_the_dac_are_told_where_the_widest_range_is_narrow(widest):
    preset = changed(load_preset("8x4"), dac={"bits": 12}, tia={"ranges_amperes": [1e-6, widest]})
    board = switched_on(preset, 1)
    board.configure(aperture_seconds=20e-3, delay_seconds=1e-3)
    assert find_dac_bits(board) == 12


def test_where_no_column_answers_the_dac_is_what_the_board_says():
    board = switched_on(small(defects={"open": 1.0}), 1)
    assert find_dac_bits(board) == USUAL_DAC_BITS
    assert find_dac_bits(board, stated_bits=12) == 12


@pytest.mark.parametrize(
    "sections", [{"adc": {"bits": 12}}, {"adc": {"bits": 16}}, {"dac": {"bits": 8}}], ids=str
)
def test_the_budget_foretells_products_of_coarse_converters(tmp_path, sections):
    path = tmp_path / "coarse.toml"
    text = load_preset_text()
    for section, values in sections.items():
        head, tail = text.split(f"[{section}]")
        text = f"{head}[{section}]" + tail.replace("bits = ", f"bits = {values['bits']} # ", 1)
    path.write_text(text)
    random = np.random.default_rng(1)
    weights, inputs = random.uniform(-1, 1, (8, 4)), random.uniform(-1, 1, (256, 8))
    with open_bench(f"sim:{path}") as bench:
        calibration = bench.calibrate()
        program = bench.program(weights, calibration)
        moments = [Moment(*bench.board.moment())]
        partial = program.partial_products(inputs)
        moments.append(Moment(*bench.board.moment()))
        budget = budgets_of(program, calibration, inputs, moments).whole
    measured = compare(program, inputs, program.sum_of(partial)).bits
    assert budget.bits == pytest.approx(measured, abs=0.2)


def load_preset_text():
    from importlib import resources

    return (resources.files("simulator") / "presets" / "8x4.toml").read_text("utf-8")
