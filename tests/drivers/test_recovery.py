"""Faults of exchanges end nothing: what is repeated, what is looked at first, and what is not."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.crossbar_board import CrossbarBoard
from drivers.errors import (
    BoardChanged,
    CommandRefused,
    InstrumentError,
    LinkGarbled,
    LinkLost,
    LinkTimeout,
    PowerCycled,
    WatchdogExpired,
    WrongInstrument,
)
from drivers.link import Link
from drivers.recovery import Recovery, kind_of
from tests.support.tiny_board import TinyBoard
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.support.wire_peers import (
    PtyPeer,
    SocketPeer,
    Stopped,
    Stream,
    running,
    serve,
    serve_one,
)

PEERS = {"socket": SocketPeer, "pty": PtyPeer}
HURRY_SECONDS = 0.3
PATTERN: NDArray[np.bool_] = np.random.default_rng(1).random((4, 3, 2)) > 0.5
OTHER_PATTERN = ~PATTERN
VOLTS = np.random.default_rng(2).uniform(-1, 1, (5, 4)).astype(np.float32)
ROWS, BRANCHES = np.divmod(np.arange(8), 2)
SETTINGS = (1e-3, 0.05, 2e-3)

Act = Callable[[CrossbarBoard], object]


def configure(board: CrossbarBoard) -> object:
    board.configure(range_amperes=5e-7, aperture_seconds=0.25)
    return board.range_amperes, board.aperture_seconds, board.delay_seconds


def apply(board: CrossbarBoard) -> object:
    board.apply(OTHER_PATTERN)
    return board.held_crc


def rest(board: CrossbarBoard) -> object:
    board.rest()
    return None


EXCHANGES: dict[str, tuple[bytes, Act]] = {
    "configure": (b":CURR:RANG 5e-07", configure),
    "apply": (b":ROUT:PATT #", apply),
    "pattern": (b":ROUT:PATT?", CrossbarBoard.pattern),
    "column_currents": (b":MEAS:MVM?", lambda board: board.column_currents(VOLTS)),
    "scan": (b":MEAS:SCAN?", lambda board: board.scan(ROWS, BRANCHES, np.full(8, 0.5))),
    "moment": (b":SYST:TIME?;:SYST:TEMP?", CrossbarBoard.moment),
    "spent_seconds": (b":SYST:TIME:SETT?", CrossbarBoard.spent_seconds),
    "rest": (b":OUTP OFF", rest),
}
"""What a message holds, and the call that sends it."""

STRUCK = {
    "dropped": "timeout",
    "torn": "timeout",
    "garbled": "garbled",
    "doubled": "garbled",
    "lost": "lost",
    "power_on": "power_on",
    "watchdog": "watchdog",
}


class Wire:
    """A peer's script that serves a tiny board, and strikes chosen messages.

    A power failure ends the connection where it `hangs_up`.
    """

    def __init__(self, tiny: TinyBoard) -> None:
        self.tiny = tiny
        self.command: bytes | None = None
        self.faults: list[str] = []
        self.hangs_up = True
        self.struck = 0

    def strike(self, command: bytes, *faults: str) -> None:
        """Strike the next messages that hold a command, each with one fault."""
        self.command, self.faults = command, list(faults)

    def __call__(self, stream: Stream) -> None:
        while True:
            message = stream.message()
            if self.command is None or self.command not in message or not self.faults:
                serve_one(stream, message, self.tiny.handle)
                continue
            self.struck += 1
            self._spoil(stream, message, self.faults.pop(0))

    def _spoil(self, stream: Stream, message: bytes, fault: str) -> None:
        if fault == "watchdog":
            self.tiny.expire()
        if fault == "unheard":
            return
        reply = self.tiny.handle(message)
        assert reply is not None
        match fault:
            case "torn":
                stream.send(reply[: len(reply) // 2])
            case "garbled":
                stream.send(b"\xb5" * (len(reply) - 1) + b"\n")
            case "doubled":
                stream.send(2 * (reply + b"\n"))
            case "lost":
                raise Stopped
            case "power_on":
                self.tiny.power_cycle()
                if self.hangs_up:
                    raise Stopped
            case "watchdog":
                stream.send(reply + b"\n")


@pytest.fixture(name="tiny")
def _tiny() -> TinyBoard:
    return TinyBoard()


@pytest.fixture(name="wire")
def _wire(tiny: TinyBoard) -> Wire:
    return Wire(tiny)


@contextmanager
def opened(wire: Wire, kind: str, **options: float) -> Iterator[CrossbarBoard]:
    """A board that measures already, with settings and a pattern of its own."""
    wire.hangs_up = kind == "socket"
    with (
        running(PEERS[kind](wire)) as peer,
        CrossbarBoard.open(peer.resource, **options) as board,  # type: ignore[arg-type]
    ):
        set_up(board)
        yield board


def set_up(board: CrossbarBoard) -> None:
    range_amperes, aperture_seconds, delay_seconds = SETTINGS
    board.configure(
        range_amperes=range_amperes,
        aperture_seconds=aperture_seconds,
        delay_seconds=delay_seconds,
    )
    board.apply(PATTERN)
    board.column_currents(VOLTS)


def sound_answer(act: Act) -> object:
    with opened(Wire(TinyBoard()), "socket") as board:
        return act(board)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (fault, kind)
        for kind in PEERS
        for fault in STRUCK
        # A port that comes back has a test of its own.
        if (fault, kind) != ("lost", "pty")
    ],
)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_fault_of_any_kind_ends_no_exchange(
    wire: Wire, tiny: TinyBoard, exchange: str, fault: str, kind: str
) -> None:
    command, act = EXCHANGES[exchange]
    sound = sound_answer(act)
    with opened(wire, kind) as board:
        board.timeout_seconds = HURRY_SECONDS
        wire.strike(command, fault)
        answer = act(board)
        board.timeout_seconds = 5.0
        assert wire.struck == 1
        if exchange in ("moment", "spent_seconds") and fault == "power_on":
            assert (np.array(answer) >= np.array(sound)).all()  # time went on
        else:
            np.testing.assert_array_equal(answer, sound)  # type: ignore[call-overload]
        assert board.recovery == {STRUCK[fault]: 1}
        assert tiny.watchdog == 60.0
        board.rest()
        assert not tiny.on
    assert tiny.watchdog == 0.0


@pytest.mark.parametrize("kind", PEERS)
@pytest.mark.parametrize("fault", ["power_on", "watchdog"])
def test_what_the_board_lost_is_set_again_before_anything_is_measured(
    wire: Wire, tiny: TinyBoard, fault: str, kind: str
) -> None:
    with opened(wire, kind) as board:
        board.timeout_seconds = HURRY_SECONDS
        wire.strike(b":SYST:TEMP?", fault)
        board.temperature_kelvin()
        assert (tiny.range, tiny.aperture, tiny.delay) == SETTINGS
        np.testing.assert_array_equal(tiny.pattern, PATTERN)
        assert not tiny.on
        assert board.held_crc is not None
        np.testing.assert_allclose(
            board.column_currents(VOLTS), VOLTS @ (1e-6 * PATTERN.sum(axis=2)), rtol=1e-6
        )
        assert board.recovery == {fault: 1}


@pytest.mark.parametrize("kind", PEERS)
def test_a_scan_in_parts_goes_on_from_the_parts_that_arrived(
    wire: Wire, tiny: TinyBoard, kind: str
) -> None:
    with opened(wire, kind) as board:
        board.configure(delay_seconds=4.9)
        whole = board.scan(ROWS, BRANCHES, np.full(8, 0.5))
        before = parts = tiny.log.count(b":MEAS:SCAN?")
        assert parts > 2
        wire.strike(b":MEAS:SCAN?", "watchdog", "garbled")
        np.testing.assert_array_equal(board.scan(ROWS, BRANCHES, np.full(8, 0.5)), whole)
        assert tiny.log.count(b":MEAS:SCAN?") - before == parts + 2
        assert board.recovery == {"garbled": 1, "watchdog": 1}


def test_vectors_in_parts_go_on_from_the_parts_that_arrived(wire: Wire, tiny: TinyBoard) -> None:
    with opened(wire, "socket") as board:
        whole = board.column_currents(VOLTS)
        board.configure(delay_seconds=9.0)
        before = tiny.log.count(b":MEAS:MVM?")
        wire.strike(b":MEAS:MVM?", "garbled")
        np.testing.assert_array_equal(board.column_currents(VOLTS), whole)
        assert tiny.log.count(b":MEAS:MVM?") - before == len(VOLTS) + 1


@pytest.mark.parametrize("exchange", ["apply", "configure"])
@pytest.mark.parametrize(("fault", "sent"), [("garbled", 1), ("unheard", 2)])
def test_what_changes_the_board_is_sent_again_only_where_it_did_not_arrive(
    wire: Wire, exchange: str, fault: str, sent: int
) -> None:
    command, act = EXCHANGES[exchange]
    with running(SocketPeer(wire)) as peer, CrossbarBoard.open(peer.resource) as board:
        set_up(board)
        board.timeout_seconds = HURRY_SECONDS
        before = len(peer.messages())
        wire.strike(command, fault)
        act(board)
        assert sum(command in message for message in peer.messages()[before:]) == sent


# what ends it


@pytest.mark.parametrize("retries", [0, 2])
def test_an_exchange_is_repeated_so_often(wire: Wire, retries: int) -> None:
    with opened(wire, "socket", retries=retries) as board:
        wire.strike(b":SYST:TEMP?", *["garbled"] * 10)
        with pytest.raises(LinkGarbled):
            board.temperature_kelvin()
        assert wire.struck == 1 + retries
        assert board.recovery == ({"garbled": retries} if retries else {})
        wire.strike(b":SYST:TEMP?")
        assert board.temperature_kelvin() == 296.5


def test_a_power_failure_ends_it_where_nothing_is_repeated(wire: Wire, tiny: TinyBoard) -> None:
    with opened(wire, "pty", retries=0) as board:
        tiny.power_cycle()
        with pytest.raises(PowerCycled, match="power has failed"):
            board.column_currents(VOLTS)
        assert board.held_crc is None
        np.testing.assert_allclose(  # the next call sets everything again
            board.column_currents(VOLTS), VOLTS @ (1e-6 * PATTERN.sum(axis=2)), rtol=1e-6
        )
        assert (tiny.range, tiny.aperture, tiny.delay) == SETTINGS
        assert not board.recovery


def test_a_board_that_stays_away_is_sought_for_so_long(wire: Wire) -> None:
    peer = SocketPeer(wire)
    board = CrossbarBoard.open(peer.resource, reconnect_seconds=0.4, timeout_seconds=0.2)
    peer.stop()
    began = time.monotonic()
    with pytest.raises(LinkLost, match="nobody answers"):
        board.seconds()
    assert 0.2 < time.monotonic() - began < PATIENCE_SECONDS
    with pytest.raises(LinkLost):
        board.close()
    with pytest.raises(LinkLost, match="the link is closed"):
        board.seconds()


def test_a_refused_value_is_asked_once(wire: Wire, tiny: TinyBoard) -> None:
    with opened(wire, "socket") as board:
        before = tiny.log.count(b":CURR:RANG")
        with pytest.raises(CommandRefused, match="-222"):
            board.configure(range_amperes=1.0)
        assert tiny.log.count(b":CURR:RANG") == before + 1
        assert not board.recovery


def test_a_refusal_in_the_same_words_is_meant(wire: Wire, tiny: TinyBoard) -> None:
    with opened(wire, "socket") as board:
        tiny.errors = [-113]
        assert board.temperature_kelvin() == 296.5  # a message that was damaged on its way
        assert board.recovery == {"garbled": 1}
        handle, asked = tiny.handle, []

        def refuse(message: bytes) -> bytes | None:
            if message.startswith(b":SYST:TEMP?"):
                asked.append(message)
                tiny.errors = [-113]
            return handle(message)

        tiny.handle = refuse  # type: ignore[method-assign]
        with pytest.raises(CommandRefused, match="-113"):
            board.temperature_kelvin()
        assert len(asked) == 2


def test_what_another_host_changed_is_measured_once(wire: Wire, tiny: TinyBoard) -> None:
    with opened(wire, "socket") as board:
        tiny.aperture = 0.5
        before = tiny.log.count(b":MEAS:MVM?")
        with pytest.raises(BoardChanged):
            board.column_currents(VOLTS)
        assert tiny.log.count(b":MEAS:MVM?") == before + 1
        assert not board.recovery


def test_a_setting_that_another_host_changed_is_not_taken_for_set(
    wire: Wire, tiny: TinyBoard
) -> None:
    with opened(wire, "socket") as board:
        tiny.aperture = 0.5
        with pytest.raises(BoardChanged, match=r"aperture \(s\) is 0.5, 0.05 was set"):
            board.configure(delay_seconds=1e-3)


def test_an_answer_that_the_board_does_not_confirm_was_damaged(wire: Wire, tiny: TinyBoard) -> None:
    with opened(wire, "socket") as board:
        handle, told = tiny.handle, []

        def damaged(message: bytes) -> bytes | None:
            reply = handle(message)
            if b":MEAS:MVM?" in message and not told and reply is not None:
                told.append(reply)
                return reply.replace(b";0.05;", b";0.95;")
            return reply

        tiny.handle = damaged  # type: ignore[method-assign]
        np.testing.assert_allclose(
            board.column_currents(VOLTS), VOLTS @ (1e-6 * PATTERN.sum(axis=2)), rtol=1e-6
        )
        assert told
        assert board.recovery == {"garbled": 1}


def test_outputs_that_somebody_switched_on_meanwhile_are_anothers(
    wire: Wire, tiny: TinyBoard
) -> None:
    with opened(wire, "socket") as board:
        board.rest()
        wire.strike(b":SYST:TEMP?", "lost")
        tiny.on = True
        with pytest.raises(BoardChanged, match="outputs are on, off was set"):
            board.temperature_kelvin()


# who answers


def test_another_board_behind_the_same_name_is_refused_and_hears_nothing(tiny: TinyBoard) -> None:
    other, wire = TinyBoard(), Wire(tiny)
    other.replies[b"*IDN?"] = b"OHMSUM,CROSSBAR 4x3,B000002,1.0"
    peer = SocketPeer(wire, serve(other.handle))
    board = CrossbarBoard.open(peer.resource, timeout_seconds=0.5)
    set_up(board)
    wire.strike(b":MEAS:MVM?", "lost")
    with pytest.raises(WrongInstrument, match="B000002"):
        board.column_currents(VOLTS)
    assert set(other.log) == {b"*IDN?"}
    with pytest.raises(InstrumentError):
        board.close()
    assert set(other.log) == {b"*IDN?"}
    peer.stop()


def test_a_name_that_was_damaged_is_asked_again(wire: Wire, tiny: TinyBoard) -> None:
    with opened(wire, "socket") as board:
        handle, asked = tiny.handle, []

        def damaged(message: bytes) -> bytes | None:
            if message == b"*IDN?":
                asked.append(message)
                if len(asked) == 1:
                    return b"OHMSUM,CROSSBAR 4x3,B000003,1.0"
            return handle(message)

        tiny.handle = damaged  # type: ignore[method-assign]
        wire.strike(b":MEAS:MVM?", "lost")
        board.column_currents(VOLTS)
        assert len(asked) == 2
        assert board.recovery == {"lost": 1}


def test_a_serial_device_that_vanishes_and_comes_back_under_its_name(
    tiny: TinyBoard, tmp_path: Path
) -> None:
    name, wires = tmp_path / "board", [Wire(tiny), Wire(tiny)]
    first = PtyPeer(wires[0])
    name.symlink_to(first.port)
    later: list[PtyPeer] = []

    def come_back() -> None:
        first.stop()
        name.unlink()
        assert gone.wait(PATIENCE_SECONDS)  # for as long as the host has looked for it in vain
        later.append(PtyPeer(wires[1]))
        name.symlink_to(later[0].port)

    gone, looks = threading.Event(), []

    def check() -> None:
        if lost.is_set():
            looks.append(time.monotonic())
        if len(looks) > 4:
            gone.set()

    lost = threading.Event()
    with CrossbarBoard.open(f"ASRL{name}::INSTR", timeout_seconds=1.0, check=check) as board:
        set_up(board)
        expected = board.column_currents(VOLTS)
        wires[0].strike(b":MEAS:MVM?", "lost")
        lost.set()
        back = threading.Thread(target=come_back)
        back.start()
        np.testing.assert_array_equal(board.column_currents(VOLTS), expected)
        back.join()
        assert board.recovery == {"lost": 1}
    later[0].stop()
    assert (tiny.on, tiny.watchdog) == (False, 0.0)


def test_a_power_failure_that_the_keep_alive_met_is_noticed(tiny: TinyBoard) -> None:
    """The connection is open again when the host asks next: only the clock tells."""
    wire = Wire(tiny)
    with (
        running(SocketPeer(wire)) as peer,
        CrossbarBoard.open(peer.resource, watchdog_seconds=0.2) as board,
    ):
        set_up(board)
        before, _ = board.moment()
        wire.strike(b":SYST:WATC?", "power_on")
        wait_until(lambda: wire.struck and tiny.watchdog == 0.2)  # reopened and greeted
        after, _ = board.moment()
        assert after >= before
        assert board.recovery == {"power_on": 1}
        assert (tiny.range, tiny.aperture, tiny.delay) == SETTINGS
        np.testing.assert_array_equal(tiny.pattern, PATTERN)


# how it ends at once


@pytest.mark.parametrize("by_signal", [True, False])
def test_ctrl_c_ends_a_pause_within_a_second(wire: Wire, *, by_signal: bool) -> None:
    main = threading.main_thread().ident
    assert main is not None
    away, pausing, noted = (threading.Event() for _ in range(3))
    looks: list[float] = []

    def check() -> None:
        if away.is_set():
            looks.append(time.monotonic())
            if len(looks) == 12:  # pauses have grown by then
                pausing.set()
            if noted.is_set():
                raise KeyboardInterrupt

    def interrupt() -> None:
        assert pausing.wait(PATIENCE_SECONDS)
        at.append(time.monotonic())
        if by_signal:
            signal.pthread_kill(main, signal.SIGINT)
        else:
            noted.set()

    at: list[float] = []
    peer = SocketPeer(wire)
    board = CrossbarBoard.open(
        peer.resource, timeout_seconds=0.2, reconnect_seconds=600.0, check=check
    )
    peer.stop()
    away.set()
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        board.seconds()
    assert time.monotonic() - at[0] < 1.0
    thread.join()
    away.clear()
    with pytest.raises(LinkLost):
        board.close()


def test_a_board_that_is_closed_waits_for_no_recovery_of_another_thread(wire: Wire) -> None:
    peer = SocketPeer(wire)
    looks: list[float] = []
    board = CrossbarBoard.open(
        peer.resource,
        timeout_seconds=0.2,
        reconnect_seconds=600.0,
        check=lambda: looks.append(time.monotonic()),
    )
    peer.stop()
    raised: list[InstrumentError] = []

    def ask() -> None:
        try:
            board.seconds()
        except InstrumentError as error:
            raised.append(error)

    before = len(looks)
    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: len(looks) > before + 4)
    with pytest.raises(LinkLost):
        board.close()
    asking.join(PATIENCE_SECONDS)
    assert isinstance(raised[0], LinkLost)


# the policy by itself


def test_each_recovery_is_one_warning(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    with opened(wire, "socket") as board, caplog.at_level(logging.WARNING, "drivers.recovery"):
        wire.strike(b":MEAS:MVM?", "garbled", "watchdog")
        board.column_currents(VOLTS)
        first, second = caplog.messages
    assert "garbled at :MEAS:MVM?: after 0." in first
    assert "asked again" in first
    assert "watchdog expired" in second
    assert "set again" in second


@pytest.fixture(name="link")
def _link(tiny: TinyBoard) -> Iterator[Link]:
    with running(SocketPeer(serve(tiny.handle))) as peer, Link(peer.resource) as link:
        yield link


def test_pauses_grow_up_to_the_limit(link: Link) -> None:
    now, tried = [0.0], []

    def seconds() -> float:
        now[0] += 0.005
        return now[0]

    def regain() -> None:
        tried.append(now[0])
        raise LinkLost("r", "nobody")

    recovery = Recovery(link, regain, retries=3, reconnect_seconds=20.0, seconds=seconds)
    # No real time passes: every wait returns at once.
    recovery._stopped.wait = lambda seconds=None: (  # type: ignore[method-assign]
        now.__setitem__(0, now[0] + (seconds or 0.0)) or False
    )

    def exchange(_kind: object) -> None:
        raise LinkTimeout("r", "no answer")

    with pytest.raises(LinkLost, match="nobody"):
        recovery.run("X?", exchange)
    pauses = np.diff(tried)
    assert pauses[0] < 0.1
    assert (pauses[:-1] <= pauses[1:] + 0.02).all()
    assert pauses[-1] == pytest.approx(2.0, abs=0.2)
    assert 15 < tried[-1] - tried[0] <= 20


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (LinkTimeout("r", "t"), "timeout"),
        (LinkLost("r", "t"), "lost"),
        (LinkGarbled("r", "t"), "garbled"),
        (PowerCycled("r"), "power_on"),
        (WatchdogExpired("r", 1.0), "watchdog"),
        (CommandRefused("r", "C", 103, "t"), "garbled"),
        (CommandRefused("r", "C", -102, "t"), "garbled"),
        (CommandRefused("r", "C", -222, "t", ((-102, "t"),)), None),
        (BoardChanged("r", "t"), None),
        (WrongInstrument("r", "a", "b"), None),
    ],
)
def test_kinds_of_errors(error: InstrumentError, kind: str | None) -> None:
    assert kind_of(error) == kind


@pytest.mark.parametrize("options", [{"retries": -1}, {"reconnect_seconds": -0.1}])
def test_limits_below_zero_are_refused_before_anything_is_sent(
    wire: Wire, tiny: TinyBoard, options: dict[str, float]
) -> None:
    with running(SocketPeer(wire)) as peer, pytest.raises(ValueError, match="below 0"):
        CrossbarBoard.open(peer.resource, **options)  # type: ignore[arg-type]
    assert tiny.log == []
