"""Every limit of docs/board-protocol.md: the last value allowed and the first one refused.

The numbers are written out as the page has them, so that a constant of the simulator that moves
away from the page is found here.
"""

import pytest
from pydantic import ValidationError

from simulator.scpi import Command, Engine, Framer, Integer, Overrun, ScpiError, Status
from tests.support.simulated_boards import (
    TINY,
    ask,
    block,
    changed,
    errors,
    on_the_wire,
    payload,
    scan_list,
    small,
    tell,
)

MIB = 1_048_576


@pytest.fixture
def board():
    """A board of 3 rows, 5 columns and 2 branches with its outputs on."""
    board = on_the_wire()
    tell(board, b"OUTP ON")
    return board


@pytest.mark.parametrize(
    ("allowed", "refused", "number"),
    [
        # parameters with a unit (section 2.3)
        (b"SOUR1 1", b"SOUR1 1.000001", -222),
        (b"SOUR1 -1", b"SOUR1 -1.000001", -222),
        (b"CURR:RANG 0", b"CURR:RANG -1E-9", -222),
        (b"CURR:RANG 1.0000009E-2", b"CURR:RANG 1.0000011E-2", -222),
        (b"CURR:APER 1E-5", b"CURR:APER 9.999999E-6", -222),
        (b"CURR:APER 10", b"CURR:APER 10.00001", -222),
        (b"CURR:NPLC 5E-4", b"CURR:NPLC 4.999999E-4", -222),
        (b"CURR:NPLC 500", b"CURR:NPLC 500.0001", -222),
        (b"TRIG:DEL 0", b"TRIG:DEL -1E-9", -222),
        (b"TRIG:DEL 10", b"TRIG:DEL 10.00001", -222),
        (b"SYST:WATC 0", b"SYST:WATC -1E-9", -222),
        (b"SYST:WATC 3600", b"SYST:WATC 3600.001", -222),
        # places on the board
        (b"SOUR1 0.5", b"SOUR0 0.5", -114),
        (b"SOUR3 0.5", b"SOUR4 0.5", -114),
        (b"ROUT:PROB 1,0", b"ROUT:PROB 0,0", -222),
        (b"ROUT:PROB 3,1", b"ROUT:PROB 4,1", -222),
        (b"ROUT:PROB 1,0", b"ROUT:PROB 1,-1", -222),
        (b"ROUT:PROB 1,2", b"ROUT:PROB 1,3", -222),
        (b"ROUT:CLOS 1,1,1", b"ROUT:CLOS 0,1,1", -222),
        (b"ROUT:CLOS 1,1,1", b"ROUT:CLOS 1,0,1", -222),
        (b"ROUT:CLOS 1,1,1", b"ROUT:CLOS 1,1,0", -222),
        (b"ROUT:CLOS 3,5,2", b"ROUT:CLOS 4,5,2", -222),
        (b"ROUT:CLOS 3,5,2", b"ROUT:CLOS 3,6,2", -222),
        (b"ROUT:CLOS 3,5,2", b"ROUT:CLOS 3,5,3", -222),
        (b"ROUT:SCAN " + scan_list((3, 2, 1.0)), b"ROUT:SCAN " + scan_list((4, 2, 1.0)), -222),
        (b"ROUT:SCAN " + scan_list((3, 2, 1.0)), b"ROUT:SCAN " + scan_list((3, 3, 1.0)), -222),
        (b"ROUT:SCAN " + scan_list((1, 0, -1)), b"ROUT:SCAN " + scan_list((1, 0, -1.0001)), -222),
        # registers
        (b"*ESE 255", b"*ESE 256", -222),
        (b"*ESE 0", b"*ESE -1", -222),
        (b"*SRE 255", b"*SRE 256", -222),
        (b"STAT:QUES:ENAB 65535", b"STAT:QUES:ENAB 65536", -222),
        (b"STAT:OPER:ENAB 65535", b"STAT:OPER:ENAB 65536", -222),
        # digits of a number: leading zeros, signs and the exponent do not count
        (b"SOUR1 -00." + b"1" * 255 + b"E-001", b"SOUR1 0." + b"1" * 256, -120),
        (b"*ESE " + b"0" * 256 + b"1", b"*ESE 1." + b"0" * 255, -120),
        (b"*ESE #H" + b"0" * 256 + b"1", b"*ESE #H" + b"1" * 256, -120),
        (b"*ESE #H" + b"0" * 256 + b"1", b"*ESE #H" + b"1" * 255, -222),
    ],
    ids=lambda value: str(value[:24] if isinstance(value, bytes) else value),
)
def test_last_value_allowed_and_first_refused(board, allowed, refused, number):
    tell(board, allowed)
    assert board.execute(refused) == b""
    assert errors(board) == [number]


@pytest.mark.parametrize("query", [b"READ?", b"MEAS:SCAN?"])
def test_readings_of_one_query(board, query):
    for count in (1, 10_000):
        ask(board, query + b" %d" % count)
        assert errors(board) == []
    for count in (0, 10_001):
        assert board.execute(query + b" %d" % count) == b""
        assert errors(board) == [-222]


def test_a_range_takes_what_is_a_millionth_above_it(board):
    tell(board, b"CURR:RANG 3.0000029E-5")
    assert float(ask(board, b"CURR:RANG?")) == pytest.approx(3e-5)
    tell(board, b"CURR:RANG 3.0000031E-5")
    assert float(ask(board, b"CURR:RANG?")) == pytest.approx(1e-4)


def test_crc_of_a_pattern_has_32_bits(board):
    pattern = b"ROUT:PATT " + block(bytes(4))
    board.execute(pattern + b",4294967295;" + b":" + pattern + b",4294967296")
    assert errors(board) == [103, -222]


def test_points_of_a_scan_list(board):
    tell(board, b"ROUT:SCAN " + scan_list(*[(1, 1, 0.5)] * 65_535))
    board.execute(b"ROUT:SCAN " + scan_list(*[(1, 1, 0.5)] * 65_536))
    assert errors(board) == [-223]
    assert ask(board, b"ROUT:SCAN:POIN?") == b"65535"


def test_characters_of_a_keyword(board):
    board.execute(b"ABCDEFGHIJKL 1")
    board.execute(b"ABCDEFGHIJKLM 1")
    assert errors(board) == [-113, -112]


def test_units_of_a_message(board):
    assert ask(board, b";".join([b"*OPC?"] * 1024)) == b";".join([b"1"] * 1024)
    assert errors(board) == []
    assert ask(board, b";".join([b"*OPC?"] * 1025)) == b";".join([b"1"] * 1024)
    assert errors(board) == [-223]


def test_bytes_of_one_query():
    wide = on_the_wire(changed(small(), shape={"rows": 1, "columns": 512, "branches": 1}))
    assert len(payload(ask(wide, b"READ? 8192"))) == 16 * MIB
    assert wide.execute(b"READ? 8193") == b""
    assert errors(wide) == [-223]


def test_bytes_of_a_response():
    status = Status()
    engine = Engine([Command("FILL?", bytes, (Integer(0, 17 * MIB),))], status)
    fits = 16 * MIB - len(b"#816777206")
    assert engine.execute(b"FILL? %d;*OPC?" % fits).endswith(b";1\n")
    assert status.count == 0
    assert not engine.execute(b"FILL? %d;*OPC?" % (fits + 1)).endswith(b";1\n")
    assert status.next_error().startswith("-223,")


def test_entries_of_an_error_queue(board):
    for _ in range(32):
        board.execute(b"NONSENSE")
    assert ask(board, b"SYST:ERR:COUN?") == b"32"
    assert errors(board) == [-113] * 32
    for _ in range(33):
        board.execute(b"NONSENSE")
    assert errors(board) == [-113] * 31 + [-350]


def test_characters_of_an_error_entry():
    status = Status({101: "Interlock open"})
    room = 255 - len("Interlock open;")
    for length in (room, room + 1):
        status.report(ScpiError(101, "x" * length))
        assert status.next_error() == '101,"Interlock open;' + "x" * room + '"'


def test_bytes_of_a_program_message():
    def framed(length):
        head = b"D #8%08d" % length
        (message,) = Framer().feed(head + bytes(length) + b"\n")
        return message

    fits = 16 * MIB - len(b"D #816777206")
    assert len(framed(fits)) == 16 * MIB
    assert framed(fits + 1) == Overrun()


def test_bytes_of_a_message_outside_its_blocks():
    stream = b"A" * 65_536 + b"\n" + b"A" * 65_537 + b"\nB\n"
    assert list(Framer().feed(stream)) == [b"A" * 65_536, Overrun(), b"B"]


def test_a_block_that_is_too_long_is_skipped_up_to_256_mib():
    framer = Framer()
    assert list(framer.feed(b"D #9268435456")) == []
    line_feeds = b"\n" * MIB
    for _ in range(256):
        assert list(framer.feed(line_feeds)) == []
    assert list(framer.feed(b"\nB\n")) == [Overrun(), b"B"]
    assert list(framer.feed(b"D #9268435457\nB\n")) == [Overrun(), b"B"]


@pytest.mark.parametrize(("readings", "gives_way"), [(9_999, False), (10_000, True)])
def test_readings_after_which_others_go_first(board, readings, gives_way):
    steps = board.session.steps(b"READ? %d;:READ?" % readings)
    assert (None in list(steps)) == gives_way


def test_characters_of_a_board_type():
    sections = TINY.model_dump()
    assert type(TINY).model_validate(sections | {"name": "x" * 32}).name == "x" * 32
    with pytest.raises(ValidationError, match="name"):
        type(TINY).model_validate(sections | {"name": "x" * 33})
