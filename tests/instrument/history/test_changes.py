"""What calibrations of one board say one after another: changes taken apart, branches that fail."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from calibration.branches.characterization import BranchStatus
from instrument.board_calibration.file import save_calibration
from instrument.errors import UsageError
from instrument.history import follow_board
from instrument.history.documents import Claim
from instrument.history.folders import KeptRun
from tests.support.calibration_files import made_up_calibration

SHAPE = 6, 8, 10
RELATIVE = 5e-6
"""Standard uncertainty of each conductance, relative."""
PPM = 1e-6


def first_calibration():
    made_up = made_up_calibration(shape=SHAPE)
    siemens = np.random.default_rng(2).uniform(2e-6, 1e-5, SHAPE)
    coefficients = replace(
        made_up.temperature,
        per_kelvin=np.full(SHAPE, -100 * PPM),
        uncertainty_per_kelvin=np.zeros(SHAPE),
    )
    return replace(
        made_up,
        branches=with_conductances(made_up.branches, siemens),
        nominal_ohms=np.full(SHAPE[2], 2e5),
        temperature=coefficients,
    )


def with_conductances(branches, siemens):
    return replace(
        branches,
        branch_siemens=siemens,
        uncertainty_siemens=RELATIVE * siemens,
        status=np.zeros(SHAPE, dtype=np.int8),
    )


def later(calibration, change, *, hours=24.0, kelvin=0.0):
    """The same board later, its conductances changed by a relative change."""
    branches = calibration.branches
    siemens = branches.branch_siemens * (1 + change)
    return replace(
        calibration,
        branches=replace(
            with_conductances(branches, siemens),
            reference_kelvin=branches.reference_kelvin + kelvin,
        ),
        made_at=calibration.made_at + timedelta(hours=hours),
    )


def noise(seed):
    """Change that the uncertainty of two calibrations explains."""
    return RELATIVE * np.sqrt(2) * np.random.default_rng(seed).standard_normal(SHAPE)


@pytest.fixture
def trend_of(tmp_path):
    """The trend of calibrations that runs of one board have measured."""

    def follow(*calibrations):
        runs = []
        for number, calibration in enumerate(calibrations):
            folder = tmp_path / str(number)
            folder.mkdir(exist_ok=True)
            save_calibration(calibration, folder / "calibration.npz")
            claim = Claim(id=f"run {number}", started=calibration.made_at, command="ohmsum run")
            runs.append(KeptRun(folder, claim, None, "bench model", "S1"))
        return follow_board(runs, "S1")

    return follow


def test_a_change_is_taken_apart(trend_of):
    rng = np.random.default_rng(3)
    first = first_calibration()
    rows, columns = 20 * PPM * rng.standard_normal(6), 20 * PPM * rng.standard_normal(8)
    rows, columns = rows - np.median(rows), columns - np.median(columns)
    change = 300 * PPM + rows[:, None, None] + columns[:, None] + noise(4)
    change[2, 4, 1] -= 1000 * PPM
    kelvin = 2.0
    changes = trend_of(first, later(first, change - 100 * PPM * kelvin, kelvin=kelvin)).changes
    before, after = changes.points
    assert set(before.row_gain_ppm + before.column_gain_ppm) == {before.common_ppm} == {0.0}
    # a median of 80 or 60 values of 7 ppm each
    assert after.common_ppm == pytest.approx(300, abs=6)
    np.testing.assert_allclose(after.row_gain_ppm, rows / PPM, atol=6)
    np.testing.assert_allclose(after.column_gain_ppm, columns / PPM, atol=6)
    assert 0.5 < after.row_gain_uncertainty_ppm < 1.5
    assert changes.typical_sigmas == pytest.approx(1, abs=0.15)
    worst, *others = changes.branches
    assert (worst.row, worst.column, worst.branch) == (2, 4, 1)
    assert worst.change_ppm == (0.0, pytest.approx(-1000, abs=30))
    assert worst.uncertainty_ppm[1] == pytest.approx(RELATIVE * np.sqrt(2) / PPM, rel=0.01)
    assert worst.sigmas == pytest.approx(1000 / (np.sqrt(2) * 5), rel=0.05)
    assert worst.moved
    assert not any(branch.moved for branch in others)
    assert changes.moved == 1


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_moves_no_branch(trend_of, seed):
    first = first_calibration()
    trend = trend_of(first, *(later(first, noise(10 * seed + day), hours=day) for day in (1, 2)))
    assert trend.changes.moved == 0
    assert "No branch has moved" in trend.words[0]


def test_what_scatters_everywhere_singles_out_no_branch(trend_of):
    """Where uncertainties are stated too small, the board's own scatter is the measure."""
    first = first_calibration()
    trend = trend_of(first, later(first, 20 * noise(1)))
    assert trend.changes.typical_sigmas == pytest.approx(20, rel=0.15)
    assert trend.changes.moved == 0


def test_an_uncertain_coefficient_excuses_a_change_with_temperature(trend_of):
    first = first_calibration()
    uncertain = replace(first.temperature, uncertainty_per_kelvin=np.full(SHAPE, 500 * PPM))
    change = noise(1)
    change[0, 0, 0] += 1000 * PPM
    moved = later(first, change, kelvin=1.0)
    assert trend_of(first, moved).changes.moved == 1
    assert trend_of(first, replace(moved, temperature=uncertain)).changes.moved == 0


def test_a_branch_that_stops_working_comes_first(trend_of):
    first = first_calibration()
    change = noise(1)
    change[1, 1, 1] += 1000 * PPM
    second, third = (later(first, change, hours=hours) for hours in (24, 48))
    status = third.branches.status.copy()
    status[5, 7, 9] = BranchStatus.OPEN
    siemens = np.where(status == BranchStatus.OK, third.branches.branch_siemens, 0.0)
    stopped = replace(third.branches, status=status, branch_siemens=siemens)
    trend = trend_of(first, second, replace(third, branches=stopped))
    worst, next_worst = trend.changes.branches[:2]
    assert str(worst) == "row 6, column 8, branch 10"
    assert (worst.status, worst.moved) == (("ok", "ok", "open"), True)
    assert worst.change_ppm[2] is None
    assert str(next_worst) == "row 2, column 2, branch 2"
    assert trend.words[0].startswith(
        "Row 6, column 8, branch 10 was ok and is open since 2026-03-1"
    )


def test_the_order_is_that_of_the_calibrations_and_each_counts_once(trend_of):
    first = first_calibration()
    second = later(first, noise(1))
    trend = trend_of(second, first, second)
    assert [point.run for point in trend.changes.points] == ["run 1", "run 0"]


def test_another_boards_calibration_and_a_damaged_one_are_passed_over(trend_of, tmp_path):
    first = first_calibration()
    small = made_up_calibration(shape=(3, 4, 5))
    small = replace(small, made_at=first.made_at + timedelta(days=1))
    trend = trend_of(small, first)
    assert [point.run for point in trend.changes.points] == ["run 0"]  # the newest
    (line,) = trend.changes.skipped
    assert "1/calibration.npz: skipped: of board bench model S1 (6 × 8 × 10)" in line
    (tmp_path / "1" / "calibration.npz").write_bytes(b"torn")
    (line,) = follow_board(trend.runs, "S1").changes.skipped
    assert "1/calibration.npz: not a calibration file" in line


def test_one_calibration_shows_no_change(trend_of):
    trend = trend_of(first_calibration())
    assert trend.changes.branches == ()
    assert trend.words == [
        "Changes of the board need two runs that have calibrated it; there is one."
    ]


def test_a_board_without_runs_is_refused_with_the_boards_that_there_are(trend_of):
    runs = trend_of(first_calibration()).runs
    with pytest.raises(UsageError, match=r"^S2: no run of a board .* there are runs of S1; --in"):
        follow_board(runs, "S2")
    with pytest.raises(UsageError, match=r"^S2: no run of a board .* there are no runs; --in"):
        follow_board([], "S2")
