"""A bench is served as long as its context lasts, and watches over its board meanwhile."""

import gc
import os
import socket
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from simulator.bench import serve_bench
from tests.support.fault_plans import plan_of
from tests.support.simulated_boards import TINY, block, floats, scan_list
from tests.support.waiting import PATIENCE_SECONDS, wait_until


def connect(resource):
    """Open a `TCPIP::host::port::SOCKET` resource."""
    kind, host, port, what = resource.split("::")
    assert (kind, what) == ("TCPIP", "SOCKET")
    return closing(socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS))


def ask(connection, message):
    connection.sendall(message + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        received = connection.recv(4096)
        assert received
        answer += received
    return answer[:-1]


def bench_threads():
    return [thread for thread in threading.enumerate() if thread.name == "simulated bench"]


def test_board_answers_at_its_resource():
    with serve_bench(TINY, 12, ("socket",)) as bench:
        assert set(bench.resources) == {"board"}
        assert set(bench.resources["board"]) == {"socket"}
        with connect(bench.resources["board"]["socket"]) as connection:
            assert ask(connection, b"*IDN?") == b"OHMSUM,CROSSBAR 8x4,B000012,1.0"
            assert ask(connection, b"ROUT:PROB 2,1;:OUTP ON;*OPC?") == b"1"
        assert bench.crossbar.pattern[1, :, 0].all()
        assert bench.crossbar.outputs_on
    assert bench_threads() == []
    with pytest.raises(ConnectionRefusedError):
        connect(bench.resources["board"]["socket"])


@pytest.mark.parametrize("raised", [KeyboardInterrupt, RuntimeError])
def test_however_the_context_ends_nothing_is_left_behind(raised):
    with pytest.raises(raised), serve_bench(TINY, 1, ("socket",)):
        raise raised
    assert bench_threads() == []


def test_port_of_ones_own():
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with serve_bench(TINY, 1, ("socket",), port=port) as bench:
        assert bench.resources["board"]["socket"] == f"TCPIP::127.0.0.1::{port}::SOCKET"


def test_port_that_is_taken():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), serve_bench(TINY, 1, ("socket",), port=port):
            pass
    assert bench_threads() == []


def test_silent_host_loses_the_board_without_a_further_message():
    with (
        serve_bench(TINY, 1, ("socket",)) as bench,
        connect(bench.resources["board"]["socket"]) as connection,
    ):
        ask(connection, b"SYST:WATC 0.05;:ROUT:PROB 1,1;:OUTP ON;*OPC?")
        wait_until(lambda: not bench.crossbar.outputs_on)
        assert not bench.crossbar.pattern.any()
        assert ask(connection, b"SYST:ERR?").startswith(b"102,")


LONG_LIST = b"READ? 10000" + b";:READ? 10000" * 64
"""780 bytes that keep a board busy for many seconds."""


def test_a_long_list_of_one_host_keeps_no_watchdog_waiting_and_is_torn_by_it():
    with serve_bench(TINY, 1, ("socket",)) as bench:
        resource = bench.resources["board"]["socket"]
        with connect(resource) as owner, connect(resource) as busy:
            ask(owner, b"CURR:APER 0.01;:SYST:WATC 0.3;:ROUT:PROB 1,1;:OUTP ON;*OPC?")
            busy.sendall(LONG_LIST + b"\n")
            wait_until(lambda: not bench.crossbar.outputs_on)
            assert bench.crossbar.clock.seconds < 64 * 100  # in its middle
            assert ask(owner, b"SYST:ERR?").startswith(b"102,")


def test_closing_calls_off_a_long_list():
    with (
        serve_bench(TINY, 1, ("socket",)) as bench,
        connect(bench.resources["board"]["socket"]) as busy,
    ):
        busy.sendall(LONG_LIST + b"\n")
        wait_until(lambda: bench.crossbar.clock.seconds > 0)
    assert bench.crossbar.clock.seconds < 64 * 200


def test_closing_does_not_wait_for_real_time():
    with (
        serve_bench(TINY, 1, ("socket",), realtime=True) as bench,
        connect(bench.resources["board"]["socket"]) as patient,
    ):
        patient.sendall(b"CURR:APER 10;:READ? 100\n")
        wait_until(lambda: bench.crossbar.clock.seconds > 0)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert bench.crossbar.clock.seconds < 30


def test_the_watchdog_fires_in_the_middle_of_a_reading_in_real_time():
    with serve_bench(TINY, 1, ("socket",), realtime=True) as bench:
        resource = bench.resources["board"]["socket"]
        with connect(resource) as owner, connect(resource) as busy:
            ask(owner, b"SYST:WATC 0.3;:ROUT:PROB 1,1;:OUTP ON;*OPC?")
            began = time.monotonic()
            torn = ask(busy, b"CURR:APER 10;:READ?;:OUTP?;:SYST:ERR?")
            assert time.monotonic() - began < 10
            assert torn.startswith(b"0;102,")


def test_a_host_that_is_gone_feeds_nothing_however_much_it_has_sent():
    with serve_bench(TINY, 1, ("socket",)) as bench:
        resource = bench.resources["board"]["socket"]
        with connect(resource) as monitor:
            with connect(resource) as dead:
                ask(dead, b"SYST:WATC 0.3;:ROUT:PROB 1,1;:OUTP ON;*OPC?")
                dead.sendall(LONG_LIST + b"\n")
            wait_until(lambda: ask(monitor, b"*STB?;:SYST:WATC:OWN?;:OUTP?")[-5:] == b"NOB;0")


CLIENTS, ROUNDS = 20, 6
WORK = (
    b"*IDN?",
    b"OUTP ON;:ROUT:SCAN " + scan_list((1, 1, 0.5), (2, 2, -0.5)),
    b"MEAS:SCAN?;:MEAS:MVM? " + floats([[0.1, 0.2, 0.3]] * 4),
    b"DATA " + block(bytes(20_000)) + b";:ROUT:PATT?",
)


def work(resource, number):
    """Ask everything, then leave: every other one in the middle of a message."""
    with connect(resource) as connection:
        for message in WORK:
            connection.sendall(message + b";:SYST:BOAR:SHAP?\n")
            answer = b""
            while not answer.endswith(b"3,5,2\n"):
                answer += connection.recv(2**20)
        if number % 2:
            connection.sendall(b"ROUT:PATT #9000001000abc")


def descriptors():
    return len(os.listdir("/dev/fd"))


GOING_WRONG = (
    {"kind": "intermittent", "row": 1, "mean_closed_seconds": 1.0, "mean_open_seconds": 1.0},
    {"kind": "reply_delayed", "delay_seconds": 0.001, "probability": 0.2},
)


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="descriptors cannot be counted here")
@pytest.mark.parametrize("faults", [(), GOING_WRONG], ids=["sound", "faulty"])
def test_nothing_grows_when_twenty_clients_at_once_come_work_and_go(faults):
    with (
        serve_bench(TINY, 1, ("socket", "serial"), faults=plan_of(*faults)) as bench,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        resource = bench.resources["board"]["socket"]
        before, held_bytes = descriptors(), []
        tracemalloc.start()
        for _ in range(ROUNDS):
            list(clients.map(work, [resource] * CLIENTS, range(CLIENTS)))
            wait_until(lambda: descriptors() <= before)  # every session closes its own at its end
            gc.collect()
            held_bytes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    answered = CLIENTS * len(WORK)
    assert bench.crossbar.faults.operations == ROUNDS * answered
    assert held_bytes[-1] - held_bytes[2] < 100 * answered * (ROUNDS - 3)
