"""Nothing that a host sends kills the board, and it always is what it was told to be."""

import zlib
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.support.simulated_boards import (
    ask,
    block,
    errors,
    floats,
    floats_of,
    on_the_wire,
    payload,
    scan_list,
)

ROWS, COLUMNS, BRANCHES = 3, 5, 2
SIZE = ROWS, COLUMNS, BRANCHES
BITS = ROWS * COLUMNS * BRANCHES
RANGES = [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]
DOCUMENTED = {
    *(-101, -102, -103, -104, -108, -109, -110, -112, -113, -114, -120, -131, -141, -151, -161),
    *(-222, -223, -350, 101, 102, 103, 104),
}

headers = st.sampled_from(
    b"*IDN? *RST *CLS *OPC *OPC? *WAI *ESE *ESE? *ESR? *SRE *SRE? *STB? *TST? "
    b"SYST:ERR? SYST:ERR:COUN? SYST:VERS? SYST:TIME? SYST:LFR? SYST:BOAR:SHAP? "
    b"SYST:BOAR:NOM? SYST:WATC SYST:WATC? OUTP OUTP? OUTP:INT? SOUR1 SOUR2? SOUR4 "
    b"SOUR:VOLT:ALL SOUR:VOLT:ALL? SOUR:VOLT:RANG? ROUT:OPEN:ALL ROUT:PROB ROUT:CLOS "
    b"ROUT:OPEN ROUT:CLOS? ROUT:PATT ROUT:PATT? ROUT:PATT:CRC? CURR:RANG CURR:RANG? "
    b"CURR:RANG:CAT? CURR:APER CURR:APER? CURR:NPLC CURR:NPLC? TRIG:DEL TRIG:DEL? "
    b"READ? MEAS:MVM? ROUT:SCAN ROUT:SCAN:POIN? MEAS:SCAN? STAT:QUES? STAT:QUES:ENAB "
    b"STAT:PRES STAT:OPER:COND? NONSENSE ROUT APER? "
    b"SYST:BOAR:PROT? SYST:BOAR:CONV? SYST:WATC:OWN? SYST:WATC:FEED?".split()
)
payloads = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([0.0, 0.5, -1.0, 1.5, float("nan")]), max_size=7).map(
        lambda values: np.array(values, "<f4").tobytes()
    ),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.just(0.5)), max_size=4).map(
        lambda points: payload(scan_list(*points))
    ),
    st.just(bytes(4)),
)
parameters = st.one_of(
    st.sampled_from(
        b"0 1 2 3 4 99 -1 0.5 1E-3 1.5 1E999 -1E400 #H1F #Q7 #B101 #H MIN MAX DEF ON OFF 20MS "
        b"3 UA NAN INF 'text' \"open #0 #9 #15abc 558161692".split()
    ),
    st.floats().map(lambda value: repr(value).encode()),
    st.integers().map(lambda value: b"%d" % value),
    payloads.map(block),
    st.binary(max_size=6),
)
units = st.tuples(st.sampled_from([b"", b":"]), headers, st.lists(parameters, max_size=4)).map(
    lambda unit: unit[0] + unit[1] + b" " + b",".join(unit[2])
)
messages = st.lists(units, min_size=1, max_size=5).map(b";".join)


@st.composite
def torn(draw):
    """A message with bytes lost, doubled or changed."""
    message = bytearray(draw(messages))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(message)))
        match draw(st.integers(0, 2)):
            case 0:
                del message[at : at + draw(st.integers(1, 5))]
            case 1:
                message[at:at] = draw(st.binary(min_size=1, max_size=3))
            case 2:
                message = message[:at]
    return bytes(message)


def assert_alive(board):
    reported = errors(board)
    assert set(reported) <= DOCUMENTED
    assert ask(board, b"*IDN?;:SYST:BOAR:SHAP?") == b"OHMSUM,CROSSBAR 8x4,B000004,1.0;3,5,2"
    assert len(payload(ask(board, b"ROUT:PATT?"))) == 4
    volts = floats_of(ask(board, b"SOUR:VOLT:ALL?"))
    assert (np.abs(volts) <= 1).all()
    assert np.isfinite(volts).all()


@settings(deadline=None, max_examples=200)
@given(st.lists(messages, min_size=1, max_size=4))
def test_well_formed_messages_are_carried_out_or_refused(sent):
    board = on_the_wire()
    for message in sent:
        answer = board.execute(message)
        assert answer == b"" or answer.endswith(b"\n")
    assert_alive(board)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(torn(), st.binary(max_size=80)), min_size=1, max_size=4))
def test_nothing_that_arrives_kills_the_board(sent):
    board = on_the_wire()
    for message in sent:
        board.execute(message)
    assert_alive(board)


@settings(deadline=None, max_examples=60)
@given(st.lists(messages, min_size=1, max_size=6))
def test_same_seed_same_messages_same_bytes(sent):
    with patch("simulator.watchdog.time", SimpleNamespace(monotonic=lambda: 0.0)):  # no watchdog
        one, again = on_the_wire(), on_the_wire()
        for message in sent:
            assert one.execute(message) == again.execute(message)


def test_another_seed_is_another_board():
    session = b"OUTP ON;:ROUT:PROB 1,1;:SOUR1 0.9;:CURR:RANG 3E-5;:READ? 3"
    assert ask(on_the_wire(seed=1), session) == ask(on_the_wire(seed=1), session)
    assert ask(on_the_wire(seed=1), session) != ask(on_the_wire(seed=2), session)


numbers_of_switches = st.tuples(*(st.integers(1, side) for side in SIZE))
volts = st.floats(-1, 1, width=32)


def held(asked):
    return np.clip(np.rint(np.asarray(asked) * 2**15), -(2**15), 2**15 - 1) / 2**15


class Board(RuleBasedStateMachine):
    """A board beside the simplest model of one."""

    def __init__(self):
        super().__init__()
        self.board = on_the_wire()
        self.power_on()
        self.interlock_closed = True
        self.expected_errors = []

    def power_on(self):
        self.outputs_on = False
        self.pattern = np.zeros(SIZE, dtype=bool)
        self.volts = np.zeros(ROWS)
        self.range_amperes, self.aperture_seconds, self.delay_seconds = 1e-2, 0.02, 1e-3
        self.points = []

    def send(self, message, *refused):
        self.expected_errors += refused
        return self.board.execute(message)

    @rule()
    def reset(self):
        self.send(b"*RST")
        self.power_on()

    @rule(on=st.booleans())
    def switch_outputs(self, on):
        if on and not self.interlock_closed:
            self.send(b"OUTP ON", 101)
        else:
            self.send(b"OUTP %d" % on)
            self.outputs_on = on

    @rule(closed=st.booleans())
    def move_the_lid(self, closed):
        self.board.set_interlock(closed)
        self.interlock_closed = closed
        if not closed:
            self.outputs_on = False
            self.pattern[:] = False

    @rule(at=numbers_of_switches, closed=st.booleans())
    def switch(self, at, closed):
        self.send(b"ROUT:%s %d,%d,%d" % (b"CLOS" if closed else b"OPEN", *at))
        self.pattern[tuple(number - 1 for number in at)] = closed

    @rule()
    def open_all(self):
        self.send(b"ROUT:OPEN:ALL")
        self.pattern[:] = False

    @rule(row=st.integers(1, ROWS), branch=st.integers(0, BRANCHES))
    def probe(self, row, branch):
        self.send(b"ROUT:PROB %d,%d" % (row, branch))
        self.pattern[:] = False
        if branch:
            self.pattern[row - 1, :, branch - 1] = True

    @rule(bits=st.integers(0, 2**BITS - 1), spoilt=st.booleans())
    def set_pattern(self, bits, spoilt):
        packed = (bits << 2).to_bytes(4, "big")
        message = b"ROUT:PATT " + block(packed) + b",%d" % (zlib.crc32(packed) ^ spoilt)
        if spoilt:
            self.send(message, 103)
        else:
            self.send(message)
            self.pattern = np.array([int(bit) for bit in f"{bits:030b}"], bool).reshape(SIZE)

    @rule(row=st.integers(1, ROWS + 1), level=st.floats(-1.5, 1.5))
    def set_row(self, row, level):
        message = b"SOUR%d %r" % (row, level)
        if row > ROWS:
            self.send(message, -114)
        elif abs(level) > 1:
            self.send(message, -222)
        else:
            self.send(message)
            self.volts[row - 1] = held(level)

    @rule(levels=st.lists(volts, min_size=ROWS, max_size=ROWS))
    def set_rows(self, levels):
        self.send(b"SOUR:VOLT:ALL " + floats(levels))
        self.volts = held(levels)

    @rule(
        level=st.sampled_from([0, 1e-6, 2e-6, 5e-5, 1e-2]),
        aperture_seconds=st.floats(1e-5, 10),
        delay_seconds=st.floats(0, 10),
    )
    def configure(self, level, aperture_seconds, delay_seconds):
        self.send(b"CURR:RANG %r;APER %r;:TRIG:DEL %r" % (level, aperture_seconds, delay_seconds))
        self.range_amperes = min(value for value in RANGES if value >= level)
        self.aperture_seconds, self.delay_seconds = aperture_seconds, delay_seconds

    @rule(
        points=st.lists(
            st.tuples(st.integers(1, ROWS), st.integers(0, BRANCHES + 1), volts), max_size=4
        )
    )
    def store_scan(self, points):
        message = b"ROUT:SCAN " + scan_list(*points)
        if any(branch > BRANCHES for _, branch, _ in points):
            self.send(message, -222)
        else:
            self.send(message)
            self.points = points

    @rule(readings=st.integers(1, 3))
    def scan(self, readings):
        message = b"MEAS:SCAN? %d" % readings
        if not self.outputs_on:
            self.send(message, 104)
            return
        answer = floats_of(self.send(message)[:-1])
        assert len(answer) == len(self.points) * readings * COLUMNS
        self.pattern[:] = False
        self.volts[:] = 0

    @rule(vectors=st.lists(st.tuples(volts, volts, volts), min_size=1, max_size=5))
    def multiply(self, vectors):
        message = b"MEAS:MVM? " + floats(vectors)
        if not self.outputs_on:
            self.send(message, 104)
            return
        assert len(floats_of(self.send(message)[:-1])) == len(vectors) * COLUMNS
        self.volts[:] = 0

    @rule(count=st.integers(1, 3))
    def read(self, count):
        before = float(ask(self.board, b"SYST:TIME?"))
        assert len(floats_of(self.send(b"READ? %d" % count)[:-1])) == count * COLUMNS
        spent = float(ask(self.board, b"SYST:TIME?")) - before
        apertures = count * self.aperture_seconds
        rounding = 1e-9 * (1 + before)
        assert apertures - rounding <= spent <= apertures + self.delay_seconds + rounding

    @invariant()
    def reads_back_what_it_was_told(self):
        packed = np.packbits(self.pattern).tobytes()
        board = self.board
        assert payload(ask(board, b"ROUT:PATT?")) == packed
        assert int(ask(board, b"ROUT:PATT:CRC?")) == zlib.crc32(packed)
        assert floats_of(ask(board, b"SOUR:VOLT:ALL?")).tolist() == self.volts.tolist()
        states = ask(board, b"OUTP?;:OUTP:INT?;:ROUT:SCAN:POIN?")
        expected = self.outputs_on, self.interlock_closed, len(self.points)
        assert states == b"%d;%d;%d" % expected
        settled = ask(board, b"CURR:RANG?;APER?;:TRIG:DEL?").split(b";")
        expected_settings = self.range_amperes, self.aperture_seconds, self.delay_seconds
        assert [float(text) for text in settled] == pytest.approx(expected_settings, rel=1e-14)
        assert errors(board) == self.expected_errors
        self.expected_errors.clear()


Board.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=30)
TestBoard = Board.TestCase


class Hosts(RuleBasedStateMachine):
    """Several hosts of one board, their errors and its watchdog, beside the simplest model."""

    hosts = Bundle("hosts")

    def __init__(self):
        super().__init__()
        self.wall_seconds = 0.0
        wall = SimpleNamespace(monotonic=lambda: self.wall_seconds)
        self.patch = patch("simulator.watchdog.time", wall)
        self.patch.start()
        self.observer = on_the_wire()
        self.observer.session.end()
        self.queues = {self.observer: []}
        self.owner, self.interval, self.fed_at = None, 0.0, 0.0
        self.outputs_on = self.fired = False

    def teardown(self):
        self.patch.stop()

    def look_at_the_watchdog(self):
        silence = self.wall_seconds - self.fed_at
        if self.interval and self.outputs_on and silence > self.interval:
            self.outputs_on, self.fired = False, True
            for queue in self.queues.values():
                queue.append(102)

    def send(self, host, message):
        self.look_at_the_watchdog()
        answer = host.execute(message)
        if host is self.owner:
            self.fed_at = self.wall_seconds
        return answer

    @rule(target=hosts)
    def come(self):
        host = self.observer.another()
        self.queues[host] = []
        return host

    @rule(host=consumes(hosts))
    def go(self, host):
        host.session.close()
        del self.queues[host]

    @rule(seconds=st.sampled_from([1.0, 3.0, 7.0]))
    def time_passes(self, seconds):
        self.wall_seconds += seconds

    @rule()
    def board_looks(self):
        self.look_at_the_watchdog()
        self.observer.watch()

    @rule(host=hosts, seconds=st.sampled_from([0, 2, 5, 60]))
    def arm(self, host, seconds):
        self.send(host, b"SYST:WATC %d" % seconds)
        self.owner, self.interval = (host, seconds) if seconds else (None, 0)
        self.fed_at = self.wall_seconds

    @rule(host=hosts)
    def reset(self, host):
        self.send(host, b"*RST")
        self.owner, self.interval, self.outputs_on = None, 0, False

    @rule(host=hosts, on=st.booleans())
    def switch_outputs(self, host, on):
        self.send(host, b"OUTP %d" % on)
        self.outputs_on, self.fired = on, self.fired and not on

    @rule(host=hosts)
    def measure(self, host):
        answer = self.send(host, b"MEAS:MVM? " + floats([0.1, 0.2, 0.3]))
        assert bool(answer) == self.outputs_on
        if not answer:
            self.queues[host].append(104)

    @rule(host=hosts)
    def feed(self, host):
        answer = self.send(host, b"SYST:WATC:FEED?")
        assert answer == b"%d\n" % (host is self.owner and not self.fired)

    @rule(host=hosts)
    def ask_for_the_owner(self, host):
        expected = b"NOB"
        if self.owner in self.queues:
            silent = self.wall_seconds - self.fed_at > self.interval
            expected = b"OWN" if host is self.owner else b"NOB" if silent else b"OTH"
        assert self.send(host, b"SYST:WATC:OWN?") == expected + b"\n"

    @rule(host=hosts)
    def read_errors(self, host):
        self.look_at_the_watchdog()
        assert errors(host) == self.queues[host]
        self.queues[host].clear()
        if host is self.owner:
            self.fed_at = self.wall_seconds

    @rule(host=hosts)
    def err(self, host):
        self.send(host, b"NONSENSE")
        self.queues[host].append(-113)

    @invariant()
    def outputs_are_on_as_long_as_they_should_be(self):
        self.look_at_the_watchdog()
        self.observer.watch()
        assert self.observer.crossbar.outputs_on == self.outputs_on


Hosts.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
TestHosts = Hosts.TestCase
