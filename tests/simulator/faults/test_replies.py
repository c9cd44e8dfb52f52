"""Faults of the wire, seen by a plain socket and a plain serial port."""

import os
import select
import socket
import tty
from contextlib import closing, contextmanager

import pytest

from simulator.bench import serve_bench
from tests.support.fault_plans import plan_of
from tests.support.simulated_boards import TINY
from tests.support.waiting import PATIENCE_SECONDS, wait_until

REPLY = b"3,5,2\n"
ASK = b"SYST:BOAR:SHAP?\n"


@contextmanager
def connected(bench):
    _, host, port, _ = bench.resources["board"]["socket"].split("::")
    with closing(socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)) as wire:
        yield wire


@contextmanager
def served(*faults):
    with (
        serve_bench(TINY, 1, ("socket",), faults=plan_of(*faults)) as bench,
        connected(bench) as wire,
    ):
        yield bench, wire


def receive(wire, count):
    data = b""
    while len(data) < count and (chunk := wire.recv(count - len(data))):
        data += chunk
    return data


def is_silent(wire):
    return not select.select([wire], [], [], 0.05)[0]


def read_line(port):
    line = b""
    while not line.endswith(b"\n"):
        assert select.select([port], [], [], PATIENCE_SECONDS)[0], line
        line += os.read(port, 100)
    return line


def asked(wire):
    wire.sendall(ASK)
    return receive(wire, len(REPLY))


@pytest.mark.parametrize(
    "fault", [{"kind": "reply_dropped"}, {"kind": "reply_delayed", "delay_seconds": 60.0}]
)
def test_a_reply_that_does_not_come(fault):
    with served(fault | {"at_operation": 2}) as (bench, wire):
        assert asked(wire) == REPLY
        wire.sendall(b"SOUR1 0.5;*OPC?\n")
        assert is_silent(wire)
        with connected(bench) as other:
            other.sendall(b"SOUR1?\n")  # carried out all the same
            assert receive(other, 7) == b"5.0E-1\n"


def test_a_late_reply_comes_before_what_is_behind_it_and_holds_up_no_other_host():
    late = {"kind": "reply_delayed", "delay_seconds": 0.3, "at_operation": 1}
    with served(late) as (bench, wire):
        wire.sendall(ASK + b"*OPC?\n")
        with connected(bench) as other:
            assert asked(other) == REPLY
            assert is_silent(wire)
        assert receive(wire, len(REPLY) + 2) == REPLY + b"1\n"


def test_a_torn_reply():
    with served({"kind": "reply_torn", "at_operation": 1}) as (_, wire):
        wire.sendall(ASK)
        part = wire.recv(100)
        assert REPLY.startswith(part)
        assert len(part) < len(REPLY)
        assert is_silent(wire)
    torn = {"kind": "reply_torn", "at_operation": 1, "delay_seconds": 0.2}
    with served(torn) as (_, wire):
        wire.sendall(ASK)
        part = wire.recv(100)
        assert 0 < len(part) < len(REPLY)
        assert is_silent(wire)
        assert part + receive(wire, len(REPLY) - len(part)) == REPLY


def test_a_garbled_reply_begins_with_what_is_no_ascii_and_ends_as_it_should():
    with served({"kind": "reply_garbled", "probability": 1.0}) as (_, wire):
        lengths = set()
        for _ in range(40):
            said = asked(wire)
            garbage = sum(byte >= 0x80 for byte in said)
            assert all(byte >= 0x80 for byte in said[:garbage])
            assert said[garbage:] == REPLY[garbage:]
            lengths.add(garbage)
        assert lengths == set(range(1, len(REPLY)))


def test_a_reply_that_comes_twice():
    with served({"kind": "reply_duplicated", "at_operation": 2}) as (_, wire):
        assert asked(wire) == REPLY
        wire.sendall(ASK)
        assert receive(wire, 2 * len(REPLY)) == 2 * REPLY
        assert asked(wire) == REPLY
        assert is_silent(wire)


def test_a_connection_that_is_reset_and_another_that_is_not():
    with served({"kind": "connection_reset", "at_operation": 2}) as (bench, wire):
        with connected(bench) as other:
            assert asked(other) == REPLY
            wire.sendall(ASK)
            with pytest.raises(ConnectionResetError):
                wire.recv(1)
            assert asked(other) == REPLY
        with connected(bench) as again:
            assert asked(again) == REPLY


def test_every_connection_is_reset_when_the_power_fails():
    with served({"kind": "power_cycle", "at_operation": 3}) as (bench, wire):
        assert asked(wire) == REPLY
        with connected(bench) as other:
            assert asked(other) == REPLY
            wire.sendall(ASK + b"SOUR1 0.5\n")
            for one in (wire, other):
                with pytest.raises(ConnectionResetError):
                    one.recv(1)
        with connected(bench) as again:
            again.sendall(b"*ESR?;:SOUR1?\n")  # what was received behind it is lost
            assert receive(again, 11) == b"128;0.0E+0\n"


def test_a_serial_port_stays_open_and_silent_when_the_power_fails():
    plan = plan_of({"kind": "power_cycle", "at_operation": 3})
    with serve_bench(TINY, 1, ("socket", "serial"), faults=plan) as bench:
        path = bench.resources["board"]["serial"].removeprefix("ASRL").removesuffix("::INSTR")
        port = os.open(path, os.O_RDWR | os.O_NOCTTY)
        try:
            tty.setraw(port)
            os.write(port, ASK)
            assert read_line(port) == REPLY
            os.write(port, b"*OPC?\nROUT:PATT #14")  # and half a block, taken in with the answer
            assert read_line(port) == b"1\n"
            with connected(bench) as other:
                other.sendall(ASK)
                with pytest.raises(ConnectionResetError):
                    other.recv(1)
            assert is_silent(port)
            os.write(port, b"*ESR?\n")
            assert read_line(port) == b"128\n"  # of the half block nothing is left
        finally:
            os.close(port)


def which(*faults, replies=30, keep_alives=0):
    """Whether each of so many replies was dropped, with keep-alives of another host between."""
    with served(*faults) as (bench, wire), connected(bench) as other:
        for _ in range(replies):
            wire.sendall(ASK)
            for _ in range(keep_alives):
                other.sendall(b"SYST:WATC:FEED?\n")
                assert receive(other, 2) == b"0\n"
        wire.sendall(b"*OPC?\n")
        wait_until(lambda: bench.crossbar.faults.operations > replies)
        struck = {operation for _, operation in bench.crossbar.faults.strikes[-1].listed}
        return [number + 1 in struck for number in range(replies)]


def test_probability_is_of_every_reply_within_the_span():
    half = {"kind": "reply_dropped", "probability": 0.5}
    struck = which(half | {"at_operation": 11, "until_operation": 161}, replies=200)
    assert not any(struck[:10])
    assert not any(struck[160:])
    assert 45 < sum(struck) < 105
    assert which(half | {"at_operation": 11, "until_operation": 161}, replies=200) == struck


def test_chance_of_one_fault_does_not_shift_that_of_another():
    half = {"kind": "reply_dropped", "probability": 0.5}
    alone = which(half)
    beside = which({"kind": "reply_duplicated", "at_operation": 7}, half)
    assert 5 < sum(alone) < 25
    assert beside == [drop and number != 6 for number, drop in enumerate(alone)]


def test_every_so_many_operations():
    fault = {"kind": "reply_dropped", "at_operation": 3, "every_operations": 10}
    assert [number for number, drop in enumerate(which(fault), 1) if drop] == [3, 13, 23]


def test_once_where_no_chance_is_given():
    assert [n for n, drop in enumerate(which({"kind": "reply_dropped"}), 1) if drop] == [1]


def test_keep_alives_meet_no_fault_and_shift_no_chance():
    """How many there are depends on the wall, and what befalls the others must not."""
    half = {"kind": "reply_dropped", "probability": 0.5}
    assert which(half, keep_alives=3) == which(half)
