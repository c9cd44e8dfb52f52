"""What a board says that it is set to is compared with what it was set to, and explained."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.board_state import is_printed
from drivers.crossbar_board import CrossbarBoard
from drivers.errors import (
    BoardChanged,
    BoardInUse,
    InstrumentError,
    InterlockOpen,
    LinkGarbled,
    SettingDiffers,
    WatchdogExpired,
)
from tests.support.tiny_board import TinyBoard
from tests.support.wire_peers import SocketPeer, running, serve

ZERO = np.zeros((1, 4))
WATCHDOG_FIRED = 1 << 10


@pytest.fixture(name="tiny")
def _tiny() -> TinyBoard:
    return TinyBoard()


@pytest.fixture(name="resource")
def _resource(tiny: TinyBoard) -> Iterator[str]:
    with running(SocketPeer(serve(tiny.handle))) as peer:
        yield peer.resource


@pytest.fixture(name="board")
def _board(resource: str) -> Iterator[CrossbarBoard]:
    with CrossbarBoard.open(resource, timeout_seconds=2.0) as board:
        board.apply(np.ones((4, 3, 2), bool))
        board.column_currents(ZERO)
        yield board


def other_pattern(tiny: TinyBoard) -> None:
    tiny.pattern[0, 0, 0] = False


def off(tiny: TinyBoard) -> None:
    tiny.on = False


def other(name: str, value: float) -> Callable[[TinyBoard], None]:
    return lambda tiny: setattr(tiny, name, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_pattern, "CRC of the pattern is [0-9]+, [0-9]+ was set"),
        (other("range", 1e-3), r"range \(A\) is 0.001, 0.01 was set"),
        (other("aperture", 0.5), r"aperture \(s\) is 0.5, 0.001 was set"),
        (other("delay", 0.0), r"settling delay \(s\) is 0, 0.001 was set"),
        (other("watchdog", 0.0), r"watchdog \(s\) is 0, 60 was set"),
        (off, "outputs are off, on was set"),
    ],
)
def test_what_another_host_changed_is_one_error_and_set_again(
    board: CrossbarBoard, tiny: TinyBoard, change: Callable[[TinyBoard], None], said: str
) -> None:
    change(tiny)
    with pytest.raises(BoardChanged, match=f"another host has changed the board: {said}"):
        board.column_currents(ZERO)
    assert board.held_crc is None
    board.configure(range_amperes=1e-2, aperture_seconds=1e-3, delay_seconds=1e-3)
    board.apply(np.ones((4, 3, 2), bool))
    np.testing.assert_allclose(board.column_currents(ZERO + 0.5), 4e-6, rtol=1e-6)
    assert (tiny.on, tiny.watchdog) == (True, 60.0)


def test_a_scan_that_is_not_its_own_is_told(board: CrossbarBoard, tiny: TinyBoard) -> None:
    tiny.replies[b":ROUT:SCAN:POIN?"] = b"7"
    with pytest.raises(BoardChanged, match="length of the scan list is 7, 1 was set"):
        board.scan([0], [0], [0.5])


def test_the_driver_knows_which_pattern_the_board_holds(
    board: CrossbarBoard, tiny: TinyBoard
) -> None:
    full = board.held_crc
    assert full is not None
    board.scan([0], [0], [0.5])
    assert board.held_crc not in (None, full)
    tiny.pattern[0, 0, 0] = True
    with pytest.raises(BoardChanged, match="CRC"):
        board.column_currents(ZERO)


@pytest.fixture(name="giving_up")
def _giving_up(resource: str) -> Iterator[CrossbarBoard]:
    """A board that repeats nothing."""
    with CrossbarBoard.open(resource, timeout_seconds=2.0, retries=0) as board:
        board.apply(np.ones((4, 3, 2), bool))
        board.column_currents(ZERO)
        yield board


def test_a_watchdog_that_fired_says_so(giving_up: CrossbarBoard, tiny: TinyBoard) -> None:
    tiny.on, tiny.questionable = False, WATCHDOG_FIRED
    with pytest.raises(WatchdogExpired, match=r"60 s.*watchdog_seconds in bench\.toml"):
        giving_up.column_currents(ZERO)
    assert not giving_up.recovery


def test_a_watchdog_that_fired_says_so_to_any_question(
    giving_up: CrossbarBoard, tiny: TinyBoard
) -> None:
    tiny.on, tiny.questionable, tiny.errors = False, WATCHDOG_FIRED, [102]
    tiny.pattern[:] = False
    with pytest.raises(WatchdogExpired):
        giving_up.seconds()
    assert giving_up.held_crc is None
    giving_up.column_currents(ZERO)
    assert tiny.on
    assert tiny.pattern.all()


def test_an_interlock_that_opened_says_so(board: CrossbarBoard, tiny: TinyBoard) -> None:
    tiny.on, tiny.questionable, tiny.interlock_closed = False, 1 << 9, False
    with pytest.raises(InterlockOpen, match="Interlock open"):
        board.column_currents(ZERO)
    with pytest.raises(InterlockOpen, match="Interlock open"):
        board.column_currents(ZERO)  # the same where it refuses to switch on


def test_an_interlock_that_is_open_is_looked_at_whatever_the_outputs_say(
    board: CrossbarBoard, tiny: TinyBoard
) -> None:
    board.rest()
    tiny.replies[b":OUTP:INT?"] = b"0"
    with pytest.raises(InterlockOpen, match="Interlock open"):
        board.column_currents(ZERO)


@pytest.mark.parametrize(
    ("header", "reply", "setting", "raised"),
    [
        (b":TRIG:DEL?", b"0.901", {"delay_seconds": 1e-3}, SettingDiffers),
        (b":CURR:APER?", b"0.2", {"aperture_seconds": 0.02}, SettingDiffers),
        (b":CURR:RANG?", b"1e-2", {"range_amperes": 5e-4}, SettingDiffers),
        (b":CURR:RANG?", b"1e-6", {"range_amperes": 5e-4}, SettingDiffers),
        (b":CURR:RANG?", b"2e-3", {"range_amperes": 5e-4}, LinkGarbled),
    ],
)
def test_settings_are_compared_after_they_are_set(
    board: CrossbarBoard,
    tiny: TinyBoard,
    header: bytes,
    reply: bytes,
    setting: dict[str, float],
    raised: type[InstrumentError],
) -> None:
    tiny.replies[header] = reply
    with pytest.raises(raised):
        board.configure(**setting)


def test_a_watchdog_that_was_set_otherwise_opens_no_board(tiny: TinyBoard, resource: str) -> None:
    tiny.replies[b":SYST:WATC?"] = b"00"
    with pytest.raises(SettingDiffers, match="watchdog"):
        CrossbarBoard.open(resource)
    assert not tiny.on


@given(st.floats(1e-5, 3600), st.sampled_from(["%g", "%.9g", "%r", "%.6E", "%.12f"]))
def test_a_setting_is_known_by_what_is_printed_of_it(value: float, form: str) -> None:
    printed = form % value
    assert is_printed(value, printed)
    assert not is_printed(value * 1.002, printed)
    assert not is_printed(value, "0e+999999999")


def test_a_pattern_that_has_another_crc_is_garbled(board: CrossbarBoard, tiny: TinyBoard) -> None:
    tiny.replies[b":ROUT:PATT:CRC?"] = b"123"
    with pytest.raises(LinkGarbled, match="CRC"):
        board.pattern()
    del tiny.replies[b":ROUT:PATT:CRC?"]


@pytest.mark.parametrize("zero", [b"+0", b"0.0", b"OFF", b"off", b"0.0E+0", b"-0"])
def test_a_board_may_write_zero_as_it_likes(tiny: TinyBoard, resource: str, zero: bytes) -> None:
    written = {True: b"1.0E+0", False: zero}
    answer = tiny.handle

    def handle(message: bytes) -> bytes | None:
        tiny.replies[b":OUTP?"] = written[tiny.on and b":OUTP OFF" not in message]
        return answer(message)

    with (
        running(SocketPeer(serve(handle))) as peer,
        CrossbarBoard.open(peer.resource, timeout_seconds=0.5) as board,
    ):
        board.rest()
    assert not tiny.on


def test_a_board_in_use_is_left_alone_or_taken_over(tiny: TinyBoard, resource: str) -> None:
    tiny.on, tiny.watchdog = True, 7.0
    with pytest.raises(BoardInUse, match=r"its outputs are on.*--take-over"):
        CrossbarBoard.open(resource)
    assert (tiny.on, tiny.watchdog) == (True, 7.0)
    with CrossbarBoard.open(resource, take_over=True):
        assert (tiny.on, tiny.watchdog) == (False, 60.0)


def test_what_another_host_has_switched_on_since_stays_on(tiny: TinyBoard, resource: str) -> None:
    with CrossbarBoard.open(resource):
        tiny.on, tiny.watchdog = True, 7.0
    assert (tiny.on, tiny.watchdog) == (True, 7.0)
