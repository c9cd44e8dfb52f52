"""What the board must refuse, with which number, and that a refusal changes nothing."""

import zlib

import numpy as np
import pytest

from tests.support.simulated_boards import (
    ask,
    block,
    changed,
    errors,
    floats,
    floats_of,
    on_the_wire,
    scan_list,
    small,
    tell,
)

STATE = (
    b"OUTP?;:SOUR:VOLT:ALL?;:ROUT:PATT?;SCAN:POIN?;:CURR:RANG?;APER?;:TRIG:DEL?"
    b";:SYST:WATC?;TIME?;:STAT:QUES:COND?;:STAT:OPER:COND?"
)
PATTERN = bytes([0xA5, 0x5A, 0xFF, 0x04])
CRC = zlib.crc32(PATTERN)
NAN, INFINITE = float("nan"), float("inf")


@pytest.fixture
def board():
    """A board in a state that no refusal could leave as it is by accident."""
    board = on_the_wire()
    tell(board, b"ROUT:PATT " + block(PATTERN) + b",%d" % CRC)
    tell(board, b"ROUT:SCAN " + scan_list((2, 1, 0.5)))
    tell(board, b"SOUR:VOLT:ALL " + floats([0.25, -0.5, 0.75]))
    tell(board, b"OUTP ON;:CURR:RANG 3E-4;APER 0.01;:TRIG:DEL 0.002;:SYST:WATC 3000")
    return board


@pytest.mark.parametrize(
    ("message", "number"),
    [
        # rows
        (b"SOUR0 0.1", -114),
        (b"SOUR4 0.1", -114),
        (b"SOUR4?", -114),
        (b"SOUR99:VOLT:LEV 0.1", -114),
        (b"SOUR1 1.0001", -222),
        (b"SOUR1 -1.0001", -222),
        (b"SOUR1 9.9E37", -222),
        (b"SOUR1 1 A", -131),
        (b"SOUR1 ALOT", -141),
        (b"SOUR1 #14abcd", -104),
        (b"SOUR1 0.1,0.2", -108),
        (b"SOUR1", -109),
        (b"SOUR:VOLT:ALL " + floats([0.1, 0.1]), -222),
        (b"SOUR:VOLT:ALL " + floats([0.1] * 4), -222),
        (b"SOUR:VOLT:ALL " + floats([0.1] * 6), -222),
        (b"SOUR:VOLT:ALL #10", -222),
        (b"SOUR:VOLT:ALL #3012" + bytes(11), -161),
        (b"SOUR:VOLT:ALL #0" + bytes(12), -161),
        (b"SOUR:VOLT:ALL " + floats([0.1, NAN, 0.1]), -222),
        (b"SOUR:VOLT:ALL " + floats([0.1, 0.1, INFINITE]), -222),
        (b"SOUR:VOLT:ALL " + floats([0.1, 0.1, -1.001]), -222),
        (b"SOUR:VOLT:ALL 0.1", -104),
        (b"OUTP MAYBE", -141),
        (b"OUTP", -109),
        # switches
        (b"ROUT:PROB 0,1", -222),
        (b"ROUT:PROB 4,1", -222),
        (b"ROUT:PROB 1,3", -222),
        (b"ROUT:PROB 1,-1", -222),
        (b"ROUT:PROB 1", -109),
        (b"ROUT:PROB 1.5,1", -104),
        (b"ROUT:CLOS 1,6,1", -222),
        (b"ROUT:CLOS 4,1,1", -222),
        (b"ROUT:CLOS 1,1,0", -222),
        (b"ROUT:CLOS 1,1,1,1", -108),
        (b"ROUT:CLOS? 1,6,1", -222),
        (b"ROUT:CLOS? 1,1", -109),
        (b"ROUT:OPEN 1,1,3", -222),
        (b"ROUT:OPEN 1,1", -109),
        (b"ROUT:OPEN:ALL 1", -108),
        (b"ROUT:PATT " + block(bytes(4)) + b",1", 103),
        (b"ROUT:PATT " + block(PATTERN) + b",%d" % (CRC ^ 1), 103),
        (b"ROUT:PATT " + block(bytes(3)) + b",%d" % zlib.crc32(bytes(3)), -222),
        (b"ROUT:PATT " + block(bytes(5)) + b",%d" % zlib.crc32(bytes(5)), -222),
        (b"ROUT:PATT " + block(bytes(4)), -109),
        (b"ROUT:PATT " + block(bytes(4)) + b",4294967296", -222),
        # settings
        (b"CURR:RANG 1.0001E-2", -222),
        (b"CURR:RANG -1E-6", -222),
        (b"CURR:RANG 1 V", -131),
        (b"CURR:APER 9E-6", -222),
        (b"CURR:APER 10.01", -222),
        (b"CURR:NPLC 501", -222),
        (b"CURR:NPLC 1 S", -131),
        (b"TRIG:DEL -1E-3", -222),
        (b"TRIG:DEL 10.01", -222),
        (b"SYST:WATC 3601", -222),
        (b"SYST:WATC -1", -222),
        # readings
        (b"READ? 0", -222),
        (b"READ? 10001", -222),
        (b"READ? 1.5", -104),
        (b"READ? 1,1", -108),
        (b"MEAS:MVM?", -109),
        (b"MEAS:MVM? #10", -222),
        (b"MEAS:MVM? " + floats([0.1] * 4), -222),
        (b"MEAS:MVM? " + floats([0.1] * 5 + [NAN]), -222),
        (b"MEAS:MVM? " + floats([0.1] * 5 + [-INFINITE]), -222),
        (b"MEAS:MVM? " + floats([1.5] + [0.1] * 5), -222),
        (b"MEAS:SCAN? 0", -222),
        (b"MEAS:SCAN? 10001", -222),
        (b"ROUT:SCAN " + scan_list((0, 1, 0.5)), -222),
        (b"ROUT:SCAN " + scan_list((1, 1, 0.5), (4, 1, 0.5)), -222),
        (b"ROUT:SCAN " + scan_list((1, 3, 0.5)), -222),
        (b"ROUT:SCAN " + scan_list((1, 65535, 0.5)), -222),
        (b"ROUT:SCAN " + scan_list((1, 1, 1.5)), -222),
        (b"ROUT:SCAN " + scan_list((1, 1, NAN)), -222),
        (b"ROUT:SCAN #17" + bytes(7), -222),
        (b"ROUT:SCAN " + scan_list(*[(1, 1, 0.5)] * 65_536), -223),
        # no such thing
        (b"SOUR:CURR 1", -113),
        (b"ROUTE:PROBES 1,1", -113),
        (b"ROUT:PATT:CRC 1", -113),
        (b"OUTP:INT ON", -113),
        (b"SYST:BOAR:SHAP 1", -113),
        (b"CURR2:RANG?", -113),
        (b"ROUT:PROBABILITIES 1,1", -112),
        (b"SOUR1 1..2", -120),
        (b"SOUR1 'half", -151),
    ],
    ids=lambda value: str(value[:30] if isinstance(value, bytes) else value),
)
def test_refused_by_number_and_without_a_trace(board, message, number):
    before = ask(board, STATE)
    assert board.execute(message) == b""
    assert errors(board) == [number]
    assert ask(board, STATE) == before


def test_a_refused_scan_list_leaves_the_old_one(board):
    tell(board, b"CURR:RANG 3E-5")
    board.execute(b"ROUT:SCAN " + scan_list((1, 1, 0.5), (2, 3, 0.5)))
    assert errors(board) == [-222]
    (amperes,) = floats_of(ask(board, b"MEAS:SCAN?")).reshape(1, 5)
    tell(board, b"ROUT:PROB 2,1;:SOUR2 0.5")
    np.testing.assert_allclose(floats_of(ask(board, b"READ?")), amperes, atol=1e-9)


@pytest.mark.parametrize(
    "message",
    [b"MEAS:SCAN?", b"MEAS:MVM? " + floats([0.1] * 3), b"MEAS:MVM? " + floats([NAN] * 3)],
)
def test_no_product_and_no_scan_while_the_outputs_are_off(board, message):
    tell(board, b"OUTP OFF")
    before = ask(board, STATE)
    assert board.execute(message) == b""
    assert errors(board) == [104]
    assert ask(board, STATE) == before


def test_no_outputs_while_the_interlock_is_open(board):
    board.set_interlock(False)
    before = ask(board, STATE)
    board.execute(b"OUTP ON")
    assert errors(board) == [101]
    assert ask(board, STATE) == before
    tell(board, b"OUTP OFF")
    board.set_interlock(True)
    assert ask(board, b"OUTP?") == b"0"
    tell(board, b"OUTP ON")


def test_more_than_16_mib_in_one_answer(board):
    tell(board, b"ROUT:SCAN " + scan_list(*[(1, 1, 0.5)] * 1000))
    before = ask(board, STATE)
    too_many = 16 * 2**20 // (1000 * 5 * 4) + 1
    board.execute(b"MEAS:SCAN? %d" % too_many)
    assert errors(board) == [-223]
    assert ask(board, STATE) == before


def test_more_than_16_mib_of_products():
    wide = on_the_wire(changed(small(), shape={"rows": 1, "columns": 512, "branches": 1}))
    tell(wide, b"OUTP ON")
    before = ask(wide, STATE)
    wide.execute(b"MEAS:MVM? " + floats(np.zeros(16 * 2**20 // (512 * 4) + 1)))
    assert errors(wide) == [-223]
    assert ask(wide, STATE) == before


def test_an_error_does_not_stop_the_units_behind_it(board):
    answer = board.execute(b"SOUR1 0.5;:SOUR9 1;:ROUT:PROB 9,1;:SOUR2 0.5;:SOUR1?;:SOUR2?")
    assert answer == b"5.0E-1;5.0E-1\n"
    assert errors(board) == [-114, -222]


def test_device_errors_say_what_they_are(board):
    board.execute(b"ROUT:PATT " + block(bytes(4)) + b",1")
    assert ask(board, b"SYST:ERR?").startswith(b'103,"Pattern CRC mismatch')
    tell(board, b"OUTP OFF")
    board.execute(b"MEAS:SCAN?")
    assert ask(board, b"SYST:ERR?").startswith(b'104,"Outputs are off')
    board.set_interlock(False)
    board.execute(b"OUTP ON")
    assert ask(board, b"SYST:ERR?").startswith(b'101,"Interlock open')


def test_an_overlong_message_is_reported(board):
    board.overrun()
    assert errors(board) == [-363]
