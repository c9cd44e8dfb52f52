"""The way of a simulated board to safety, whatever the wire does to it, and who may walk it."""

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from drivers.crossbar_board import CrossbarBoard
from drivers.errors import BoardChanged, BoardInUse, InstrumentError, LinkLost, OutputsUnproved
from simulator.command_set import BoardSession
from tests.support.tiny_board import TinyBoard
from tests.support.wire_peers import PtyPeer, Relay, SocketPeer, running, serve

ZERO = np.zeros((1, 8))
TRIES = 160
VANISHES_SECONDS = 0.05


@pytest.fixture
def resource(served):
    return served.resources["board"]["socket"]


def test_no_damaged_byte_leaves_outputs_on_without_a_watchdog(served, resource, monkeypatch):
    """One byte of one message on the way out, whichever: the off-message, or what disarms."""
    steps, draw = BoardSession.steps, random.Random(1)
    damaged = []

    def noisy(session, message):
        nth = len(damaged)
        if nth < wanted and (b":OUTP" in message or b":SYST:WATC 0" in message):
            at = draw.randrange(len(message))
            damaged.append(message)
            message = message[:at] + bytes([draw.randrange(32, 127)]) + message[at + 1 :]
        return (yield from steps(session, message))

    monkeypatch.setattr(BoardSession, "steps", noisy)
    wanted = proved = 0
    with CrossbarBoard.open(resource, timeout_seconds=0.1) as board:
        for _ in range(TRIES):
            while not served.crossbar.outputs_on:
                # A slow machine may carry out the last off-message after the host has gone on.
                with suppress(BoardChanged):
                    board.column_currents(ZERO)
            wanted += 1
            try:
                board.safe()
                proved += 1
            except InstrumentError:
                pass
            wanted = len(damaged)
            assert not (served.crossbar.outputs_on and served.board.watchdog.seconds == 0)
    assert len(damaged) == TRIES
    assert proved > TRIES / 2
    assert not served.crossbar.outputs_on


def test_a_serial_port_that_vanishes_for_a_moment_ends_off(tmp_path):
    tiny, name = TinyBoard(), tmp_path / "board"
    first = PtyPeer(serve(tiny.handle))
    name.symlink_to(first.port)
    later = []

    def come_back():
        time.sleep(VANISHES_SECONDS)
        later.append(PtyPeer(serve(tiny.handle)))
        name.symlink_to(later[0].port)

    board = CrossbarBoard.open(f"ASRL{name}::INSTR", timeout_seconds=5.0)
    board.column_currents(np.zeros((1, 4)))
    first.stop()
    name.unlink()
    back = threading.Thread(target=come_back)
    back.start()
    board.close()
    back.join()
    later[0].stop()
    assert (tiny.on, tiny.watchdog) == (False, 0.0)


def test_a_board_that_stays_away_may_be_on_and_for_how_long():
    tiny = TinyBoard()
    peer = SocketPeer(serve(tiny.handle))
    board = CrossbarBoard.open(peer.resource, timeout_seconds=0.2, watchdog_seconds=7)
    board.column_currents(np.zeros((1, 4)))
    peer.stop()
    with pytest.raises(OutputsUnproved, match=r"may still be on .*refused.*7 s after"):
        board.close()


def test_a_board_that_stays_away_at_rest_is_off():
    tiny = TinyBoard()
    peer = SocketPeer(serve(tiny.handle))
    board = CrossbarBoard.open(peer.resource, timeout_seconds=0.2)
    board.column_currents(np.zeros((1, 4)))
    board.rest()
    peer.stop()
    with pytest.raises(LinkLost, match="nobody answers"):
        board.close()


def test_a_board_that_another_session_holds_is_refused_or_taken_over(served, resource):
    with running(Relay(resource)) as relay, CrossbarBoard.open(relay.resource, retries=0) as one:
        with pytest.raises(BoardInUse, match=r"another session holds its watchdog.*--take-over"):
            CrossbarBoard.open(resource)
        one.column_currents(ZERO)
        with pytest.raises(BoardInUse, match="its outputs are on"):
            CrossbarBoard.open(resource)
        with CrossbarBoard.open(resource, take_over=True) as other:
            assert not served.crossbar.outputs_on
            with pytest.raises(BoardChanged, match="it has taken it over"):
                one.column_currents(ZERO)
            other.column_currents(ZERO)
            for disturb in (one.rest, lambda: one.column_currents(ZERO)):
                with pytest.raises(BoardChanged, match="it has taken it over"):
                    disturb()
            relay.cut()
            with pytest.raises(LinkLost):
                one.seconds()
            one.seconds()  # on a new connection, which claims nothing
            other.column_currents(ZERO)
            assert not one.close()  # not made safe: left to the other
            assert served.crossbar.outputs_on  # they are the other's
            other.column_currents(ZERO)
        assert not served.crossbar.outputs_on


def test_a_board_that_another_host_took_while_the_wire_was_down_is_left_to_it(served, resource):
    options = {"watchdog_seconds": 1.0, "timeout_seconds": 0.5}
    with running(Relay(resource)) as relay, CrossbarBoard.open(relay.resource, **options) as one:
        one.column_currents(ZERO)
        one.rest()
        with CrossbarBoard.open(resource, take_over=True) as other:
            relay.cut()
            with pytest.raises(BoardChanged, match="it has taken it over"):
                one.seconds()
            assert not one.recovery
            other.column_currents(ZERO)
            assert not one.close()
            assert served.crossbar.outputs_on
            other.column_currents(ZERO)


def test_a_session_of_its_own_that_died_without_a_word_is_waited_for(served, resource):
    """The cable was out: the board holds the first session for alive until it has been silent."""
    options = {"watchdog_seconds": 1.0, "timeout_seconds": 0.5}
    with running(Relay(resource)) as relay, CrossbarBoard.open(relay.resource, **options) as board:
        board.apply(np.ones(served.crossbar.pattern.shape, bool))
        expected = board.column_currents(ZERO)
        relay.cut(in_silence=True)
        np.testing.assert_allclose(board.column_currents(ZERO), expected, atol=1e-6)
        assert board.recovery == {"watchdog": 1}
        assert served.crossbar.pattern.all()


def test_ctrl_c_in_a_recovery_ends_off_though_an_old_session_seems_to_live(
    served, resource, at_message, is_safe
):
    main = threading.main_thread().ident
    at_message(served, b"*ESR?;:SYST:TIME?", 1, lambda: signal.pthread_kill(main, signal.SIGINT))
    with running(Relay(resource)) as relay, pytest.raises(KeyboardInterrupt):  # noqa: PT012, SIM117  (the state before matters)
        with CrossbarBoard.open(relay.resource) as board:
            board.apply(np.ones(served.crossbar.pattern.shape, bool))
            board.column_currents(ZERO)
            relay.cut(in_silence=True)
            board.column_currents(ZERO)
    assert is_safe(served)
    assert served.board.watchdog.seconds == 0


def test_an_idle_board_stays_as_it_is_for_longer_than_its_watchdog(served, resource):
    with CrossbarBoard.open(resource, watchdog_seconds=1.0) as board:
        board.apply(np.ones(served.crossbar.pattern.shape, bool))
        board.column_currents(ZERO)
        talked, operations = served.board.talked_seconds, served.crossbar.faults.operations
        time.sleep(2.2)
        assert served.crossbar.outputs_on
        assert served.board.talked_seconds == talked
        assert served.crossbar.faults.operations == operations
        board.column_currents(ZERO)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_host_that_is_frozen_or_dead_trips_the_watchdog(
    number, served, start, is_safe, at_message, until, tmp_path
):
    path = tmp_path / "bench.toml"
    path.write_text(path.read_text() + "watchdog_seconds = 2\n")
    runs, was_on = [], []

    def strike():
        was_on.append(served.crossbar.outputs_on)
        runs[0].send_signal(number)

    at_message(served, b":MEAS:SCAN?", 3, strike)
    runs.append(start("run", "--bench", "bench.toml", "--matrix", "random", "--out", "kept"))
    until(lambda: was_on and is_safe(served))
    assert was_on == [True]
    assert served.board.watchdog_fired
    # Nobody has to take over what is nobody's: a frozen host's session still lives.
    with CrossbarBoard.open(served.resources["board"]["socket"]) as next_host:
        next_host.column_currents(ZERO)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_slow_host_that_compiles_everything_trips_no_watchdog(
    served, start, start_environment, monkeypatch, tmp_path
):
    """Two seconds of watchdog, no compiled kernel, two busy loops beside it."""
    path = tmp_path / "bench.toml"
    path.write_text(path.read_text() + "watchdog_seconds = 2\n")
    monkeypatch.setitem(start_environment, "NUMBA_CACHE_DIR", str(tmp_path / "no kernels"))
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        run = start("run", "--bench", "bench.toml", "--matrix", "random", "--out", "kept")
        _, said = run.communicate(timeout=580)
    finally:
        for loop in busy:
            loop.kill()
            loop.wait()
    assert run.returncode == 0, said
    assert not served.crossbar.outputs_on
