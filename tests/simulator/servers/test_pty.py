"""The pseudo-terminal server, opened as a host opens a serial port."""

import os
import random
import select
import sys
import threading
from contextlib import contextmanager

import pytest

from simulator.scpi.blocks import encode_block
from simulator.servers import PtyUnavailableError, serve_pty
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")


@pytest.fixture
def server(background, instrument):
    server = background.run(serve_pty(instrument))
    yield server
    background.run(server.close())


@contextmanager
def client(server):
    """A host that changes none of the terminal's settings: raw is the server's business."""
    descriptor = os.open(server.path, os.O_RDWR | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def send(descriptor, data):
    while data:
        data = data[os.write(descriptor, data) :]


def receive(descriptor, count):
    data = bytearray()
    while len(data) < count:
        readable, _, _ = select.select([descriptor], [], [], 20)
        assert readable, f"silent after {len(data)} bytes"
        data += os.read(descriptor, count - len(data))
    return bytes(data)


def ask(descriptor, message):
    send(descriptor, message + b"\n")
    line = b""
    while not line.endswith(b"\n"):
        line += receive(descriptor, 1)
    return line


def test_answers(server):
    with client(server) as descriptor:
        assert ask(descriptor, b"*IDN?") == b"OHMSUM,ECHO,0,1.0\n"
        assert ask(descriptor, b"*ESE 4;*ESE?") == b"4\n"


def test_every_byte_passes_unchanged(server):
    payload = bytes(range(256)) * 3
    with client(server) as descriptor:
        send(descriptor, b"DATA " + encode_block(payload) + b"\r\nDATA?\r\n")
        answer = encode_block(payload) + b"\n"
        assert receive(descriptor, len(answer)) == answer


def test_block_of_a_megabyte_both_ways(server):
    payload = random.Random(1).randbytes(2**20)
    with client(server) as descriptor:
        send(descriptor, b"DATA " + encode_block(payload) + b"\n")
        send(descriptor, b"DATA?\n")
        answer = encode_block(payload) + b"\n"
        assert receive(descriptor, len(answer)) == answer


def test_sender_of_single_bytes(server):
    with client(server) as descriptor:
        for byte in b"DATA #214\n'\"#0;\n#19ab\r\n;DATA?\r\n":
            send(descriptor, bytes([byte]))
        answer = b"#214\n'\"#0;\n#19ab\r\n\n"
        assert receive(descriptor, len(answer)) == answer


def test_host_closes_and_opens_again(server):
    for mark in range(20):
        with client(server) as descriptor:
            assert ask(descriptor, b"*ESE %d;*ESE?" % mark) == b"%d\n" % mark


def test_commands_sent_before_closing_are_carried_out(server, instrument):
    with client(server) as descriptor:
        send(descriptor, b"MARK 1\nMARK 2\n")
    wait_until(lambda: instrument.marks == [1, 2])


def test_host_that_went_away_in_the_middle_of_an_answer_can_come_back(server, instrument):
    with client(server) as descriptor:
        send(descriptor, b"FILL? 1000000\n")
        receive(descriptor, 5000)
    with client(server) as descriptor:
        send(descriptor, b"*ESE 77;*ESE?\n")
        answered = b""
        while not answered.endswith(b"77\n"):  # drains what was meant for the one before
            answered += (
                receive(descriptor, 1) if len(answered) > 990_000 else os.read(descriptor, 4096)
            )
        assert ask(descriptor, b"*IDN?") == b"OHMSUM,ECHO,0,1.0\n"


def test_host_that_does_not_read_is_waited_for(server, instrument, background):
    with client(server) as descriptor:
        send(descriptor, b"FILL? 2000000\nMARK 1;*OPC?\n")
        head = receive(descriptor, 10)
        assert background.tasks() == 2  # the session, and what it receives ahead
        assert instrument.marks == []
        answer = encode_block(bytes(2_000_000)) + b"\n1\n"
        assert head + receive(descriptor, len(answer) - len(head)) == answer


def test_instruments_on_several_lines_answer_at_once(background, instrument):
    servers = [background.run(serve_pty(instrument)) for _ in range(20)]
    failures = []

    def talk(server, number):
        try:
            with client(server) as descriptor:
                for _ in range(10):
                    answer = encode_block(bytes(number)) + b"\n"
                    send(descriptor, b"FILL? %d\n" % number)
                    assert receive(descriptor, len(answer)) == answer
        except Exception as error:
            failures.append(error)
            raise

    threads = [
        threading.Thread(target=talk, args=(server, number))
        for number, server in enumerate(servers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        background.run(server.close())
    assert failures == []


def test_closing_hangs_up_even_in_the_middle_of_an_answer(background, instrument):
    server = background.run(serve_pty(instrument))
    with client(server) as descriptor:
        send(descriptor, b"FILL? 2000000\n")
        receive(descriptor, 10)
        background.run(server.close())
        with pytest.raises(OSError, match="Input/output error"):
            send(descriptor, b"*IDN?\n")
    assert not os.path.exists(server.path)


def test_opening_and_closing_leaves_no_descriptor_behind(background, instrument):
    async def open_and_close():
        server = await serve_pty(instrument)
        await server.close()

    background.run(open_and_close())
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        background.run(open_and_close())
    assert len(os.listdir("/dev/fd")) == before


def test_platform_without_pseudo_terminals_says_so(background, instrument, monkeypatch):
    monkeypatch.setattr("simulator.servers.pty.sys.platform", "win32")
    with pytest.raises(PtyUnavailableError, match=r"^no pseudo-terminals .*: use the TCP link$"):
        background.run(serve_pty(instrument))
