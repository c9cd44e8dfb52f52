"""The converters are found to be what they are, to the uncertainty that is stated."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calibration.converters.curves import Curves
from calibration.converters.design import design_converters
from calibration.converters.measure import ChannelStatus, Converters, measure_converters
from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.faults.plan import FaultPlan
from simulator.preset import load_preset
from tests.support.converter_truth import (
    adc_beyond_line,
    amplifier_offset,
    dac_beyond_line,
    dac_offset,
)
from tests.support.simulated_boards import NO_NOISE, changed, small, switched_on

VOLTS, SHARES = np.linspace(-0.99, 0.99, 45), np.linspace(-0.85, 0.85, 37)[1:-1]
QUIET = small(NO_NOISE, dac={"inl_steps": 2.0}, adc={"inl": 3e-6})
"""Nothing but what is constant: curves, gains, offsets, wires, leakage."""


def spread(channels, x):
    return np.repeat(x[:, None], channels, axis=1)


def errors(board, converters):
    """Errors and standard uncertainties: DACs' curves, ADCs' curves, offsets of both."""
    volts, shares = spread(board.rows, VOLTS), spread(board.columns, SHARES)
    rows, columns, offsets = converters.rows, converters.columns, converters.offsets
    return {
        "rows": (
            rows.deviation(volts) - dac_beyond_line(board, VOLTS),
            rows.uncertainty(volts),
        ),
        "columns": (
            columns.deviation(shares) - adc_beyond_line(board, SHARES),
            columns.uncertainty(shares),
        ),
        "row offsets": (
            offsets.row_volts - dac_offset(board),
            offsets.row_uncertainty_volts,
        ),
        "column offsets": (
            offsets.column_volts - amplifier_offset(board),
            offsets.column_uncertainty_volts,
        ),
    }


def scores(preset, seeds):
    """Errors over uncertainties of several boards, by what they are of."""
    found = {}
    for seed in seeds:
        board = switched_on(preset, seed)
        for name, (error, uncertainty) in errors(board, measure_converters(board)).items():
            found.setdefault(name, []).append(error / uncertainty)
    return {name: np.stack(of_boards) for name, of_boards in found.items()}


def test_without_noise_the_curves_are_the_true_ones():
    """What is left is a thousandth of the curves: no polynomial of degree 14 is a sine."""
    board = switched_on(QUIET, 5)
    found = errors(board, measure_converters(board))
    step = 2**-15
    assert np.abs(dac_beyond_line(board, VOLTS)).max() > step
    assert np.abs(found["rows"][0]).max() < 2e-3 * step
    assert np.abs(adc_beyond_line(board, SHARES)).max() > 1e-6
    assert np.abs(found["columns"][0]).max() < 1e-8
    assert np.abs(found["row offsets"][0]).max() < 1e-7
    assert np.abs(found["column offsets"][0]).max() < 1e-7


@pytest.mark.parametrize(
    "effects",
    [
        {},
        {"dac_inl": 10},
        {"adc_inl": 10},
        {"dac_inl": 0, "adc_inl": 0},
        {"ambient": 10},
        {"leakage": 10},
        {"wire": 10},
        {"dac_offset": 10, "tia_offset": 10},
        {"dac_noise": 10, "adc_noise": 10},
    ],
    ids=lambda effects: ",".join(f"{name}={factor}" for name, factor in effects.items()) or "all",
)
def test_errors_are_what_is_stated_whatever_is_magnified(effects):
    found = scores(load_preset("8x4").with_effects(**effects), range(40, 44))
    for name in ("rows", "columns"):
        rms = float(np.sqrt((found[name] ** 2).mean()))
        assert 0.7 < rms < 1.35, name
    for z in found.values():
        assert np.abs(z).max() < 6


def test_a_dac_of_ten_times_the_nonlinearity_is_known_as_well():
    def uncertainty(factor):
        board = switched_on(load_preset("8x4").with_effects(dac_inl=factor), 3)
        return measure_converters(board).rows.largest()

    usual, bent = uncertainty(1), uncertainty(10)
    assert abs(bent.deviation) > 8 * abs(usual.deviation)
    assert bent.uncertainty < 2 * usual.uncertainty


def test_uncertainty_is_about_what_the_design_predicts():
    """The prediction counts partners and ADCs as known, so it is the lower."""
    board = switched_on(load_preset("8x4"), 12)
    design = design_converters(board)
    volts = design.volts[0, :, :1] * np.ones(8)
    stated = measure_converters(board).rows.uncertainty(volts)
    assert 1 < np.sqrt((stated**2).mean()) / design.predicted(15 / 16) < 1.6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_95_percent_intervals_cover_95_percent_of_200_boards():
    found = scores(load_preset("8x4"), range(1000, 1200))
    for name in ("rows", "columns", "row offsets"):
        assert 0.93 <= (np.abs(found[name]) < 1.96).mean() <= 0.97, name


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (2, 1), (3, 8), (9, 2), (17, 5)])
def test_boards_of_any_shape(rows, columns):
    """A single row cannot be told from its columns, and says so: its class's uncertainty stays."""
    preset = changed(load_preset("8x4"), shape={"rows": rows, "columns": columns, "branches": 10})
    board = switched_on(preset, 2)
    converters = measure_converters(board)
    for error, uncertainty in errors(board, converters).values():
        assert (np.abs(error) <= 6 * uncertainty).all()
    typical = float(np.median(converters.rows.uncertainty(spread(rows, VOLTS))))
    assert (typical > 5e-6) == (rows == 1)


# using them


@cache
def measured():
    board = switched_on(load_preset("8x4").with_effects(dac_inl=10), 7)
    return board, measure_converters(board)


INPUTS = arrays(np.float64, (3, 8), elements=st.floats(-0.9375, 0.9375))


@settings(deadline=None)
@given(wanted=INPUTS)
def test_what_is_set_gives_what_is_wanted(wanted):
    """The inverse then forward map is the identity, to rounding."""
    _, converters = measured()
    setting = converters.settings(wanted)
    np.testing.assert_allclose(setting + converters.rows.deviation(setting), wanted, atol=1e-13)


@settings(deadline=None)
@given(wanted=INPUTS)
def test_rows_are_driven_to_within_half_a_step(wanted):
    """Half a step, and what the curve of the row is uncertain by."""
    board, converters = measured()
    settings = converters.settings(wanted)
    out = board.dacs.output(board.dacs.held(settings))
    low, high = board.dacs.output(np.array([[-0.9375], [0.9375]]) * np.ones(8))
    offset, slope = (low + high) / 2, (high - low) / (2 * 0.9375)
    # Four standard deviations: inputs are searched for the worst of 24 values.
    limit = 0.5 * converters.step_volts + 4 * converters.rows.uncertainty(settings)
    assert (np.abs((out - offset) / slope - wanted) < limit).all()
    assert limit.max() < 0.6 * converters.step_volts
    plain = board.dacs.output(board.dacs.held(np.full((1, 8), 0.4)))
    assert np.abs((plain - offset) / slope - 0.4).max() > 5 * converters.step_volts


def test_measuring_voltages_stay_as_they_are():
    _, converters = measured()
    ends = np.array([[0.9375], [-0.9375]]) * np.ones(8)
    np.testing.assert_allclose(converters.settings(ends), ends, rtol=0, atol=1e-15)


def test_nothing_is_set_beyond_the_limit():
    rows = Curves(np.full((2, 1), -1e-3), np.zeros((2, 1, 1)), full_scale=1.0, line_end=0.9375)
    _, converters = measured()
    bent = replace(converters, rows=rows)
    assert np.abs(bent.settings(np.array([[1.0, -1.0]]))).max() <= 1


# faults


def with_faults(*faults, preset="8x4"):
    plan = FaultPlan.model_validate({"fault": list(faults)})
    board = SimulatedCrossbar(load_preset(preset), 6, Clock(), plan)
    board.switch_outputs(True)
    return board, measure_converters(board)


def working(converters: Converters, name: str):
    status = converters.row_status if "row" in name else converters.column_status
    return status == ChannelStatus.OK


def assert_the_others_are_right(board, converters):
    for name, (error, uncertainty) in errors(board, converters).items():
        if "offsets" not in name:
            ok = working(converters, name)
            z = (error / uncertainty)[:, ok]
            assert np.sqrt((z**2).mean()) < 1.4, name


def test_a_dead_row_and_a_dead_column_are_named_and_the_others_measured():
    board, converters = with_faults(
        {"kind": "dead_row", "row": 3}, {"kind": "dead_column", "column": 5}
    )
    assert np.flatnonzero(converters.row_status).tolist() == [2]
    assert converters.row_status[2] == ChannelStatus.DEAD
    assert np.flatnonzero(converters.column_status).tolist() == [4]
    assert converters.column_status[4] == ChannelStatus.DEAD
    assert converters.rows.uncertainty(np.full((1, 8), 0.3))[0, 2] > 1e-5  # nothing was learnt
    assert not converters.rows.coefficients[2].any()
    assert_the_others_are_right(board, converters)
    means = converters.offsets.row_uncertainty_volts
    assert np.delete(means, 2).max() < 1e-6


def test_an_adc_that_is_stuck_is_dead_or_saturated():
    board, converters = with_faults(
        {"kind": "adc_stuck", "column": 2, "code": 1000},
        {"kind": "adc_stuck", "column": 7, "code": 8_300_000},
    )
    assert not converters.row_status.any()
    assert converters.column_status[1] == ChannelStatus.DEAD
    assert converters.column_status[6] == ChannelStatus.SATURATED
    assert np.count_nonzero(converters.column_status) == 2
    assert converters.left_out > 0
    assert_the_others_are_right(board, converters)


@pytest.mark.parametrize("columns", [(), (7,), (2, 7)])
def test_readings_left_out_are_those_of_the_columns_that_saturate(columns):
    """All of their readings in all blocks, and no reading of another column."""
    stuck = [{"kind": "adc_stuck", "column": column, "code": 8_300_000} for column in columns]
    board, converters = with_faults(*stuck)
    blocks, vectors, _ = design_converters(board).volts.shape
    assert converters.left_out == len(columns) * blocks * vectors
    assert converters.left_out < converters.readings


def test_shorts_stuck_and_open_branches_are_got_round():
    broken = {"open": 0.005, "short": 0.01, "stuck_on": 0.005, "stuck_off": 0.005}
    board = switched_on(changed(load_preset("8x4"), defects=broken), 11)
    converters = measure_converters(board)
    assert not converters.row_status.any()
    assert not converters.column_status.any()
    assert_the_others_are_right(board, converters)


def test_a_row_that_dies_half_way_spoils_no_other():
    board, converters = with_faults({"kind": "dead_row", "row": 3, "at_seconds": 3.5})
    assert converters.left_out > 0
    error, uncertainty = errors(board, converters)["rows"]
    assert (np.abs(error) <= 6 * uncertainty).all()
    assert np.median(uncertainty) < 1e-6


def test_a_board_without_any_driver_is_calibrated_as_unknown():
    dead = [{"kind": "dead_row", "row": row} for row in range(1, 9)]
    _, converters = with_faults(*dead)
    assert (converters.row_status == ChannelStatus.UNSEEN).all()
    assert (converters.column_status == ChannelStatus.DEAD).all()
    for curves in (converters.rows, converters.columns):
        assert not curves.coefficients.any()
        assert np.isfinite(curves.covariance).all()


def test_progress_hears_of_blocks_and_the_board_is_left_open():
    heard = []
    board = switched_on(QUIET, 1)
    measure_converters(board, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(done, 8) for done in range(1, 9)]
    assert not board.pattern.any()
    assert not board.row_volts.any()


def test_every_reading_is_counted_and_eight_are_taken_with_all_switches_open():
    board, taken, opened = switched_on(QUIET, 1), [], []
    read = board.column_currents

    def counted(row_volts):
        (taken if board.pattern.any() else opened).append(len(row_volts))
        return read(row_volts)

    board.column_currents = counted
    converters = measure_converters(board)
    assert opened == [8]
    assert converters.readings == (sum(taken) + 8) * board.columns
