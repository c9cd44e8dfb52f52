"""Calibrations of one board, made at different temperatures, make one another better."""

import json

import numpy as np
import pytest

from instrument import open_bench
from instrument.board_calibration.file import load_calibration, save_calibration
from instrument.errors import UsageError
from instrument.validation.over_hours import wait_until
from tests.support.calibration_files import made_up_calibration


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """Three calibrations over three hours, as files."""
    folder = tmp_path_factory.mktemp("day")
    with open_bench("sim:8x4") as bench:
        for hour in range(3):
            wait_until(bench.board, 3600.0 * hour)
            save_calibration(bench.calibrate(), folder / f"{hour}.npz")
    return [folder / f"{hour}.npz" for hour in range(3)]


def test_several_tell_coefficients_that_one_does_not(day):
    first, *later = (load_calibration(path) for path in day)
    alone = first.temperature
    joined = first.with_earlier(later)
    assert joined.temperature.common_per_kelvin.uncertainty < 5e-6
    assert joined.temperature.common_per_kelvin.value == pytest.approx(-1e-4, abs=3e-5)
    both = joined.temperature.uncertainty_per_kelvin, alone.uncertainty_per_kelvin
    assert np.median(both[0]) < np.median(both[1]) / 3
    off = joined.branches.branch_siemens / first.branches.branch_siemens - 1
    assert np.abs(off).max() < 1e-4
    less = joined.branches.uncertainty_siemens <= first.branches.uncertainty_siemens * 1.0001
    assert less.all()
    # what it says of them comes back from its file
    save_calibration(joined, day[0].parent / "joined.npz")
    again = load_calibration(day[0].parent / "joined.npz")
    np.testing.assert_array_equal(again.temperature.per_kelvin, joined.temperature.per_kelvin)
    assert again.temperature.own_per_kelvin == joined.temperature.own_per_kelvin


def test_what_cannot_count_is_refused(day):
    first, second, _ = (load_calibration(path) for path in day)
    with pytest.raises(UsageError, match=r"0\.npz: the measurement of .* is given twice"):
        second.with_earlier([first, first])
    with pytest.raises(UsageError, match=r"1\.npz: the measurement of .* is given twice"):
        second.with_earlier([second])
    other = made_up_calibration(shape=(8, 8, 10))
    with pytest.raises(UsageError, match="but on the bench is"):
        first.with_earlier([other])


def test_what_counts_within_another_is_refused(day, tmp_path):
    first, second, third = (load_calibration(path) for path in day)
    save_calibration(second.with_earlier([first]), tmp_path / "joined.npz")
    joined = load_calibration(tmp_path / "joined.npz")
    assert joined.joined == (first.made_at,)
    assert third.with_earlier([joined]).joined == (first.made_at, second.made_at)
    for given, earlier in ((joined, [first]), (third, [joined, first]), (first, [joined])):
        with pytest.raises(UsageError, match=r"npz: the measurement of .* is given twice"):
            given.with_earlier(earlier)


def test_the_command_line_takes_them(ohmsum, day, tmp_path):
    given = [part for path in day[:2] for part in ("--earlier", path)]
    asked = "run", "--bench", "sim:8x4", "--matrix", "random", "--json", "--out", "out"
    ended = ohmsum(*asked, "--calibration", day[2], *given)
    assert ended.status == 0, ended.err
    said = json.loads(ended.out)["calibration"]["temperature"]
    assert said["common_per_kelvin"]["uncertainty"] < 5e-6
    assert 0 < said["median_uncertainty_per_kelvin"] < 30e-6
    kept = load_calibration(tmp_path / "out" / "calibration.npz")
    assert kept.temperature.own_per_kelvin == said["own_per_kelvin"]
    again = (*asked[:-1], "again")
    twice = ohmsum(*again, "--calibration", day[2], "--earlier", day[2])
    assert (twice.status, twice.out) == (2, "")
    assert "given twice" in twice.err


def test_one_of_another_board_is_refused_before_anything_is_measured(ohmsum, tmp_path):
    save_calibration(made_up_calibration(), tmp_path / "other.npz")
    ended = ohmsum("run", "--bench", "sim:8x4", "--matrix", "random", "--earlier", "other.npz")
    assert ended.status == 2
    assert "other.npz: of board" in ended.err
