"""What characterization states is what happens: over many boards, with faults, while it drifts."""

import numpy as np
import pytest

from calibration.branches import characterize
from calibration.crossbar import measuring_volts
from simulator.clock import Clock
from simulator.crossbar import SimulatedCrossbar
from simulator.faults.plan import FaultPlan
from simulator.preset import load_preset
from tests.simulator.boards import NO_WIRE, changed, small, switched_on

EVERYTHING = changed(load_preset("8x4"), NO_WIRE, shape={"rows": 8, "columns": 8})
"""All effects but the wires, which are not characterization's to take out."""


def read_value(board, measured):
    """What the board's converters make of every branch in the state the values hold for: at the
    temperature of then, the DAC's gain and curve at the measuring voltage, the gain of the range.
    """
    now = board.clock.seconds
    sensor_off = board.moment()[1] - board.preset.environment.kelvin
    sensor_off -= float(board.ambient.deviation_kelvin(np.array([now]))[0])
    warm = measured.reference_kelvin - board.preset.environment.kelvin - sensor_off
    drawn, age = board.faults.branches, float(np.log10(1 + now / 2 / 3600))
    volts = measuring_volts(board.row_volts_limit)
    held = board.dacs.held(np.full((1, board.rows), volts))
    kelvin = np.array([warm])
    rows = (board.dacs.output(held, kelvin) - board.dacs.output(-held, kelvin))[0] / (2 * volts)
    readers = board.readers
    columns = 1 + readers.tia_gain_error[board.range_index] + readers.tia_gain_per_kelvin * warm
    columns = columns * (1 + readers.adc_gain_error + readers.adc_gain_per_kelvin * warm)
    siemens = drawn.closed.at(warm, age) - drawn.open.at(warm, age)
    siemens = siemens + drawn.closed.heating * volts**2
    return siemens * rows[:, None, None] * columns[:, None]


def scores(board, measured):
    """Errors over stated uncertainties, with the mean gain of each column left free: the slope of
    an ADC's curve is a gain like any other.
    """
    true = read_value(board, measured)
    relative = measured.branch_siemens / true - 1
    weight = (true / measured.uncertainty_siemens) ** 2
    gain = (weight * relative).sum(axis=(0, 2)) / weight.sum(axis=(0, 2))
    return (relative - gain[:, None]) * np.sqrt(weight)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_95_per_cent_intervals_cover_the_truth_on_200_boards():
    covered, within = [], []
    for seed in range(200):
        board = switched_on(EVERYTHING, seed)
        z = scores(board, characterize(board))
        covered.append((np.abs(z) < 1.96).mean())
        within.append((np.abs(z[:, :, 0]) < 1.96).mean())
    assert 0.93 < np.mean(covered) < 0.97
    # The strongest branch bends most, and the half sums show the even part of the bend alone.
    assert 0.90 < np.mean(within) < 0.97


@pytest.mark.parametrize("ranges_amperes", [None, [1e-3]])
def test_predicted_covariance_is_the_observed_scatter(ranges_amperes):
    """Of branches and of sums; with one wide range it is groups that are closed."""
    tia = {} if ranges_amperes is None else {"ranges_amperes": ranges_amperes}
    preset = small(NO_WIRE, shape={"rows": 24, "columns": 24}, tia=tia)
    first, second = (switched_on(preset, seed) for seed in (5, 5))
    second.column_currents(np.zeros((5000, 24)))  # the same board, other noise
    one, other = characterize(first), characterize(second)
    assert one.design == ("one at a time" if ranges_amperes is None else "S-matrix groups")
    rows, columns = (index.ravel() for index in np.indices((24, 24)))
    stated = one.covariance(rows, columns) + other.covariance(rows, columns)
    apart = np.concatenate(
        [
            (one.open_siemens - other.open_siemens).reshape(-1, 1),
            (one.branch_siemens - other.branch_siemens).reshape(len(rows), -1),
        ],
        axis=1,
    )
    patterns = np.random.default_rng(1).random((len(rows), one.groups.shape[1])) < 0.5
    w = np.column_stack([np.ones(len(rows)), patterns])
    branches = apart[:, 1:] / np.sqrt(np.diagonal(stated, axis1=1, axis2=2)[:, 1:])
    sums = (w * apart).sum(axis=1) / np.sqrt(np.einsum("ci,cij,cj->c", w, stated, w))
    assert 0.9 < branches.std() < 1.1
    assert 0.85 < sums.std() < 1.15


class Wild(SimulatedCrossbar):
    """A board on which single readings of a scan come out wrong."""

    hits: dict[tuple[int, int], float]
    """Of (point of the scan list, column), what is added, ampere; each strikes once."""

    def scan(self, rows, branches, row_volts, readings=1):
        amperes = super().scan(rows, branches, row_volts, readings)
        if self.aperture_seconds > 1e-3 and len(rows) > 50:
            for (point, column), added in self.hits.items():
                amperes[point, 0, column] += added
            self.hits = {}
        return amperes


@pytest.mark.parametrize("amperes", [1e-9, 1e-6, 1e-3])
def test_a_wild_reading_is_counted_and_changes_nothing(amperes):
    preset = small(NO_WIRE)
    boards = [Wild(preset, 3, Clock()) for _ in range(2)]
    boards[0].hits, boards[1].hits = {}, {(9, 2): amperes, (30, 5): -amperes}
    for board in boards:
        board.switch_outputs(True)
    plain, struck = (characterize(board) for board in boards)
    assert plain.wild_readings.sum() == 0
    assert struck.wild_readings.sum() == 2
    assert struck.wild_readings[:, [2, 5]].sum() == 2
    off = np.abs(struck.branch_siemens - plain.branch_siemens)
    assert (off < 5 * np.hypot(struck.uncertainty_siemens, plain.uncertainty_siemens)).all()
    np.testing.assert_allclose(struck.uncertainty_siemens, plain.uncertainty_siemens, rtol=0.05)


@pytest.mark.parametrize("effects", [{"tcr": 10.0}, {"ambient": 10.0}])
def test_fast_drift_shows_and_is_taken_out(effects):
    usual, fast = (EVERYTHING.with_effects(**each).in_force() for each in ({}, effects))
    drifts, left = [], []
    for preset in (usual, fast):
        board = switched_on(preset, 4)
        measured = characterize(board)
        drifts.append(measured.drift_ppm)
        left.append(np.abs(scores(board, measured)) < 1.96)
    assert drifts[1] > 5 * drifts[0]
    assert left[1].mean() > 0.9


def test_a_window_opened_half_way_shows_and_is_taken_out():
    preset = EVERYTHING.with_effects(ambient=0.0).in_force()
    plan = FaultPlan.model_validate(
        {"fault": [{"kind": "temperature_step", "at_seconds": 3.0, "kelvin": 2.0}]}
    )
    board = SimulatedCrossbar(preset, 2, Clock(), plan)
    board.switch_outputs(True)
    measured = characterize(board)
    assert measured.drift_ppm == pytest.approx(200, rel=0.3)  # 100 ppm/K
    assert np.ptp(measured.kelvin_range) == pytest.approx(2.0)
    assert (np.abs(scores(board, measured)) < 1.96).mean() > 0.93
