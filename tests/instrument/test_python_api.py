"""What a notebook does with a bench: without `with`, in numpy's words, and with what is wrong."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

import instrument
import ohmsum
from calibration.errors import MatrixError
from drivers.errors import InstrumentError
from instrument import Calibration, open_bench
from instrument.bench_file import CalibrationLimits
from instrument.board_calibration.validity import why_expired
from instrument.clocks import ClockReading
from instrument.errors import UsageError
from instrument.validation.products import validate
from tests.support.calibration_files import made_up_calibration

RNG = np.random.default_rng(7)
WEIGHTS, X = RNG.uniform(-1, 1, (8, 4)), RNG.uniform(-1, 1, (5, 8))
SHORT = 1000
"""Characters that a prompt may fill."""


@pytest.fixture(scope="module")
def bench():
    opened = open_bench("sim:8x4", seed=2)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def calibration(bench):
    return bench.calibrate()


@pytest.fixture(scope="module")
def program(bench, calibration):
    return bench.program(WEIGHTS, calibration)


# opening and closing


def test_a_bench_without_with_is_safe_once_it_is_closed(served, tmp_path, is_safe):
    bench = open_bench(tmp_path / "bench.toml")
    program = bench.program(WEIGHTS)
    assert not is_safe(served)
    bench.close()
    assert is_safe(served)
    bench.close()  # says nothing
    for use in (bench.calibrate, lambda: np.zeros(8) @ program):
        with pytest.raises(InstrumentError, match="closed: open the bench again"):
            use()
    assert "8x4" in repr(bench)


def test_a_bench_that_was_left_open_is_closed_when_python_ends(
    served, tmp_path, is_safe, start_environment
):
    script = (
        "from instrument import open_bench\n"
        "bench = open_bench('bench.toml')\n"
        "bench.board.column_currents([[0.1] * 8])\n"
        "print(bench.board.bytes_moved > 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=start_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == ("True\n", "")
    assert is_safe(served)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"bench": None}, "path of a bench.toml or sim:PRESET, not a NoneType"),
        ({"bench": 8}, "not a int"),
        ({"link": "usb"}, "link is 'socket' or 'serial', not 'usb'"),
        ({"link": None}, "link is 'socket' or 'serial', not None"),
        ({"seed": -1}, "seed is a whole number from 0 on, not -1"),
        ({"seed": 1.5}, "seed is a whole number from 0 on, not 1.5"),
        ({"seed": "1"}, "seed is a whole number from 0 on, not '1'"),
        ({"seed": None}, "seed is a whole number from 0 on, not None"),
        ({"bench": "sim:9x9"}, "9x9: neither a preset"),
        ({"bench": "sim:"}, "neither a preset"),
        ({"bench": "nowhere.toml"}, "nowhere.toml: no such file"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_words(arguments, complaint):
    with pytest.raises(UsageError, match=complaint):
        open_bench(**{"bench": "sim:8x4", **arguments})


def test_the_door_opens_on_all_that_it_names():
    for name in ohmsum.__all__:
        assert getattr(ohmsum, name) is getattr(instrument, name)


# products


def test_x_at_program_is_the_formula(program):
    exact = X @ WEIGHTS
    for answered in (X @ program, program @ X, X.tolist() @ program):
        assert np.linalg.norm(answered - exact) < 2e-3 * np.linalg.norm(exact)
    assert (X[0] @ program).shape == (4,)
    assert (np.zeros((0, 8)) @ program).shape == (0, 4)
    (tile,) = program.tiles
    assert (X @ tile.matrix).shape == (5, 4)


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.ones(7), "the matrix has 8 rows; these are one vector of 7"),
        (np.ones((3, 9)), "8 rows; these are 3 vectors of 9$"),
        (np.ones((8, 3)), "8 rows; these are 8 vectors of 3; transpose them"),
        (np.ones((2, 2, 8)), "8 rows; these are of 3 dimensions"),
        (1.0, "8 rows; these are a single number"),
        (np.full(8, 1j), "real numbers, not complex128"),
        (["a"] * 8, "real numbers, not <U1"),
        (None, "real numbers, not NoneType"),
        ([[1.0], [1.0, 2.0]], "regular array"),
        (np.ma.masked_greater(np.ones(8), 0), "masked"),
        ([[0] * 8, [0, 0, np.nan, *[0] * 5]], "NaN or infinities: vector 2, row 3 is nan"),
        ([*[0] * 7, 1.01], "1.01 is beyond the full scale of 1"),
    ],
)
def test_what_is_no_input_is_refused_in_words(program, x, complaint):
    moved = program.board.bytes_moved
    for product in (lambda: program @ x, lambda: program.__rmatmul__(x)):
        with pytest.raises(ValueError, match=complaint):
            product()
    assert program.board.bytes_moved == moved


# programming


@pytest.mark.parametrize("full_scale", [0, -1, np.nan, np.inf, "1", None, 1j, True, [1.0], 1e-300])
def test_a_full_scale_is_a_number_above_zero(bench, calibration, full_scale):
    moved = bench.board.bytes_moved
    with pytest.raises(UsageError, match="input_full_scale is a number above 0"):
        bench.program(WEIGHTS, calibration, input_full_scale=full_scale)
    assert bench.board.bytes_moved == moved


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        (WEIGHTS * 1j, "real numbers, not complex128"),
        (None, "real numbers, not NoneType"),
        ("W.npy", "real numbers, not <U5"),
        (np.ones((2, 2, 2)), "2 dimensions"),
        (np.ones((9999, 999)), "9999 rows × 999 outputs does not fit"),
    ],
)
def test_a_matrix_is_refused_before_anything_is_measured(bench, weights, complaint):
    moved = bench.board.bytes_moved
    with pytest.raises(MatrixError, match=complaint):
        bench.program(weights)
    assert bench.board.bytes_moved == moved


def test_what_is_no_calibration_is_refused(bench):
    for other in ("calibration.npz", 1.0, WEIGHTS):
        with pytest.raises(UsageError, match=r"Calibration\.load"):
            bench.program(WEIGHTS, other)
        with pytest.raises(UsageError, match=r"Calibration\.load"):
            bench.why_expired(other)


@pytest.mark.parametrize("path", [None, 3, "", 1.0])
def test_what_is_no_path_is_refused(bench, calibration, program, path):
    for use in (calibration.save, Calibration.load, program.save, bench.load_program):
        with pytest.raises(UsageError, match="a file is given by its path, not by"):
            use(path)


def test_a_fork_does_not_close_its_parents_bench(served, tmp_path, is_safe):
    with open_bench(tmp_path / "bench.toml") as bench:
        program = bench.program(WEIGHTS)
        bench.close_at_exit(os.getpid() + 1)
        assert (X @ program).shape == (5, 4)


# what is seen of results


def test_results_show_themselves_in_a_line_and_as_a_table(bench, calibration, program):
    checked = validate(program, X)
    for result in (bench, calibration, program, checked):
        assert len(repr(result)) < SHORT
        assert "\n" not in repr(result)
        table = result._repr_html_()
        assert table.startswith("<table>")
        assert len(table) < 3 * SHORT
    assert "640 (all ok)" in repr(calibration)
    assert "8 rows × 4 outputs" in repr(program)
    within = (calibration.branches, program.tiles, program.tiles[0].matrix.programmed)
    for record in (*within, calibration.converters, calibration.ranges, calibration.noise):
        assert len(repr(record)) < 3 * SHORT


def test_calibrations_are_equal_by_their_contents(calibration, tmp_path):
    assert calibration == calibration  # noqa: PLR0124
    calibration.save(tmp_path / "kept.npz")
    again = Calibration.load(str(tmp_path / "kept.npz"))
    assert again == calibration
    assert again != replace(calibration, bench_seconds=1.0)
    moved = replace(calibration.branches, branch_siemens=calibration.branches.branch_siemens * 2)
    assert again != replace(calibration, branches=moved)
    assert calibration != 1


# ages


def test_a_step_of_the_time_of_day_makes_no_calibration_older():
    began = ClockReading.now(10.0)
    measured = replace(made_up_calibration(), made_at=began.date, ended=began)
    limits = CalibrationLimits(max_age_hours=10)

    def reason(days=0.0, host_hours=0.0, board_hours=0.0):
        now = ClockReading(
            began.date + timedelta(days=days),
            began.host_seconds + 3600 * host_hours,
            began.board_seconds + 3600 * board_hours,
        )
        return why_expired(measured, now, measured.board_kelvin, limits)

    assert reason() is reason(days=2315.0) is reason(days=-2315.0) is None
    assert "it is 11 hours old" in reason(host_hours=11.0)
    assert "it is 11 hours old" in reason(days=-1, board_hours=11.0)
    assert reason(host_hours=9.0, board_hours=-9.0) is None  # the board was switched on anew


def test_a_date_in_the_future_says_that_a_clock_was_wrong():
    kept = made_up_calibration()
    now = ClockReading(kept.made_at - timedelta(hours=5), 0.0, 0.0)
    reason = why_expired(kept, now, kept.board_kelvin, CalibrationLimits())
    assert "5 hours in the future: this host's clock was set back" in reason
