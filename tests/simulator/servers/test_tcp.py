"""The TCP server over real sockets: every client gets its own answers, and none harms another."""

import asyncio
import gc
import os
import random
import socket
import struct
import threading
from contextlib import closing, contextmanager, suppress

import pytest

from simulator.scpi.blocks import encode_block
from simulator.scpi.framing import MAX_MESSAGE_BYTES
from simulator.servers import serve_tcp
from tests.simulator.servers.conftest import EchoSession
from tests.support.waiting import wait_until

SERVER_TASKS = 2
"""The server, and its waiting for the next host."""


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


def receive(connection, count):
    data = bytearray()
    while len(data) < count and (chunk := connection.recv(count - len(data))):
        data += chunk
    return bytes(data)


def receive_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        assert byte, f"closed after {line!r}"
        line += byte
    return line


def ask(connection, message):
    connection.sendall(message + b"\n")
    return receive_line(connection)


def vanish(connection):
    """Closes so that the peer gets a reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_answers_and_stays_silent_without_a_query(port):
    with client(port) as connection:
        assert ask(connection, b"*IDN?") == b"OHMSUM,ECHO,0,1.0\n"
        assert ask(connection, b"*ESE 4\r\n\n*ESE?\r") == b"4\n"


def test_block_of_a_megabyte_both_ways(port):
    payload = random.Random(1).randbytes(2**20)
    with client(port) as connection:
        connection.sendall(b"DATA " + encode_block(payload) + b"\nDATA?\n")
        answer = encode_block(payload) + b"\n"
        assert receive(connection, len(answer)) == answer


def test_sender_of_single_bytes(port):
    with client(port) as connection:
        for byte in b"DATA #214\n'\"#0;\n#19ab\r\n;DATA?\r\n":
            connection.sendall(bytes([byte]))
        answer = b"#214\n'\"#0;\n#19ab\r\n\n"
        assert receive(connection, len(answer)) == answer


def test_many_clients_at_once_each_get_their_own_answers(port, instrument):
    failures = []
    start = threading.Barrier(24)

    def talk(number):
        try:
            with client(port) as connection:
                start.wait(timeout=20)
                for turn in range(20):
                    mark = number * 1000 + turn
                    answer = ask(connection, b"MARK %d;FILL? %d;*OPC?" % (mark, number))
                    assert answer == encode_block(bytes(number)) + b";1\n"
        except Exception as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for number in range(24):
        own = [mark for mark in instrument.marks if mark // 1000 == number]
        assert own == [number * 1000 + turn for turn in range(20)]


def test_errors_are_of_the_session_that_made_them(port):
    with client(port) as one, client(port) as other:
        one.sendall(b"NONSENSE\n")
        assert ask(one, b"*OPC?") == b"1\n"
        assert ask(other, b"SYST:ERR?;*CLS") == b'0,"No error"\n'
        assert ask(one, b"SYST:ERR?").startswith(b"-113,")
        assert ask(one, b"SYST:ERR?") == b'0,"No error"\n'


def test_half_closed_connection_gets_all_its_answers(port):
    with client(port) as connection:
        connection.sendall(b"*IDN?\n*ESE?\n*OPC?")
        connection.shutdown(socket.SHUT_WR)
        expected = b"OHMSUM,ECHO,0,1.0\n0\n"
        assert receive(connection, 1000) == expected


@pytest.mark.parametrize("sent", [b"*ID", b"DATA #71000000abc", b"FILL? 30000000\n", b"'", b""])
def test_client_that_vanishes_harms_nobody(port, background, sent):
    idle_tasks = background.tasks()
    with client(port) as witness:
        for _ in range(5):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(sent)
            vanish(connection)
        assert ask(witness, b"*IDN?") == b"OHMSUM,ECHO,0,1.0\n"
        wait_until(lambda: background.tasks() == idle_tasks + 2)  # a session, and receiving ahead
        assert ask(witness, b"SYST:ERR:COUN?") == b"0\n"


def test_commands_of_a_client_that_vanishes_while_it_is_answered_are_carried_out(port, instrument):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"FILL? 60000000\nMARK 1\nFILL? 10\nMARK 2\n")
    connection.recv(1)  # the answer is under way, and far larger than what the kernel holds
    assert instrument.marks == []
    vanish(connection)
    wait_until(lambda: instrument.marks == [1, 2])


def test_slow_reader_is_waited_for_while_others_are_served(port, instrument):
    with client(port) as slow, client(port) as quick:
        slow.sendall(b"FILL? 30000000\nMARK 1;*OPC?\n")
        head = receive(slow, 10)
        for _ in range(50):
            assert ask(quick, b"*OPC?") == b"1\n"
        assert instrument.marks == []  # nothing more is executed than the host takes
        answer = encode_block(bytes(30_000_000)) + b"\n1\n"
        assert head + receive(slow, len(answer) - len(head)) == answer
        assert instrument.marks == [1]


def test_flooding_client_does_not_starve_the_others(port):
    stop = threading.Event()

    def flood():
        with client(port) as connection:
            while not stop.is_set():
                connection.sendall(b"*OPC\n" * 10_000)

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        with client(port) as connection:
            for _ in range(3):
                assert ask(connection, b"*IDN?") == b"OHMSUM,ECHO,0,1.0\n"
    finally:
        stop.set()
        flooding.join()


def test_overlong_message_is_refused_and_the_session_goes_on(port):
    with client(port) as connection:
        connection.sendall(b"DATA '" + bytes(MAX_MESSAGE_BYTES) + b"'\n")
        assert ask(connection, b"SYST:ERR?") == b'-363,"Input buffer overrun"\n'
        assert ask(connection, b"*IDN?;SYST:ERR?") == b'OHMSUM,ECHO,0,1.0;0,"No error"\n'


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="descriptors cannot be counted here")
def test_nothing_grows_when_clients_come_and_go(port, background):
    with client(port) as connection:
        ask(connection, b"*IDN?")
    wait_until(lambda: background.tasks() == SERVER_TASKS)
    descriptors = len(os.listdir("/dev/fd"))
    for _ in range(100):
        with client(port) as connection:
            ask(connection, b"*IDN?")
    wait_until(lambda: background.tasks() == SERVER_TASKS)
    assert len(os.listdir("/dev/fd")) == descriptors


def test_closing_ends_sessions_and_frees_the_port(background, instrument):
    server = background.run(serve_tcp(instrument))
    with client(server.port) as idle, client(server.port) as blocked:
        assert ask(idle, b"*OPC?") == b"1\n"
        blocked.sendall(b"FILL? 60000000\n")
        blocked.recv(1)
        background.run(server.close())
        assert idle.recv(1) == b""
    again = background.run(serve_tcp(instrument, port=server.port))
    assert again.port == server.port
    background.run(again.close())


def test_closing_at_once_leaves_nothing_open(background, instrument):
    async def open_and_close():
        server = await serve_tcp(instrument)
        await server.close()
        again = await serve_tcp(instrument, port=server.port)
        await again.close()
        await again.close()

    background.run(open_and_close())


def test_leaving_it_to_the_event_loop_leaves_nothing_open(instrument):
    async def serve():
        server = await serve_tcp(instrument)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"*OPC?\n")
        assert await reader.readline() == b"1\n"
        writer.close()
        await writer.wait_closed()

    asyncio.run(serve())


def test_fault_of_the_instrument_ends_only_the_session_that_met_it(
    background, instrument, caplog, monkeypatch
):
    session_steps = EchoSession.steps

    def steps(self, message):
        if message == b"FAULT":
            raise RuntimeError("on purpose")
        return session_steps(self, message)

    monkeypatch.setattr(EchoSession, "steps", steps)
    server = background.run(serve_tcp(instrument))
    with client(server.port) as one, client(server.port) as other:
        assert ask(other, b"*OPC?") == b"1\n"
        one.sendall(b"FAULT\n")
        assert one.recv(1) == b""
        assert ask(other, b"*OPC?") == b"1\n"
    background.run(server.close())
    assert "on purpose" in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_only_loopback_addresses_are_served(background, instrument, host):
    with pytest.raises(ValueError, match=r"loopback|IPv4"):
        background.run(serve_tcp(instrument, host=host))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_other_names_of_loopback(background, instrument, host):
    server = background.run(serve_tcp(instrument, host=host))
    address = "127.0.0.1" if host == "localhost" else host
    with closing(socket.create_connection((address, server.port), timeout=20)) as connection:
        assert ask(connection, b"*OPC?") == b"1\n"
    background.run(server.close())


def test_port_in_use_is_an_error(background, instrument):
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as taken,
        pytest.raises(OSError, match=r"address|10048"),
    ):
        background.run(serve_tcp(instrument, port=taken.getsockname()[1]))


def test_a_server_that_ends_as_a_host_connects_loses_no_connection(instrument):
    """Accepted in the very turn of the loop that cancels the server; unclosed, it would warn."""

    async def connect_and_end(turns):
        server = await serve_tcp(instrument)
        await asyncio.sleep(0)
        host = socket.socket()
        host.setblocking(False)
        host.connect_ex(("127.0.0.1", server.port))
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.close()
        return host

    for turns in range(6):
        host = asyncio.run(connect_and_end(turns))
        gc.collect()
        host.settimeout(20)
        with closing(host), suppress(ConnectionError):
            assert host.recv(1) == b""
