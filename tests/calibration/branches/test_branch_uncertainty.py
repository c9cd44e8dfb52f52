"""What characterization states is what happens: over many boards, with faults, while it drifts."""

import numpy as np
import pytest

from calibration.branches.characterization import BranchCalibration, characterize
from calibration.branches.reference_drift import find_reference
from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.measure import measure_converters
from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.faults.plan import FaultPlan
from tests.support.branch_truth import EVERYTHING, errors, scores
from tests.support.simulated_boards import NO_WIRE, small, switched_on


def middle(board):
    """When a board was characterized that has done nothing else since power-on, seconds."""
    return board.clock.seconds / 2


def measured_with_its_converters(board) -> BranchCalibration:
    """Characterize through converters that the board has measured itself."""
    return characterize(CorrectedCrossbar(board, measure_converters(board)))


def sum_scores(board, measured, seed):
    """The same of sums of half of a crosspoint's branches, by the covariance."""
    shape = measured.status.shape
    w = np.random.default_rng(seed).random(shape) < 0.5
    w[:, :, 0] = True
    covariance = measured.covariance(*np.ogrid[: shape[0], : shape[1]])[:, :, 1:, 1:]
    variance = np.einsum("ijk,ijkl,ijl->ij", w.astype(float), covariance, w.astype(float))
    return (w * errors(board, measured, middle(board))).sum(axis=2) / np.sqrt(variance)


@pytest.mark.slow
def test_95_per_cent_intervals_cover_the_truth():
    """On 48 boards; from board to board the share scatters by 0.03, its mean by 0.004."""
    covered, strongest, sums = [], [], []
    for seed in range(48):
        board = switched_on(EVERYTHING, seed)
        measured = measured_with_its_converters(board)
        within = np.abs(scores(board, measured, middle(board))) < 1.96
        covered.append(within.mean())
        strongest.append(within[:, :, 0].mean())
        sums.append((np.abs(sum_scores(board, measured, seed)) < 1.96).mean())
    assert 0.93 < np.mean(covered) < 0.97
    assert 0.91 < np.mean(strongest) < 0.98
    assert 0.93 < np.mean(sums) < 0.98


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
        measured = measured_with_its_converters(board)
        drifts.append(measured.drift_ppm)
        left.append(np.abs(scores(board, measured, middle(board))) < 1.96)
    assert drifts[1] > 5 * drifts[0]
    assert left[1].mean() > 0.9


def steps_of_temperature(*at_seconds, kelvin):
    return FaultPlan.model_validate(
        {
            "fault": [
                {"kind": "temperature_step", "at_seconds": seconds, "kelvin": kelvin}
                for seconds in at_seconds
            ]
        }
    )


def calm_board(plan, seed=2):
    board = SimulatedCrossbar(EVERYTHING.with_effects(ambient=0.0).in_force(), seed, Clock(), plan)
    board.switch_outputs(True)
    return board


def test_a_window_opened_half_way_shows_and_is_taken_out():
    board = calm_board(steps_of_temperature(11.0, kelvin=2.0))
    measured = measured_with_its_converters(board)
    assert measured.drift_ppm == pytest.approx(200, rel=0.3)  # 100 ppm/K
    assert np.ptp(measured.kelvin_range) == pytest.approx(2.0)
    assert (np.abs(scores(board, measured, middle(board))) < 1.96).mean() > 0.93


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_board_that_cools_all_the_while_is_measured_and_it_shows(seed):
    """By 12 K a minute; the reference is read more often for it."""
    board = calm_board(
        steps_of_temperature(*np.arange(0.25, 60, 0.25).tolist(), kelvin=-0.05), seed
    )
    measured = measured_with_its_converters(board)
    assert np.ptp(measured.kelvin_range) > 0.5
    coefficient = measured.drift_ppm / np.ptp(measured.kelvin_range)
    assert coefficient == pytest.approx(100, rel=0.3)
    assert (np.abs(scores(board, measured, middle(board))) < 1.96).mean() > 0.93


def test_a_reference_whose_row_dies_leaves_the_other_rows_good():
    twin = switched_on(EVERYTHING, 2)
    row = find_reference(twin, 1 / twin.nominal_ohms, 15 / 16, 2e-5).row
    dead = {"kind": "dead_row", "row": row + 1, "at_seconds": 12.0}
    board = calm_board(FaultPlan.model_validate({"fault": [dead]}))
    measured = measured_with_its_converters(board)
    alive = np.arange(8) != row
    assert measured.usable[alive].all()
    assert (np.abs(scores(board, measured, middle(board))[alive]) < 1.96).mean() > 0.93
