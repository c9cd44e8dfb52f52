"""What keeps a board safe: reset, watchdog, interlock, and the status that tells of them."""

import numpy as np
import pytest

from tests.support.simulated_boards import (
    ask,
    block,
    errors,
    floats,
    floats_of,
    on_the_wire,
    payload,
    scan_list,
    tell,
)
from tests.support.waiting import wait_until

OVERLOAD, INTERLOCK, WATCHDOG = 1 << 1, 1 << 9, 1 << 10
SETTINGS = b"OUTP?;:SOUR:VOLT:ALL?;:ROUT:PATT?;SCAN:POIN?;:CURR:RANG?;APER?;:TRIG:DEL?;:SYST:WATC?"
DRIVE = b"OUTP ON;:SOUR1 0.9;:ROUT:CLOS 1,2,1"


@pytest.fixture
def board():
    return on_the_wire()


def is_driven(board):
    return ask(board, b"OUTP?") == b"1"


def closed_switches(board):
    bits = np.unpackbits(np.frombuffer(payload(ask(board, b"ROUT:PATT?")), np.uint8))
    return int(bits.sum())


def test_power_on_state(board):
    assert ask(board, SETTINGS).split(b";") == [
        b"0",
        floats([0, 0, 0]),
        block(bytes(4)),
        b"0",
        b"1.0E-2",
        b"2.0E-2",
        b"1.0E-3",
        b"0.0E+0",
    ]
    assert ask(board, b"STAT:QUES:COND?;:STAT:QUES?;:STAT:OPER?;:SYST:ERR:COUN?") == b"0;0;0;0"


def test_reset_is_power_on_but_for_status_and_errors(board):
    at_power_on = ask(board, SETTINGS)
    ask(board, b"*ESR?")
    tell(board, DRIVE + b";:CURR:RANG 1E-6;APER 1;:TRIG:DEL 1;:SYST:WATC 10;*ESE 8;*SRE 4")
    tell(board, b"ROUT:SCAN " + scan_list((1, 1, 0.5)))
    changed = ask(board, SETTINGS).split(b";")
    assert all(now != then for now, then in zip(changed, at_power_on.split(b";"), strict=True))
    board.execute(b"NONSENSE")
    ask(board, b"READ?")  # overloads
    assert board.execute(b"*RST") == b""
    assert ask(board, SETTINGS) == at_power_on
    assert ask(board, b"*ESE?;*SRE?;*ESR?;STAT:QUES?") == b"8;4;32;%d" % OVERLOAD
    assert errors(board) == [-113]


def test_reset_connects_no_row(board):
    tell(board, DRIVE + b";:CURR:RANG 3E-5")
    assert floats_of(ask(board, b"READ?"))[1] > 1e-6
    tell(board, b"*RST;:CURR:RANG 3E-5;:SOUR1 0.9;:ROUT:CLOS 1,2,1")
    assert abs(floats_of(ask(board, b"READ?"))[1]) < 1e-9


def test_watchdog_fires_after_silence(board, wall):
    tell(board, b"SYST:WATC 5;:" + DRIVE)
    wall.seconds += 4.9
    board.watch()
    assert board.crossbar.outputs_on
    wall.seconds += 0.2
    board.watch()
    assert not board.crossbar.outputs_on
    assert not board.crossbar.pattern.any()
    assert ask(board, b"STAT:QUES:COND?;:STAT:QUES?") == b"%d;%d" % (WATCHDOG, WATCHDOG)
    assert ask(board, b"*ESR?") == b"%d" % (128 | 8)
    assert ask(board, b"SYST:ERR?").startswith(b'102,"Watchdog expired')


def test_watchdog_is_noticed_by_the_message_that_comes_too_late(board, wall):
    tell(board, b"SYST:WATC 5;:" + DRIVE)
    wall.seconds += 5.1
    assert ask(board, b"OUTP?") == b"0"
    assert closed_switches(board) == 0
    assert errors(board) == [102]


def test_watchdog_fires_once(board, wall):
    tell(board, b"SYST:WATC 5;:" + DRIVE)
    for _ in range(10):
        wall.seconds += 5.1
        board.watch()
    assert errors(board) == [102]


def test_any_message_starts_the_interval_anew(board, wall):
    tell(board, b"SYST:WATC 5;:" + DRIVE)
    for message in (b"SYST:ERR?", b"*WAI", b"NONSENSE", b"", b"\xff"):
        wall.seconds += 4
        board.execute(message)
    board.execute(b"*CLS")
    assert is_driven(board)
    assert errors(board) == []


def test_interval_starts_when_the_execution_ends(board, wall, monkeypatch):
    tell(board, b"SYST:WATC 5;:" + DRIVE)
    read = board.crossbar.read_steps

    def slowly(count):
        wall.seconds += 60
        return read(count)

    monkeypatch.setattr(board.crossbar, "read_steps", slowly)
    ask(board, b"READ?")
    wall.seconds += 4.9
    board.watch()
    assert is_driven(board)
    assert errors(board) == []


def test_board_time_is_not_silence(board, wall):
    tell(board, b"SYST:WATC 5;:" + DRIVE + b";:CURR:APER 10")
    ask(board, b"READ? 100")
    board.watch()
    assert is_driven(board)


@pytest.mark.parametrize("off", [b"SYST:WATC 0", b"*RST;:OUTP ON"])
def test_watchdog_can_be_switched_off(board, wall, off):
    tell(board, b"SYST:WATC 5;:" + DRIVE)
    tell(board, off)
    wall.seconds += 1e6
    board.watch()
    assert is_driven(board)
    assert errors(board) == []


def test_watchdog_bit_stays_until_the_outputs_are_on_again(board, wall):
    tell(board, b"SYST:WATC 5;:" + DRIVE)
    wall.seconds += 6
    board.watch()
    assert errors(board) == [102]
    tell(board, b"OUTP OFF;*RST")
    assert ask(board, b"STAT:QUES:COND?") == b"%d" % WATCHDOG
    board.set_interlock(False)
    board.execute(b"OUTP ON")
    assert errors(board) == [101]
    assert int(ask(board, b"STAT:QUES:COND?")) == WATCHDOG | INTERLOCK
    board.set_interlock(True)
    tell(board, b"OUTP ON")
    assert ask(board, b"STAT:QUES:COND?") == b"0"


def test_watchdog_in_real_time(board):
    tell(board, b"SYST:WATC 0.05;:" + DRIVE)

    def has_fired():
        board.watch()
        return not board.crossbar.outputs_on

    wait_until(has_fired)
    assert errors(board) == [102]


def test_opening_the_interlock_opens_everything(board):
    tell(board, DRIVE)
    board.set_interlock(False)
    assert ask(board, b"OUTP:INT?;:OUTP?") == b"0;0"
    assert closed_switches(board) == 0
    assert int(ask(board, b"STAT:QUES:COND?")) == INTERLOCK
    board.set_interlock(True)
    assert ask(board, b"OUTP:INT?;:OUTP?") == b"1;0"
    assert closed_switches(board) == 0
    assert ask(board, b"STAT:QUES:COND?;EVEN?;EVEN?") == b"0;%d;0" % INTERLOCK
    tell(board, b"OUTP ON")


def test_overload_is_in_the_status_until_a_reading_without(board):
    tell(board, b"CURR:RANG 1E-6;:" + DRIVE)
    ask(board, b"READ?")
    assert ask(board, b"STAT:QUES:COND?") == b"%d" % OVERLOAD
    tell(board, b"CURR:RANG 1E-2")
    assert ask(board, b"STAT:QUES:COND?") == b"%d" % OVERLOAD
    ask(board, b"READ?")
    assert ask(board, b"STAT:QUES:COND?;EVEN?;EVEN?") == b"0;%d;0" % OVERLOAD


def test_one_overloaded_reading_of_many_counts(board):
    tell(board, b"CURR:RANG 1E-6;:" + DRIVE)
    ask(board, b"MEAS:MVM? " + floats([[0, 0, 0], [0, 0, 0]]))
    assert ask(board, b"STAT:QUES:COND?") == b"0"
    ask(board, b"MEAS:MVM? " + floats([[0, 0, 0], [0.9, 0, 0], [0, 0, 0]]))
    assert ask(board, b"STAT:QUES:COND?") == b"%d" % OVERLOAD


def test_measuring_is_an_event_and_over_when_it_is_answered(board):
    assert ask(board, b"STAT:OPER?") == b"0"
    ask(board, b"READ?")
    assert ask(board, b"STAT:OPER:COND?;EVEN?;EVEN?") == b"0;16;0"


def test_status_byte_sums_up(board):
    ask(board, b"*ESR?")
    tell(board, b"STAT:QUES:ENAB %d;:STAT:OPER:ENAB 16;*ESE 8;*SRE 8" % INTERLOCK)
    assert ask(board, b"STAT:QUES:ENAB?;:STAT:OPER:ENAB?;*STB?") == b"%d;16;0" % INTERLOCK
    board.set_interlock(False)
    assert int(ask(board, b"*STB?")) == 8 | 64
    board.execute(b"OUTP ON")
    assert int(ask(board, b"*STB?")) == 4 | 8 | 32 | 64
    ask(board, b"READ?")
    assert int(ask(board, b"*STB?")) == 4 | 8 | 32 | 64 | 128
    tell(board, b"*CLS;STAT:PRES")
    assert ask(board, b"*STB?;STAT:QUES:ENAB?;:STAT:OPER:ENAB?") == b"0;0;0"


@pytest.mark.parametrize(
    ("message", "bit"),
    [(b"NONSENSE", 1 << 5), (b"SOUR1 7", 1 << 4), (b"MEAS:SCAN?", 1 << 3)],
)
def test_errors_set_their_event_bit(board, message, bit):
    ask(board, b"*ESR?")
    board.execute(message)
    assert int(ask(board, b"*ESR?")) == bit
