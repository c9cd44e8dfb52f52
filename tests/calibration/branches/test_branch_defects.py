"""Characterization tells dead branches from live ones, which do not suffer from the dead."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.branches.characterization import BranchStatus, characterize
from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.measure import ChannelStatus, measure_converters
from calibration.converters.range_gains import measure_ranges
from calibration.errors import MatrixError, OverloadError
from calibration.programming.refinement import program
from calibration.programming.targets import choose_targets
from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.faults.plan import FaultPlan
from simulator.parts.resistors import Branches, draw_branches
from simulator.preset import load_preset
from tests.support.simulated_boards import NO_GAIN, NO_WIRE, changed, small, switched_on

WIDE = small(shape={"rows": 24, "columns": 16})
OK, OPEN, SHORT, STUCK = (int(status) for status in BranchStatus)
DEFECTS = {
    "open": {"open": 0.03},
    "short": {"short": 0.03},
    "stuck on": {"stuck_on": 0.03},
    "stuck off": {"stuck_off": 0.03},
    "everything": {"open": 0.02, "short": 0.02, "stuck_on": 0.02, "stuck_off": 0.02},
}


def documented_status(preset, seed):
    """What each branch has to be found, from the way it was drawn."""
    drawn, healthy = draw_branches(preset, seed), draw_branches(changed_back(preset), seed)
    stuck_on = drawn.open_siemens == healthy.closed_siemens
    dead = stuck_on | (drawn.closed_siemens == 0) | (drawn.closed_siemens == healthy.open_siemens)
    status = np.where(dead, OPEN, OK)
    status[dead & stuck_on.any(axis=2, keepdims=True)] = STUCK
    status[drawn.closed_siemens > 1e-2] = SHORT
    return status


def changed_back(preset):
    return changed(preset, defects=dict.fromkeys(preset.defects.model_dump(), 0.0))


@pytest.mark.parametrize("fractions", DEFECTS.values(), ids=DEFECTS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_defect_is_found_and_no_healthy_branch_is_accused(fractions, seed):
    preset = changed(WIDE, defects=fractions)
    measured = characterize(switched_on(preset, seed))
    expected = documented_status(preset, seed)
    assert (expected != OK).sum() > 60
    np.testing.assert_array_equal(measured.status, expected)
    np.testing.assert_array_equal(measured.usable, expected == OK)
    assert measured.status_counts() == {
        name: int((expected == value).sum())
        for name, value in (("ok", OK), ("open", OPEN), ("short", SHORT), ("stuck", STUCK))
    }
    for array in (measured.branch_siemens, measured.uncertainty_siemens):
        assert (array[expected != OK] == 0).all()
        assert (array[expected == OK] > 0).all()


def test_dead_branch_beside_a_stuck_one_is_stuck_too():
    preset = changed(WIDE, defects={"open": 0.1, "stuck_on": 0.1})
    drawn = draw_branches(preset, 1)
    status = characterize(switched_on(preset, 1)).status
    never = drawn.closed_siemens == 0
    beside = never & (drawn.open_siemens.sum(axis=2) > 1e-6)[:, :, None]
    assert beside.sum() > 20
    assert (status[beside] == STUCK).all()
    assert (status[never & ~beside] == OPEN).all()


def test_branches_probed_together_with_a_short_lose_its_bias():
    """The row's source resistance lets a short pull its whole row down by two per cent."""
    wires = {"wire": {"source_ohms": 0.5}}
    healthy, shorted = changed(WIDE, wires), changed(WIDE, wires, defects={"short": 0.03})
    without = characterize(switched_on(healthy, 1))
    board = switched_on(shorted, 1)
    measured = characterize(board)
    ok = measured.usable
    beside = ok & (~ok).any(axis=1, keepdims=True)
    assert beside.sum() > 1000
    off = np.abs(measured.branch_siemens - without.branch_siemens)[ok]
    doubt = np.hypot(measured.uncertainty_siemens, without.uncertainty_siemens)[ok]
    assert (off < 5 * doubt + 3e-5 * without.branch_siemens[ok]).all()
    assert not board.pattern.any() or board.pattern.sum() <= 16  # never more than one probe


@pytest.mark.parametrize(("aperture_seconds", "wanted_bits"), [(0.02, 20), (1e-5, 17)])
def test_uncertainty_beside_a_short_is_as_stated(aperture_seconds, wanted_bits):
    """However many readings the rows need."""
    preset = changed(WIDE, NO_WIRE, NO_GAIN, defects={"short": 0.02})
    board = switched_on(preset, 2)
    board.configure(aperture_seconds=aperture_seconds)
    measured = characterize(board, wanted_bits=wanted_bits)
    drawn = draw_branches(preset, 2)
    error = measured.branch_siemens - (drawn.closed_siemens - drawn.open_siemens)
    beside = measured.usable & (measured.status == SHORT).any(axis=1, keepdims=True)
    z = error[beside] / measured.uncertainty_siemens[beside]
    assert len(z) > 500
    assert 0.85 < z.std() < 1.15


def test_readings_beside_shorts_are_counted():
    spent = {}
    for share in (0.0, 0.02):
        board = switched_on(changed(WIDE, defects={"short": share}), 2)
        measured = characterize(board)
        rest = board.clock.spent_seconds["integrating"] - 0.02 * measured.readings / board.columns
        spent[share] = measured.readings
        assert rest == pytest.approx(0.32, abs=0.01)  # finding out, before
    assert spent[0.02] > spent[0.0]


def with_branches(monkeypatch, preset, alter, seed=1):
    """A board whose branches were drawn, and then altered by hand."""
    drawn = draw_branches(preset, seed)
    closed, opened = drawn.closed_siemens.copy(), drawn.open_siemens.copy()
    alter(closed, opened)
    altered = Branches(
        closed=replace(drawn.closed, siemens=closed), open=replace(drawn.open, siemens=opened)
    )
    with monkeypatch.context() as patched:
        patched.setattr("simulator.electronics.draw_branches", lambda *_: altered)
        return switched_on(preset, seed)


def test_switch_that_is_stuck_on_a_short(monkeypatch):
    def alter(closed, opened):
        closed[3, 4, 7] = opened[3, 4, 7] = 1 / 20

    board = with_branches(monkeypatch, small(dac={"offset_volts": 1e-5}), alter)
    measured = characterize(board)
    expected = np.full((8, 8, 10), OK)
    expected[3, 4] = SHORT  # nothing of that crosspoint can be read
    np.testing.assert_array_equal(measured.status, expected)
    assert measured.open_siemens[3, 4] == 0

    weights = np.random.default_rng(1).uniform(-1, 1, (8, 4))
    programmed = program(board, measured, choose_targets(weights, measured))
    assert programmed.unreachable[:, 2].all()  # column 4 overloads every range
    assert not programmed.unreachable[:, [0, 1, 3]].any()
    assert programmed.residual_rms < 2.0**-12


def test_no_output_is_left(monkeypatch):
    def alter(closed, opened):
        closed[3, 1, 7] = opened[3, 1, 7] = 1 / 20

    board = with_branches(monkeypatch, small(shape={"rows": 8, "columns": 2}), alter)
    measured = characterize(board)
    with pytest.raises(OverloadError, match="every output"):
        program(board, measured, choose_targets(np.ones((8, 1)), measured))


def test_crosspoint_that_conducts_too_much_to_be_read(monkeypatch):
    def alter(closed, opened):
        opened[2, 5] = closed[2, 5]

    board = with_branches(monkeypatch, small(), alter)
    measured = characterize(board)
    expected = np.full((8, 8, 10), OK)
    expected[2, 5] = SHORT
    np.testing.assert_array_equal(measured.status, expected)
    weights = np.random.default_rng(1).uniform(-1, 1, (8, 4))
    programmed = program(board, measured, choose_targets(weights, measured))
    assert programmed.range_amperes == board.range_amperes
    others = np.ones((8, 4), dtype=bool)
    others[2, 2] = False
    error = programmed.residual_siemens / np.abs(programmed.targets.difference_siemens).max()
    assert np.sqrt((error[others] ** 2).mean()) < 2.0**-12


def test_more_current_than_foreseen_takes_a_wider_range(monkeypatch):
    def alter(closed, opened):
        opened[2, 5, 3] = closed[2, 5, 3] = 1 / 3000

    weights = np.random.default_rng(1).uniform(-1, 1, (8, 4))
    healthy = switched_on(small(), 1)
    measured = characterize(healthy)
    foreseen = program(healthy, measured, choose_targets(weights, measured)).range_amperes
    board = with_branches(monkeypatch, small(), alter)
    measured = characterize(board)
    programmed = program(board, measured, choose_targets(weights, measured))
    assert programmed.range_amperes > foreseen
    assert programmed.range_amperes == board.range_amperes
    assert np.isfinite(programmed.transfer.siemens).all()


def test_board_on_which_nothing_can_be_read():
    measured = characterize(switched_on(small(defects={"stuck_on": 1.0}), 1))
    assert (measured.status == SHORT).all()
    with pytest.raises(MatrixError, match="no crosspoint"):
        choose_targets(np.ones((8, 4)), measured)


def with_faults(*faults, seed=1):
    """A board with all effects, and faults at places counted from 1."""
    plan = FaultPlan.model_validate({"fault": list(faults)})
    board = SimulatedCrossbar(load_preset("8x4"), seed, Clock(), plan)
    board.switch_outputs(True)
    return board


def calibrated_and_programmed(board):
    """The whole way, the board's own converters first."""
    converters = measure_converters(board)
    measured = characterize(CorrectedCrossbar(board, converters))
    gains = measure_ranges(CorrectedCrossbar(board, converters), converters.columns, measured)
    weights = np.random.default_rng(1).uniform(-1, 1, (8, 4))
    corrected = CorrectedCrossbar(board, converters, gains)
    return converters, measured, program(corrected, measured, choose_targets(weights, measured))


SATURATING = {
    "its ADC sticks at full scale": [{"kind": "adc_stuck", "column": 3, "code": 2**23 - 1}],
    "all of its switches are stuck on": [{"kind": "stuck_on", "column": 3}],
    "one short is stuck on": [
        {"kind": kind, "row": 2, "column": 3, "branch": 1} for kind in ("short", "stuck_on")
    ],
}


@pytest.mark.parametrize("faults", SATURATING.values(), ids=SATURATING)
def test_a_column_that_saturates_in_every_range_costs_nothing_but_itself(faults):
    board = with_faults(*faults)
    converters, measured, programmed = calibrated_and_programmed(board)
    expected = np.zeros(8)
    expected[2] = ChannelStatus.SATURATED
    np.testing.assert_array_equal(converters.column_status, expected)
    beside = np.arange(8) != 2
    assert measured.dead_crosspoints[:, 2].all()
    assert measured.usable[:, beside].all()
    healthy = characterize(
        CorrectedCrossbar(other := with_faults(), measure_converters(other))
    ).branch_siemens[:, beside]
    # A short that never opens draws its row's voltage down by 0.4 %.
    np.testing.assert_allclose(measured.branch_siemens[:, beside], healthy, rtol=5e-3)
    assert not programmed.unreachable[:, [0, 2, 3]].any()
    assert programmed.unreachable[:, 1].any()
    # The others still read something in a range that products can use.
    short = faults[0]["kind"] == "short"
    assert programmed.lost.tolist() == [False, short, False, False]
    assert programmed.range_amperes < 10e-3
    assert programmed.residual_rms < 2.0**-12


def test_shorts_in_a_column_that_can_never_be_read_bias_nobody():
    """They draw the voltage of their own rows down, by half a per cent, and nobody sees them."""
    stuck = [{"kind": kind, "row": 2, "column": 3, "branch": 1} for kind in ("short", "stuck_on")]
    unseen = [
        {"kind": "short", "row": row, "column": 3, "branch": branch}
        for row, branch in ((4, 2), (7, 10))
    ]
    without, measured = (
        characterize(CorrectedCrossbar(board, measure_converters(board)))
        for board in (with_faults(*stuck), with_faults(*stuck, *unseen))
    )
    beside = np.arange(8) != 2
    off = measured.branch_siemens[:, beside] / without.branch_siemens[:, beside] - 1
    assert np.abs(off).max() < 3e-4


def test_a_crosspoint_with_all_branches_dead_is_named_and_the_rest_calibrated():
    board = with_faults(
        {"kind": "open", "row": 3, "column": 5}, {"kind": "stuck_off", "row": 6, "column": 1}
    )
    _, measured, programmed = calibrated_and_programmed(board)
    assert np.argwhere(measured.dead_crosspoints).tolist() == [[2, 4], [5, 0]]
    assert measured.usable[~measured.dead_crosspoints].all()
    # Half of a pair can still take weights of one sign.
    weights = np.random.default_rng(1).uniform(-1, 1, (8, 4))
    lost = np.zeros((8, 4), dtype=bool)
    lost[2, 2], lost[5, 0] = weights[2, 2] > 0, weights[5, 0] > 0
    np.testing.assert_array_equal(programmed.unreachable, lost)
    assert programmed.residual_rms < 2.0**-14


def test_a_row_driver_that_dies_while_its_row_is_measured_costs_that_row_alone():
    began = with_faults()
    measure_converters(began)
    half_way = began.clock.seconds + 1.0
    board = with_faults({"kind": "dead_row", "row": 2, "at_seconds": half_way})
    _, measured, programmed = calibrated_and_programmed(board)
    beside = np.arange(8) != 1
    assert measured.usable[beside].all()
    assert (measured.status[1] == OPEN).any()
    assert programmed.unreachable[1].all()
    assert not programmed.unreachable[beside].any()
    assert programmed.residual_rms < 2.0**-14


@pytest.mark.parametrize("kind", ["open", "short", "stuck_off"])
def test_board_on_which_nothing_works(kind):
    measured = characterize(switched_on(small(defects={kind: 1.0}), 1))
    assert (measured.status == (SHORT if kind == "short" else OPEN)).all()
    with pytest.raises(MatrixError, match="no crosspoint"):
        choose_targets(np.ones((8, 4)), measured)
