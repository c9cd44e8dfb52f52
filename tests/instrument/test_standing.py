"""A program answers right whatever the board did in between, or says why it cannot."""

import logging
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from calibration.errors import GainError
from drivers.errors import BoardChanged
from instrument import open_bench
from instrument.errors import UsageError

RNG = np.random.default_rng(11)
WEIGHTS, OTHER, LARGE = (RNG.uniform(-1, 1, shape) for shape in ((8, 4), (8, 4), (16, 8)))
X, LONG_X = RNG.uniform(-1, 1, (16, 8)), RNG.uniform(-1, 1, (16, 16))
RIGHT = 2e-3


@pytest.fixture(scope="module")
def bench():
    with open_bench("sim:8x4", seed=3) as opened:
        yield opened


@pytest.fixture(scope="module")
def calibration(bench):
    return bench.calibrate()


@pytest.fixture(scope="module")
def program(bench, calibration):
    return bench.program(WEIGHTS, calibration)


@pytest.fixture(scope="module")
def large(bench, calibration):
    return bench.program(LARGE, calibration)


def off(program, weights=WEIGHTS, x=X):
    exact = x @ weights
    return np.linalg.norm(x @ program - exact) / np.linalg.norm(exact)


def test_each_program_sets_itself_again_after_another(bench, calibration, program, large):
    other = bench.program(OTHER, calibration)
    again = bench.program(WEIGHTS, calibration)
    for _ in range(2):
        assert off(program) < RIGHT
        assert off(other, OTHER) < RIGHT
        assert off(again) < RIGHT
        assert off(large, LARGE, LONG_X) < RIGHT


def test_after_a_calibration(bench, program):
    bench.calibrate()
    assert off(program) < RIGHT


def test_watched_and_reprogrammed_set_it_again_first(program, large):
    for refresh in (lambda one: one.watched(), lambda one: one.reprogrammed()):
        assert off(large, LARGE, LONG_X) < RIGHT
        fresh = refresh(program)
        assert abs(fresh.tiles[0].matrix.gain - 1) < 1e-3
        assert off(fresh) < RIGHT
        assert off(program) < RIGHT


def test_settings_are_its_own_again(bench, program):
    (part,) = program.tiles
    widest = float(bench.board.ranges_amperes[-1])
    bench.board.configure(range_amperes=widest, aperture_seconds=1e-4, delay_seconds=0.0)
    assert off(program) < RIGHT
    assert bench.board.aperture_seconds == pytest.approx(part.matrix.aperture_seconds)
    assert bench.board.delay_seconds == pytest.approx(part.matrix.delay_seconds)
    assert bench.board.range_amperes < widest


def test_one_that_stands_costs_no_message_more(program):
    off(program)
    board = program.board
    before = board.bytes_moved
    X @ program
    once = board.bytes_moved - before
    X @ program
    assert board.bytes_moved - before == 2 * once


def test_threads_do_not_mix_their_programs(bench, program, large):
    errors: list[float] = []
    asked = [(program, WEIGHTS, X), (large, LARGE, LONG_X), (large, LARGE, LONG_X)]
    threads = [
        threading.Thread(target=lambda ask: errors.extend(off(*ask) for _ in range(3)), args=(ask,))
        for ask in asked
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 9
    assert max(errors) < RIGHT


# boards that this process can look into


def test_what_another_host_changed_is_told_once_and_then_set_again(served, tmp_path, ask):
    with open_bench(tmp_path / "bench.toml") as bench:
        program = bench.program(WEIGHTS)
        ask(served.resources["board"]["socket"], ":ROUT:OPEN:ALL;*OPC?")
        with pytest.raises(BoardChanged, match="another host has changed the board"):
            X @ program
        assert off(program) < RIGHT


def test_after_an_expired_watchdog_it_is_set_again_with_a_word(
    served, tmp_path, is_safe, caplog, monkeypatch
):
    with open_bench(tmp_path / "bench.toml") as bench:
        program = bench.program(WEIGHTS)
        assert off(program) < RIGHT
        with monkeypatch.context() as later:  # as if this host had been frozen
            clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 1e6)
            later.setattr("simulator.watchdog.time", clock)
            served.board.watch()
        assert is_safe(served)
        with caplog.at_level(logging.WARNING):
            assert off(program) < RIGHT
        assert "watchdog expired" in caplog.text
        assert "set again" in caplog.text
        caplog.clear()
        assert off(program) < RIGHT
        assert not caplog.text


def test_a_gain_that_no_board_can_have_is_an_error(bench, program, monkeypatch):
    read = type(bench.board).column_currents
    monkeypatch.setattr(
        type(bench.board), "column_currents", lambda board, volts: 4e-5 * read(board, volts)
    )
    with pytest.raises(GainError, match="check that rows are driven"):
        program.watched()


def test_outputs_are_off_once_a_calibration_was_cut_short(served, tmp_path):
    def cut_short(done, total):
        raise ZeroDivisionError

    with open_bench(tmp_path / "bench.toml") as bench:
        with pytest.raises(ZeroDivisionError):
            bench.calibrate(cut_short)
        assert not served.crossbar.outputs_on


# on disk


def test_a_saved_program_stands_again(tmp_path):
    with open_bench("sim:8x4", seed=3) as bench:
        calibration = bench.calibrate()
        bench.program(WEIGHTS, calibration, input_full_scale=2.0).save(tmp_path / "small")
        bench.program(LARGE, calibration).save(str(tmp_path / "large.npz"))
        small = bench.load_program(tmp_path / "small")
        large = bench.load_program(str(tmp_path / "large.npz"))
        for _ in range(2):
            assert off(small) < RIGHT
            assert off(large, LARGE, LONG_X) < RIGHT
        assert small.input_full_scale == 2
        assert off(small.reprogrammed()) < RIGHT
        assert small.watches
    with open_bench("sim:8x4", seed=3) as bench:  # the same board, another day
        assert off(bench.load_program(tmp_path / "small")) < RIGHT
    with (
        open_bench("sim:8x4", seed=4) as bench,
        pytest.raises(UsageError, match=r"small: of board .* B000003 .* on the bench is"),
    ):
        bench.load_program(tmp_path / "small")


def test_what_is_no_program_is_refused_in_a_line(bench, program, calibration, tmp_path):
    program.save(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as kept:
        arrays = dict(kept)
    assert arrays["pattern"].dtype == bool
    assert arrays["scale_siemens"].dtype == float
    np.savez(tmp_path / "altered.npz", **arrays | {"scale_siemens": 2 * arrays["scale_siemens"]})
    calibration.save(tmp_path / "calibration.npz")
    (tmp_path / "torn.npz").write_bytes((tmp_path / "p.npz").read_bytes()[:-200])
    for name, complaint in (
        ("altered.npz", "altered after it was written"),
        ("calibration.npz", "not a program file"),
        ("torn.npz", "not a program file"),
        ("nowhere.npz", "No such file"),
    ):
        with pytest.raises(UsageError, match=f"{name}: .*{complaint}") as refused:
            bench.load_program(tmp_path / name)
        assert "\n" not in str(refused.value)
