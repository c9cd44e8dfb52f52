"""Many hosts on one instrument: turns, wires that live during long work, a limit of sessions."""

import asyncio
import socket
import struct
import time
from contextlib import ExitStack, closing, contextmanager

import pytest

from simulator.servers import serve_tcp
from tests.support.waiting import wait_until

BUSY = b"WORK? 400"
"""Some 0.4 s of work, in steps."""


@pytest.fixture
def port(background, instrument):
    server = background.run(serve_tcp(instrument))
    yield server.port
    background.run(server.close())


@contextmanager
def client(port):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def ask(connection, message):
    connection.sendall(message + b"\n")
    line = b""
    while not line.endswith(b"\n"):
        received = connection.recv(4096)
        assert received, f"closed after {line!r}"
        line += received
    return line


def test_who_sends_one_message_waits_for_one_message_of_each_other_host(port, instrument):
    floods, each = 20, 500
    with ExitStack() as stack:
        busy, late, *flooding = (stack.enter_context(client(port)) for _ in range(floods + 2))
        busy.sendall(BUSY + b"\n")  # so that all the others have sent before any has its turn
        wait_until(lambda: instrument.steps_done > 0)
        for connection in flooding:
            connection.sendall(b"MARK 1\n" * each)
        wait_until(
            lambda: sum(session.events == ["came"] for session in instrument.sessions) > floods
        )
        late.sendall(b"MARK 2\n")
        wait_until(lambda: len(instrument.marks) == floods * each + 1)
    assert instrument.marks.index(2) <= 2 * floods


def test_the_loop_lives_while_a_long_message_is_executed(port, background, instrument):
    with client(port) as busy:
        busy.sendall(b"WORK? 1000000\n")
        wait_until(lambda: instrument.steps_done > 0)
        for _ in range(5):
            background.run(asyncio.sleep(0))
        done = instrument.steps_done
        wait_until(lambda: instrument.steps_done > done)  # and it goes on


def test_a_message_is_executed_whole_before_anothers(port, instrument):
    with client(port) as one, client(port) as other:
        one.sendall(b"MARK 1;WORK? 50;MARK 2;WORK? 50;MARK 3\n")
        wait_until(lambda: instrument.steps_done > 0)
        assert ask(other, b"MARK 4;*OPC?") == b"1\n"
    assert instrument.marks == [1, 2, 3, 4]


def test_where_a_message_lets_others_go_first_they_do(port, instrument):
    with client(port) as one, client(port) as other:
        one.sendall(b"MARK 1;WORK? 200;:REST?;:MARK 2;*OPC?\n")
        wait_until(lambda: instrument.steps_done > 0)
        assert ask(other, b"MARK 3;*OPC?") == b"1\n"
        wait_until(lambda: len(instrument.marks) == 3)
    assert instrument.marks == [1, 3, 2]


def test_what_disturbs_nobody_does_not_wait_for_a_turn(port, instrument):
    """Nor behind those who do, where one has just finished and the next has not begun."""
    works, each_steps, questions = 20, 50, 40
    with ExitStack() as stack:
        other, *working = (stack.enter_context(client(port)) for _ in range(works + 1))
        for connection in working:
            connection.sendall(b"WORK? %d\n" % each_steps * 10)
        wait_until(lambda: instrument.steps_done > 0)
        for _ in range(questions):
            before = instrument.steps_done
            assert ask(other, b"*IDN?") == b"OHMSUM,ECHO,0,1.0\n"
            assert instrument.steps_done - before < works * each_steps / 2


def test_closing_calls_off_what_is_under_way(background, instrument):
    server = background.run(serve_tcp(instrument))
    with client(server.port) as busy, client(server.port) as waiting:
        busy.sendall(b"WORK? 1000000;:MARK 1\n")
        waiting.sendall(b"MARK 2\n")
        wait_until(lambda: instrument.steps_done > 0)
        background.run(server.close())
        assert busy.recv(1) == waiting.recv(1) == b""
    assert instrument.marks == []
    assert not instrument.turn.locked()


def test_a_host_that_goes_is_noticed_while_its_message_is_executed(port, instrument):
    with client(port) as connection:
        connection.sendall(BUSY + b"\n")
        wait_until(lambda: instrument.steps_done > 0)
        (session,) = instrument.sessions
    wait_until(lambda: "done" in session.events)
    assert session.events[:3] == ["came", "end", "done"]


def test_a_host_that_sends_no_more_is_answered_all_the_same(port, instrument):
    with client(port) as connection:
        connection.sendall(b"WORK? 30\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b"30\n"
        assert connection.recv(100) == b""


def test_guests_beyond_the_limit_are_shown_out_at_once(background, instrument):
    server = background.run(serve_tcp(instrument, max_sessions=3))
    with ExitStack() as stack:
        guests = [stack.enter_context(client(server.port)) for _ in range(3)]
        assert [ask(guest, b"*OPC?") for guest in guests] == [b"1\n"] * 3
        for _ in range(5):
            with client(server.port) as refused:
                assert refused.recv(1) == b""
        assert ask(guests[0], b"*OPC?") == b"1\n"
        guests[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        guests[1].close()
        wait_until(lambda: len(instrument.sessions) == 2)
        with client(server.port) as welcome:
            assert ask(welcome, b"*OPC?") == b"1\n"
    background.run(server.close())


def test_what_is_owed_to_the_wall_is_slept_and_can_be_called_off(background, instrument):
    server = background.run(serve_tcp(instrument))
    with client(server.port) as connection:
        began = time.monotonic()
        assert ask(connection, b"WAIT? 0.05") == b"1\n"
        assert time.monotonic() - began >= 0.05
        connection.sendall(b"WAIT? 3600\n")
        background.run(server.close())
        assert connection.recv(1) == b""
