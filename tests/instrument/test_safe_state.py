"""Whichever way a bench is left, the board ends with its outputs off and all switches open."""

import json
import signal
import threading

import numpy as np
import pytest

from drivers.errors import BoardChanged, BoardInUse, InterlockOpen
from instrument import open_bench
from instrument.bench_file import bench_toml
from instrument.errors import UsageError
from simulator.command_set import BoardSession

WEIGHTS = np.linspace(-1, 1, 32).reshape(8, 4)


def interrupt_main_thread():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


@pytest.fixture(params=["socket", "serial"])
def bench_file(request, served, tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(bench_toml(served.resources["board"][request.param]))
    return path


def test_normal_end(served, bench_file, is_safe):
    with open_bench(bench_file) as bench:
        program = bench.program(WEIGHTS)
        assert not served.crossbar.outputs_on  # nothing is measured
        assert served.crossbar.pattern.any()
        program @ np.ones(8)
        assert served.crossbar.outputs_on
    assert is_safe(served)
    assert served.board.watchdog.seconds == 0  # nobody is left to feed it


def test_exception_while_a_matrix_stands_on_the_board(served, bench_file, is_safe):
    with pytest.raises(ZeroDivisionError), open_bench(bench_file) as bench:  # noqa: PT012  (the state before matters)
        bench.program(WEIGHTS)
        assert not is_safe(served)
        raise ZeroDivisionError
    assert is_safe(served)


def test_exception_between_two_scans(served, bench_file, is_safe):
    def fail_in_the_middle(done, total):
        assert served.crossbar.outputs_on
        if done < total:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), open_bench(bench_file) as bench:
        bench.calibrate(fail_in_the_middle)
    assert is_safe(served)


@pytest.mark.parametrize("command", [b":MEAS:SCAN?", b":MEAS:MVM?", b":ROUT:PATT "])
def test_ctrl_c_in_the_middle_of_an_exchange(served, bench_file, is_safe, at_message, command):
    seen = at_message(served, command, 2, interrupt_main_thread)
    with pytest.raises(KeyboardInterrupt), open_bench(bench_file) as bench:
        bench.program(WEIGHTS)
    assert len(seen) == 2
    assert is_safe(served)


def test_ctrl_c_in_the_middle_of_the_second_tile(served, bench_file, is_safe, at_message):
    kept = []

    def keep(tile):
        kept.append(tile)
        at_message(served, b":MEAS:MVM?", 2, interrupt_main_thread)

    with pytest.raises(KeyboardInterrupt), open_bench(bench_file) as bench:
        bench.program(np.concatenate([WEIGHTS, WEIGHTS, WEIGHTS]), keep=keep)
    assert len(kept) == 1
    assert is_safe(served)


def test_ctrl_c_while_tiles_take_turns(served, bench_file, is_safe, at_message):
    with pytest.raises(KeyboardInterrupt), open_bench(bench_file) as bench:  # noqa: PT012  (it is the product that is cut short)
        program = bench.program(np.concatenate([WEIGHTS, WEIGHTS]))
        seen = at_message(served, b":ROUT:PATT ", 2, interrupt_main_thread)
        program @ np.ones((100, 16))
    assert len(seen) == 2
    assert is_safe(served)


def test_ctrl_c_in_the_middle_of_the_way_out(served, bench_file, is_safe, monkeypatch):
    """The board has not yet heard that it shall switch off when the signal comes."""
    steps, unheard = BoardSession.steps, []

    def deaf_once(session, message):
        if b":OUTP OFF;:ROUT:OPEN" in message and not unheard:
            unheard.append(message)
            interrupt_main_thread()
            return b""
        return (yield from steps(session, message))

    monkeypatch.setattr(BoardSession, "steps", deaf_once)
    with pytest.raises(KeyboardInterrupt), open_bench(bench_file) as bench:
        bench.program(WEIGHTS)
    assert unheard
    assert is_safe(served)


def test_refusal_after_the_board_was_opened(served, tmp_path, is_safe):
    path = tmp_path / "bench.toml"
    path.write_text(path.read_text() + "row_volts = 1.5\n")
    with pytest.raises(UsageError, match=r"bench\.toml: board\.row_volts: 1\.5 V .* B000001"):
        open_bench(path).__enter__()
    assert is_safe(served)


def test_the_interlock_keeps_the_outputs_off(served, tmp_path, is_safe):
    served.board.set_interlock(False)
    with (
        pytest.raises(InterlockOpen, match="Interlock open"),
        open_bench(tmp_path / "bench.toml") as bench,
    ):
        bench.calibrate()
    assert is_safe(served)


def test_a_board_that_somebody_works_with_is_refused_and_left_alone(served, bench_file):
    served.crossbar.switch_outputs(True)
    with pytest.raises(BoardInUse, match="its outputs are on"):
        open_bench(bench_file).__enter__()
    assert served.crossbar.outputs_on
    with open_bench(bench_file, take_over=True):
        assert not served.crossbar.outputs_on


def test_what_another_host_changes_is_no_result(served, bench_file, is_safe, ask):
    with open_bench(bench_file) as bench:
        program = bench.program(WEIGHTS)
        ask(served.resources["board"]["socket"], ":ROUT:OPEN:ALL;*OPC?")
        with pytest.raises(BoardChanged, match="another host has changed the board: CRC of the"):
            program.tiles[0].matrix @ np.ones(8)
    assert is_safe(served)


# processes


@pytest.fixture
def big_board(start):
    """A board of the default size in a process of its own: its resource and its process."""
    process = start("sim", "--json", "--bench", "bench.toml")
    line = process.stdout.readline()
    assert line, process.communicate()
    return json.loads(line)["resources"]["board"]["socket"], process


@pytest.fixture
def in_the_middle(until, ask, ended):
    """Wait until a run's calibration is under way on a board that was just switched on."""

    def wait(resource, run):
        def scanning():
            assert run.poll() is None, ended(run)
            outputs, points = ask(resource, "OUTP?;:ROUT:SCAN:POIN?")
            return outputs == "1" and int(points) > 0

        until(scanning)

    return wait


def run_of(start, *more):
    return start("run", "--bench", "bench.toml", "--matrix", "random", "--out", "kept", *more)


def test_tiles_that_were_programmed_are_kept(start, ended, served, until, is_safe, tmp_path):
    run = start("run", "--bench", "bench.toml", "--matrix", "random:256x8", "--out", "kept")
    until((tmp_path / "kept" / "program-8-4.npz").exists)
    run.send_signal(signal.SIGINT)
    outcome = ended(run)
    assert outcome.status == 130
    assert is_safe(served)
    kept = {path.name for path in (tmp_path / "kept").glob("program*.npz")}
    assert {"program-0-0.npz", "program-0-4.npz", "program-8-0.npz"} < kept
    assert "program-248-4.npz" not in kept


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_in_the_middle_of_calibration(
    number, served, start, ended, at_message, ask, all_open_crc, tmp_path
):
    runs = []
    at_message(served, b":MEAS:SCAN?", 3, lambda: runs[0].send_signal(number))
    runs.append(run_of(start))
    outcome = ended(runs[0])

    terminated = number == signal.SIGTERM
    assert outcome.status == (143 if terminated else 130)
    assert outcome.out == ""
    how = "terminated" if terminated else "interrupted"
    last = outcome.err.splitlines()[-1]
    assert last.startswith(f"ohmsum: {how}; the outputs are off")
    kept = "; what was measured so far is in kept (journal.sqlite); `ohmsum resume kept` goes on"
    assert last.endswith(kept)
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "kept" / "calibration.npz").exists()  # it was in the middle
    resource = served.resources["board"]["socket"]
    answers = ask(resource, "OUTP?;:ROUT:PATT:CRC?;:SYST:WATC?;:SYST:ERR?")
    assert answers[0] == "0"
    assert int(answers[1]) == all_open_crc(8, 8, 10)
    assert float(answers[2]) == 0
    assert answers[3].startswith("0,")


def test_signal_while_programming_keeps_the_calibration(
    served, start, ended, is_safe, at_message, ohmsum, tmp_path
):
    runs = []

    def end_once_it_is_kept():
        if (tmp_path / "kept" / "calibration.npz").exists():
            runs[0].send_signal(signal.SIGTERM)

    at_message(served, b":ROUT:PATT ", None, end_once_it_is_kept)
    runs.append(run_of(start))
    outcome = ended(runs[0])

    assert outcome.status == 143
    assert is_safe(served)
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert set(kept) == {
        *("bench.toml", "calibration.npz", "job.json", "job.npz", "journal.sqlite", "run.json")
    }
    last = outcome.err.splitlines()[-1]
    kept = "what was measured so far is in kept (calibration.npz, journal.sqlite)"
    assert last == f"ohmsum: terminated; the outputs are off; {kept}; `ohmsum resume kept` goes on"
    again = ohmsum(
        *("run", "--bench", "bench.toml", "--matrix", "random", "--out", "again", "--json"),
        *("--calibration", "kept/calibration.npz"),
    )
    assert again.status == 0
    assert json.loads(again.out)["validation"]["bits"] >= 11


def test_a_second_ctrl_c_does_not_cut_the_way_out_short(served, start, ended, is_safe, at_message):
    runs = []

    def twice_more():
        runs[0].send_signal(signal.SIGINT)
        runs[0].send_signal(signal.SIGTERM)

    at_message(served, b":MEAS:SCAN?", 3, lambda: runs[0].send_signal(signal.SIGINT))
    way_out = at_message(served, b":OUTP OFF;:ROUT:OPEN", 1, twice_more)
    runs.append(run_of(start))
    outcome = ended(runs[0])

    assert way_out
    assert outcome.status == 130
    assert outcome.err.splitlines()[-1].startswith("ohmsum: interrupted; the outputs are off")
    assert is_safe(served)


def test_a_board_that_dies_during_a_run(start, ended, big_board, in_the_middle, tmp_path):
    resource, board = big_board
    patience = "timeout_seconds = 2.0\nreconnect_seconds = 0.5\n"
    (tmp_path / "bench.toml").write_text(bench_toml(resource) + patience)
    run = run_of(start)
    in_the_middle(resource, run)
    board.kill()
    outcome = ended(run)

    assert outcome.status == 3
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    said = [line for line in outcome.err.splitlines() if line.startswith("ohmsum: ")]
    assert len(said) == 1
    assert said == outcome.err.splitlines()[-1:]
    assert said[0].startswith(f"ohmsum: {resource}: ")
