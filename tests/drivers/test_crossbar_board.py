"""The board driver against a tiny board on real wires."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from drivers import patterns
from drivers.board_description import read_description
from drivers.crossbar_board import CrossbarBoard
from drivers.errors import (
    CommandRefused,
    InstrumentError,
    LinkGarbled,
    LinkLost,
    OutputsUnproved,
    WrongInstrument,
)
from drivers.host_session import HostSession
from drivers.link import Link
from drivers.patterns import pack_pattern, unpack_pattern
from tests.support.tiny_board import TinyBoard, block
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.wire_peers import PtyPeer, SocketPeer, running, serve

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 11))


@pytest.fixture(name="tiny")
def _tiny() -> TinyBoard:
    return TinyBoard()


@pytest.fixture(name="board", params=[SocketPeer, PtyPeer])
def _board(request: pytest.FixtureRequest, tiny: TinyBoard) -> Iterator[CrossbarBoard]:
    with (
        running(request.param(serve(tiny.handle))) as peer,
        CrossbarBoard.open(peer.resource, timeout_seconds=1.0) as board,
    ):
        yield board


def some_pattern(tiny: TinyBoard, seed: int = 1) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random(tiny.pattern.shape) > 0.5


def test_open_reads_what_the_board_is(board: CrossbarBoard) -> None:
    assert board.identity.serial == "B000001"
    assert board.type == "4x3"
    assert (board.rows, board.columns, board.branches) == (4, 3, 2)
    np.testing.assert_array_equal(board.nominal_ohms, [1.0, 2.0])
    np.testing.assert_array_equal(board.ranges_amperes, [1e-6, 1e-3, 1e-2])
    assert (board.row_volts_limit, board.line_hertz) == (1.0, 50.0)
    assert (board.range_amperes, board.aperture_seconds, board.delay_seconds) == (1e-2, 1e-3, 1e-3)
    assert board.seconds() == 12.5
    assert board.spent_seconds() == (2.5, 10.0, 0.25)
    assert board.temperature_kelvin() == 296.5
    assert board.moment() == (12.5, 296.5)


def test_open_forgets_the_errors_of_others(tiny: TinyBoard) -> None:
    tiny.errors = [104, -222]
    with running(SocketPeer(serve(tiny.handle))) as peer, CrossbarBoard.open(peer.resource):
        assert tiny.errors == []


@pytest.mark.parametrize(
    "identity",
    [
        b"KEITHLEY INSTRUMENTS,MODEL 2450,01419966,1.7.3b",
        b"OHMSUM,SMU,1,1.0",
        b"OHMSUM,CROSSBAR ,1,1.0",
        b"OTHER,CROSSBAR 8x4,1,1.0",
    ],
)
def test_another_instrument_is_named_and_left_alone(tiny: TinyBoard, identity: bytes) -> None:
    tiny.replies[b"*IDN?"] = identity
    with running(SocketPeer(serve(tiny.handle))) as peer:
        with pytest.raises(WrongInstrument) as caught:
            CrossbarBoard.open(peer.resource)
        assert caught.value.said == b",".join(identity.split(b",")[:2]).decode().strip()
        assert str(caught.value).startswith(peer.resource)
        assert peer.messages() == [b"*IDN?"]


@pytest.mark.parametrize(
    ("header", "reply"),
    [
        (b":SYST:BOAR:SHAP?", b"4,3"),
        (b":SYST:BOAR:SHAP?", b"0,3,2"),
        (b":SYST:BOAR:SHAP?", b"-4,3,2"),
        (b":SYST:BOAR:SHAP?", b"4.5,3,2"),
        (b":SYST:BOAR:SHAP?", b"65535,65535,65535"),
        (b":SYST:BOAR:SHAP?", b"1e300,3,2"),
        (b":SYST:BOAR:SHAP?", b"nan,3,2"),
        (b":SYST:BOAR:SHAP?", block(b"4,3,2")),
        (b":SYST:BOAR:NOM?", b"100000"),
        (b":SYST:BOAR:NOM?", block(b"\0" * 7)),
        (b":SYST:BOAR:NOM?", block(np.array([1.0, np.nan], "<f4").tobytes())),
        (b":SYST:BOAR:NOM?", block(np.array([1.0, 0.0], "<f4").tobytes())),
        (b":SOUR:VOLT:RANG?", b"0"),
        (b":SOUR:VOLT:RANG?", b"1;1"),
        (b":CURR:RANG:CAT?", b"1,1e-3"),
        (b":CURR:RANG:CAT?", b"one,two"),
        (b":CURR:RANG:CAT?", b""),
        (b":SYST:LFR?", b"9999999999e999"),
        (b":CURR:APER?", b"0"),
    ],
)
def test_a_board_that_talks_rubbish_is_garbled(
    tiny: TinyBoard, header: bytes, reply: bytes
) -> None:
    tiny.replies[header] = reply
    with (
        running(SocketPeer(serve(tiny.handle))) as peer,
        pytest.raises(LinkGarbled, match=peer.resource),
    ):
        CrossbarBoard.open(peer.resource)


def test_configure_reads_back(board: CrossbarBoard, tiny: TinyBoard) -> None:
    board.configure(range_amperes=5e-4, aperture_seconds=0.02)
    assert (board.range_amperes, board.aperture_seconds, board.delay_seconds) == (1e-3, 0.02, 1e-3)
    board.configure(delay_seconds=0)
    assert (tiny.range, tiny.aperture, tiny.delay) == (1e-3, 0.02, 0.0)
    assert board.delay_seconds == 0.0


def test_a_refused_setting_leaves_what_the_board_says(board: CrossbarBoard) -> None:
    with pytest.raises(CommandRefused, match="-222"):
        board.configure(range_amperes=1.0, aperture_seconds=0.5)
    assert (board.range_amperes, board.aperture_seconds) == (1e-2, 0.5)


def test_outputs_are_on_from_the_first_measurement_until_rest(
    board: CrossbarBoard, tiny: TinyBoard
) -> None:
    board.apply(some_pattern(tiny))
    assert (tiny.on, tiny.watchdog) == (False, 60.0)  # armed already
    board.column_currents(np.zeros((1, 4)))
    board.column_currents(np.zeros((1, 4)))
    assert tiny.on
    assert tiny.log.count(b":OUTP") == 1
    board.rest()
    board.rest()
    assert not tiny.on
    assert tiny.log.count(b":OUTP") == 2
    assert tiny.watchdog == 60.0
    board.column_currents(np.zeros((1, 4)))
    assert tiny.on


@given(SHAPES.flatmap(lambda shape: arrays.arrays(np.bool_, shape)))
@settings(deadline=None)
def test_patterns_pack_as_the_protocol_says(pattern: NDArray[np.bool_]) -> None:
    data = pack_pattern(pattern)
    _, columns, branches = pattern.shape
    assert len(data) == -(-pattern.size // 8)
    for row, column, branch in np.ndindex(pattern.shape):
        at = (row * columns + column) * branches + branch
        assert bool(data[at // 8] >> (7 - at % 8) & 1) == pattern[row, column, branch]
    np.testing.assert_array_equal(unpack_pattern(data, pattern.shape), pattern)
    with pytest.raises(ValueError, match="bytes"):
        unpack_pattern(data + b"\0", pattern.shape)
    if pattern.size % 8:
        with pytest.raises(ValueError, match="behind"):
            unpack_pattern(data[:-1] + bytes([data[-1] | 1]), pattern.shape)


def test_a_pattern_is_set_and_read_back(board: CrossbarBoard, tiny: TinyBoard) -> None:
    for seed in range(5):
        pattern = some_pattern(tiny, seed)
        board.apply(pattern)
        np.testing.assert_array_equal(tiny.pattern, pattern)
        np.testing.assert_array_equal(board.pattern(), pattern)


def test_a_switch_that_does_not_take_is_told(board: CrossbarBoard, tiny: TinyBoard) -> None:
    tiny.corrupt_pattern = True
    with pytest.raises(InstrumentError, match="holds a pattern of CRC"):
        board.apply(some_pattern(tiny))


def test_a_pattern_torn_on_the_wire_is_refused(
    board: CrossbarBoard, tiny: TinyBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.apply(some_pattern(tiny, 1))
    monkeypatch.setattr(patterns, "zlib", SimpleNamespace(crc32=lambda _: 12345))
    with pytest.raises(CommandRefused, match="103, Pattern CRC mismatch"):
        board.apply(some_pattern(tiny, 2))
    monkeypatch.undo()
    np.testing.assert_array_equal(board.pattern(), some_pattern(tiny, 1))


@pytest.mark.parametrize("data", [b"", b"\0" * 2, b"\0" * 4])
def test_a_pattern_of_another_size_is_garbled(
    board: CrossbarBoard, tiny: TinyBoard, data: bytes
) -> None:
    tiny.replies[b":ROUT:PATT?"] = block(data)
    with pytest.raises(LinkGarbled):
        board.pattern()


@pytest.mark.parametrize("delay_seconds", [1e-3, 0.5, 3.0])
def test_vectors_in_currents_out_however_they_are_split(
    board: CrossbarBoard, tiny: TinyBoard, delay_seconds: float
) -> None:
    pattern = some_pattern(tiny)
    board.apply(pattern)
    board.configure(delay_seconds=delay_seconds)
    volts = np.random.default_rng(2).uniform(-1, 1, (17, 4)).astype(np.float32)
    amperes = board.column_currents(volts)
    assert amperes.dtype == np.float64
    expected = volts @ (1e-6 * pattern.sum(axis=2))
    np.testing.assert_allclose(amperes, expected, rtol=1e-6, atol=1e-13)
    exchanges = tiny.log.count(b":MEAS:MVM?")
    assert exchanges == {1e-3: 1, 0.5: 6, 3.0: 17}[delay_seconds]
    assert board.column_currents(np.empty((0, 4))).shape == (0, 3)


def test_a_large_batch_goes_in_parts_of_bounded_size(board: CrossbarBoard, tiny: TinyBoard) -> None:
    board.configure(aperture_seconds=1e-5, delay_seconds=0)
    pattern = some_pattern(tiny)
    board.apply(pattern)
    volts = np.random.default_rng(3).uniform(-1, 1, (200_000, 4)).astype(np.float32)
    expected = volts @ (1e-6 * pattern.sum(axis=2))
    np.testing.assert_allclose(board.column_currents(volts), expected, rtol=1e-5, atol=1e-11)
    assert tiny.log.count(b":MEAS:MVM?") == 4


def test_overloads_are_not_a_number(board: CrossbarBoard, tiny: TinyBoard) -> None:
    board.apply(np.ones_like(tiny.pattern))
    board.configure(range_amperes=1e-6)
    amperes = board.column_currents([[0.5, 0, 0, 0], [1.0, 1.0, 0, 0]])
    np.testing.assert_allclose(amperes[0], 1e-6, rtol=1e-6)
    assert np.isnan(amperes[1]).all()


def test_a_scan_goes_point_by_point(board: CrossbarBoard, tiny: TinyBoard) -> None:
    rows, branches = np.divmod(np.arange(8), 2)
    branches = np.append(branches, -1)
    rows = np.append(rows, 3)
    volts = np.linspace(-0.9, 0.9, 9)
    amperes = board.scan(rows, branches, volts, readings=3)
    assert amperes.shape == (9, 3, 3)
    for column in range(3):
        expected = volts * (rows + 1 + 100 * (branches + 1)) * 1e-6 + column * 1e-9
        for reading in range(3):
            np.testing.assert_allclose(amperes[:, reading, column], expected, rtol=1e-6)
    assert board.scan([], [], []).shape == (0, 1, 3)


def test_a_scan_is_split_by_time(board: CrossbarBoard, tiny: TinyBoard) -> None:
    whole = board.scan(np.arange(4), np.zeros(4, int), np.full(4, 0.5))
    board.configure(delay_seconds=0.9)
    np.testing.assert_array_equal(
        board.scan(np.arange(4), np.zeros(4, int), np.full(4, 0.5)), whole
    )
    assert tiny.log.count(b":ROUT:SCAN") == tiny.log.count(b":MEAS:SCAN?") == 3


def test_scans_of_two_threads_do_not_mix(board: CrossbarBoard) -> None:
    results: dict[int, list[NDArray[np.float64]]] = {}

    def scan(row: int) -> None:
        results[row] = [board.scan([row], [0], [0.5]) for _ in range(60)]

    threads = [threading.Thread(target=scan, args=(row,)) for row in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for row in range(3):
        np.testing.assert_allclose(
            np.array(results[row])[..., 0].reshape(-1), 0.5e-6 * (row + 101), rtol=1e-6
        )


@pytest.mark.parametrize("header", [b":MEAS:MVM?", b":MEAS:SCAN?"])
@pytest.mark.parametrize(
    "reply",
    [
        b"0.1,0.2,0.3",
        block(b""),
        block(b"\0" * 11),
        block(b"\0" * 16),
        block(np.array([0, np.nan, 0], "<f4").tobytes()),
        block(np.array([0, np.inf, 0], "<f4").tobytes()),
        block(np.array([0, -9.9e37, 0], "<f4").tobytes()),
        block(np.array([0, 1.1, 0], "<f4").tobytes()),
    ],
)
def test_currents_that_cannot_be_are_garbled(
    board: CrossbarBoard, tiny: TinyBoard, header: bytes, reply: bytes
) -> None:
    tiny.replies[header] = reply
    with pytest.raises(LinkGarbled):
        (
            board.column_currents(np.zeros((1, 4)))
            if b"MVM" in header
            else board.scan([0], [0], [0.0])
        )
    assert board.seconds() == 12.5


BAD_CALLS = {
    "row 3: 1.5 V is beyond the limit of 1 V": lambda b: b.column_currents([[0, 0, 1.5, 0]]),
    "row 4: -1.01 V is beyond": lambda b: b.scan([1, 3], [0, 0], [1.0, -1.01]),
    "3 rows, the board has 4": lambda b: b.column_currents(np.zeros((2, 3))),
    "row_volts holds real numbers in 2": lambda b: b.column_currents(np.zeros(4)),
    "not finite": lambda b: b.column_currents([[0, 0, np.nan, 0]]),
    "not complex128": lambda b: b.column_currents(np.zeros((1, 4), complex)),
    "not bool": lambda b: b.column_currents(np.zeros((1, 4), bool)),
    "rows are from 0 to 3": lambda b: b.scan([4], [0], [0.0]),
    "rows are from": lambda b: b.scan([-1], [0], [0.0]),
    "branches are from -1 to 1": lambda b: b.scan([0], [2], [0.0]),
    "branches are": lambda b: b.scan([0], [-2], [0.0]),
    "rows holds 1 whole numbers": lambda b: b.scan([0.5], [0], [0.0]),
    "branches holds 1 whole": lambda b: b.scan([0], [0, 1], [0.0]),
    "1 to 10000 readings": lambda b: b.scan([0], [0], [0.0], readings=0),
    "a pattern is bool": lambda b: b.apply(np.ones((4, 3, 2))),
    "this one is bool": lambda b: b.apply(np.ones((4, 3, 3), bool)),
    "CURR:APER cannot be nan": lambda b: b.configure(aperture_seconds=float("nan")),
    "CURR:RANG cannot be -1": lambda b: b.configure(range_amperes=-1),
}


@pytest.mark.parametrize("said", BAD_CALLS)
def test_bad_arguments_are_named_before_anything_is_sent(
    board: CrossbarBoard, tiny: TinyBoard, said: str
) -> None:
    sent = len(tiny.log)
    with pytest.raises(ValueError, match=said):
        BAD_CALLS[said](board)
    assert len(tiny.log) == sent


def test_rounding_never_carries_a_voltage_over_the_limit(tiny: TinyBoard) -> None:
    tiny.replies[b":SOUR:VOLT:RANG?"] = b"0.1"
    tiny.points = []
    with (
        running(SocketPeer(serve(tiny.handle))) as peer,
        CrossbarBoard.open(peer.resource) as board,
    ):
        board.scan([0, 0], [0, 0], [0.1, -0.1])
        assert float(np.float32(0.1)) > 0.1
        volts = [volts for _, _, volts in tiny.points]
        assert max(volts) <= 0.1
        np.testing.assert_allclose(volts, [0.1, -0.1], rtol=1e-6)


def test_close_leaves_a_safe_board(tiny: TinyBoard) -> None:
    def use(resource: str) -> None:
        with CrossbarBoard.open(resource) as board:
            board.column_currents(np.zeros((1, 4)))
            board.apply(some_pattern(tiny))
            board.close()
            board.seconds()

    with running(SocketPeer(serve(tiny.handle))) as peer:
        with pytest.raises(LinkLost, match="the link is closed"):
            use(peer.resource)
        assert (tiny.on, tiny.pattern.any(), tiny.watchdog) == (False, False, 0.0)


@pytest.mark.parametrize("make_peer", [SocketPeer, PtyPeer])
def test_ctrl_c_in_a_scan_leaves_a_safe_board(
    tiny: TinyBoard, make_peer: type[SocketPeer | PtyPeer]
) -> None:
    """The board goes on scanning, and only then hears that it is to be safe."""
    main = threading.main_thread().ident
    assert main is not None

    def handle(message: bytes) -> bytes | None:
        if b":MEAS:SCAN?" in message:
            interrupted.set()
            signal.pthread_kill(main, signal.SIGINT)
            # At work until the host asks for more, and then for longer than an exchange may take.
            assert asks_again.wait(PATIENCE_SECONDS)
            assert not released.wait(0.6)
        return tiny.handle(message)

    def trace(direction: str, _seconds: float, _message: bytes) -> None:
        if direction == "sent" and interrupted.is_set():
            asks_again.set()

    interrupted, asks_again, released = (threading.Event() for _ in range(3))

    def scan(resource: str) -> None:
        with CrossbarBoard.open(resource, timeout_seconds=0.5, trace=trace) as board:
            board.configure(delay_seconds=1.0)
            board.scan([0, 1], [0, 0], [0.5, 0.5])

    with running(make_peer(serve(handle))) as peer:
        with pytest.raises(KeyboardInterrupt):
            scan(peer.resource)
        assert (tiny.on, tiny.pattern.any(), tiny.watchdog) == (False, False, 0.0)


def test_safe_clears_what_went_wrong_before(board: CrossbarBoard, tiny: TinyBoard) -> None:
    tiny.errors = [104, 103]
    board.safe()
    assert tiny.errors == []


def test_outputs_that_stay_on_are_told(board: CrossbarBoard, tiny: TinyBoard) -> None:
    tiny.replies[b":OUTP?"] = b"1"
    with pytest.raises(OutputsUnproved, match=r"says that they are on.*60 s after"):
        board.safe()
    del tiny.replies[b":OUTP?"]


def test_a_lost_board_is_told_when_closed_and_closed_all_the_same(tiny: TinyBoard) -> None:
    peer = SocketPeer(serve(tiny.handle))
    board = CrossbarBoard.open(peer.resource)
    peer.stop()
    with pytest.raises(LinkLost):
        board.close()
    board.close()


NUMBERS = st.sampled_from([b"-1", b"0", b"1", b"2.0", b"+3", b"4E0", b"1.5", b"70000", b"nan"])
AMPERES = st.sampled_from([b"-1", b"0", b"1E-3", b"1e-2", b"0.01", b"1", b"inf"])
OHMS = st.sampled_from([-1.0, 0.0, 1.0, 1e5, float("nan"), float("inf")])
HEADERS = [b"*IDN?", b":SYST:BOAR:SHAP?", b":SYST:BOAR:NOM?", b":CURR:RANG:CAT?", b":SYST:ERR?"]
REPLIES = st.one_of(
    st.tuples(st.sampled_from(HEADERS), st.binary(max_size=40)),
    st.tuples(
        st.just(b"*IDN?"), st.sampled_from([b"OHMSUM,CROSSBAR x,1,1", b"OHMSUM,CROSSBAR ,1,1"])
    ),
    st.tuples(
        st.just(b":SYST:BOAR:SHAP?"),
        st.lists(NUMBERS, max_size=4).map(b",".join)
        | st.tuples(NUMBERS, NUMBERS, st.just(b"2")).map(b",".join),
    ),
    st.tuples(st.just(b":CURR:RANG:CAT?"), st.lists(AMPERES, max_size=3).map(b",".join)),
    st.tuples(
        st.just(b":SYST:BOAR:NOM?"),
        st.lists(OHMS, min_size=1, max_size=3).map(
            lambda ohms: block(np.array(ohms, "<f4").tobytes())
        ),
    ),
)
"""A header, and an answer to it that a board might give, or never would."""


def assert_usable(board: CrossbarBoard) -> None:
    """Assert what every calculation with a board relies on."""
    assert board.identity.manufacturer == "OHMSUM"
    assert board.type
    assert all(1 <= side <= 65_535 for side in (board.rows, board.columns, board.branches))
    assert board.nominal_ohms.shape == (board.branches,)
    assert (np.isfinite(board.nominal_ohms) & (board.nominal_ohms > 0)).all()
    assert len(board.ranges_amperes) >= 1
    assert (np.diff(board.ranges_amperes, prepend=0.0) > 0).all()
    assert np.isfinite(board.ranges_amperes).all()
    assert np.isclose(board.range_amperes, board.ranges_amperes, rtol=1e-5).any()
    assert board.line_hertz > 0
    assert board.row_volts_limit > 0


@settings(deadline=None, max_examples=150)
@given(REPLIES)
def test_any_answer_opens_a_usable_board_or_raises_one_of_the_family(
    header_and_reply: tuple[bytes, bytes],
) -> None:
    header, reply = header_and_reply
    tiny = TinyBoard()
    tiny.replies[header] = reply
    with (
        running(SocketPeer(serve(tiny.handle))) as peer,
        contextlib.suppress(InstrumentError),
        CrossbarBoard.open(peer.resource, timeout_seconds=0.05) as board,
    ):
        assert_usable(board)


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [(b"65535,1,2", b"65536,1,2"), (b"1,65535,2", b"1,65536,2"), (b"8192,4096,2", b"8193,4096,2")],
)
def test_largest_shape_of_the_protocol(tiny: TinyBoard, allowed: bytes, refused: bytes) -> None:
    with running(SocketPeer(serve(tiny.handle))) as peer, Link(peer.resource) as link:
        tiny.replies[b":SYST:BOAR:SHAP?"] = allowed
        description = read_description(HostSession(link, 60.0))
        shape = description.rows, description.columns, description.branches
        assert shape == tuple(int(side) for side in allowed.split(b","))
        tiny.replies[b":SYST:BOAR:SHAP?"] = refused
        with pytest.raises(LinkGarbled, match="not the shape of a board"):
            read_description(HostSession(link, 60.0))


def test_a_watchdog_of_more_than_0_up_to_3600_seconds(tiny: TinyBoard) -> None:
    with running(SocketPeer(serve(tiny.handle))) as peer:
        for seconds in (0.0, 3600.001):
            with pytest.raises(ValueError, match="a watchdog takes up to 3600 s"):
                CrossbarBoard.open(peer.resource, watchdog_seconds=seconds)
        assert tiny.log == []
        with CrossbarBoard.open(peer.resource, watchdog_seconds=3600.0):
            assert tiny.watchdog == 3600.0


def test_a_point_takes_1_to_10000_readings(board: CrossbarBoard) -> None:
    assert board.scan([0], [0], [0.5], readings=10_000).shape == (1, 10_000, 3)
    with pytest.raises(ValueError, match="1 to 10000 readings, not 10001"):
        board.scan([0], [0], [0.5], readings=10_001)


def test_every_byte_counts(board: CrossbarBoard) -> None:
    before = board.bytes_moved
    board.seconds()
    sent, received = b":SYST:TIME?;:SYST:ERR?\n", b'12.5;0,"No error"\n'
    assert board.bytes_moved - before == len(sent) + len(received)
