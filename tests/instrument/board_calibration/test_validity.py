"""A calibration expires; what is used all the same says so."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument import open_bench
from instrument.bench_file import CalibrationLimits
from instrument.board_calibration.file import load_calibration, save_calibration
from instrument.board_calibration.validity import why_expired
from instrument.clocks import ClockReading
from instrument.errors import UsageError
from tests.support.calibration_files import made_up_calibration

NOW = ClockReading(datetime(2026, 6, 1, tzinfo=UTC), 0.0, 0.0)
LIMITS = CalibrationLimits(max_age_hours=10, max_excursion_kelvin=2)


@given(hours=st.floats(-0.9, 100), kelvin=st.floats(-10, 10))
def test_it_holds_within_both_limits_and_no_further(hours, kelvin):
    made_up = made_up_calibration()
    old = replace(made_up, made_at=NOW.date - timedelta(hours=hours))
    reason = why_expired(old, NOW, made_up.board_kelvin + kelvin, LIMITS)
    beyond = old.made_at < NOW.date - timedelta(hours=10)
    moved = abs((made_up.board_kelvin + kelvin) - made_up.board_kelvin)
    assert (reason is None) == (not beyond and moved <= 2)


@pytest.mark.parametrize(
    ("age", "kelvin", "reason"),
    [
        (timedelta(days=3), 0.0, "72 hours old, of at most 10"),
        (timedelta(hours=-5), 0.0, "in the future"),
        (timedelta(0), 2.5, "2.5 K warmer than it was, of at most 2"),
        (timedelta(0), -2.5, "2.5 K colder than it was, of at most 2"),
    ],
)
def test_the_reason_names_the_figure_and_the_limit(age, kelvin, reason):
    made_up = replace(made_up_calibration(), made_at=NOW.date - age)
    said = why_expired(made_up, NOW, made_up.board_kelvin + kelvin, LIMITS)
    assert said is not None
    assert reason in said


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    """Calibrate a simulated board, then put the calibration's date back by two days."""
    with open_bench("sim:8x4", seed=6) as bench:
        calibration = bench.calibrate()
    old = replace(calibration, made_at=calibration.made_at - timedelta(days=2))
    path = tmp_path_factory.mktemp("aged") / "old.npz"
    save_calibration(old, path)
    return path


RUN = ("run", "--bench", "sim:8x4", "--seed", 6, "--matrix", "random", "--json")


def test_an_expired_calibration_is_refused_with_the_way_out(ohmsum, aged):
    ended = ohmsum(*RUN, "--calibration", aged)
    assert (ended.status, ended.out) == (2, "")
    assert "old.npz has expired: it is 48 hours old, of at most 24" in ended.err
    assert "--allow-expired" in ended.err


def test_used_all_the_same_it_is_in_every_result(ohmsum, aged, tmp_path):
    ended = ohmsum(*RUN, "--calibration", aged, "--allow-expired", "--out", tmp_path / "out")
    document = json.loads(ended.out)
    assert document["calibration"]["expired"].startswith("it is 48 hours old")
    assert "it is 48 hours old" in (tmp_path / "out" / "report.html").read_text("utf-8")
    fresh = json.loads(ohmsum(*RUN).out)
    assert fresh["calibration"]["expired"] is None
    assert fresh["calibration"]["versions"]["firmware"] == "1.0"


def test_the_api_refuses_it_too(aged):
    calibration = load_calibration(aged)
    with open_bench("sim:8x4", seed=6) as bench:
        with pytest.raises(UsageError, match="has expired"):
            bench.program(np.eye(8, 4), calibration)
        bench.program(np.eye(8, 4), calibration, allow_expired=True)


def test_limits_are_those_of_the_bench_file(served, tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(path.read_text() + "\n[calibration]\nmax_age_hours = 100\n")
    with open_bench(path) as bench:
        calibration = bench.calibrate()
        old = replace(calibration, made_at=calibration.made_at - timedelta(hours=99))
        bench.program(np.eye(8, 4), old)
        with pytest.raises(UsageError, match=r"hours old, of at most 100"):
            bench.program(np.eye(8, 4), replace(old, made_at=old.made_at - timedelta(hours=2)))
