"""Every command of the protocol, as the page describes it."""

import zlib

import numpy as np
import pytest

from tests.support.simulated_boards import (
    NO_NOISE,
    NO_WIRE,
    TINY,
    ask,
    block,
    changed,
    errors,
    floats,
    floats_of,
    on_the_wire,
    payload,
    scan_list,
    switched_on,
    tell,
)

ROWS, COLUMNS, BRANCHES = 3, 5, 2
BITS = ROWS * COLUMNS * BRANCHES


@pytest.fixture
def board():
    return on_the_wire()


def pattern_of(board):
    bits = np.unpackbits(np.frombuffer(payload(ask(board, b"ROUT:PATT?")), np.uint8))
    assert not bits[BITS:].any()
    return bits[:BITS].astype(bool).reshape(ROWS, COLUMNS, BRANCHES)


def crc_32(data):
    """ISO-HDLC, bit by bit."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def test_crc_of_the_page():
    assert crc_32(b"123456789") == 0xCBF43926


def test_identity(board):
    assert ask(board, b"*IDN?") == b"OHMSUM,CROSSBAR 8x4,B000004,1.0"


def test_self_test_passes(board):
    assert ask(board, b"*TST?") == b"0"


def test_mandatory_commands(board):
    assert ask(board, b"*ESR?") == b"128"  # power on
    tell(board, b"*ESE 36;*SRE 32;*WAI;*OPC")
    assert ask(board, b"*ESE?;*SRE?;*OPC?;*ESR?;*STB?") == b"36;32;1;1;0"
    assert ask(board, b"SYST:VERS?") == b"1999.0"


def test_error_queue(board):
    board.execute(b"NONSENSE;:SOUR99 1;:SOUR1 7")
    assert ask(board, b"SYST:ERR:COUN?") == b"3"
    assert ask(board, b"SYSTem:ERRor:NEXT?").startswith(b'-113,"Undefined header')
    assert ask(board, b"SYST:ERR?").startswith(b'-114,"Header suffix out of range')
    assert ask(board, b"SYST:ERR?").startswith(b'-222,"Data out of range')
    assert ask(board, b"SYST:ERR?") == b'0,"No error"'
    board.execute(b"NONSENSE")
    tell(board, b"*CLS")


def test_what_the_board_is(board):
    assert ask(board, b"SYSTem:BOARd:SHAPe?") == b"3,5,2"
    np.testing.assert_allclose(
        floats_of(ask(board, b"SYST:BOAR:NOM?")), [1e5, 1e5 * 10**0.5], rtol=1e-6
    )
    assert ask(board, b"SYST:LFR?") == b"50"
    assert float(ask(board, b"SOUR:VOLT:RANG?")) == 1
    catalog = [float(text) for text in ask(board, b"CURR:RANG:CAT?").split(b",")]
    assert catalog == [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]


def test_line_frequency_is_that_of_the_environment():
    board = on_the_wire(changed(TINY, environment={"line_hertz": 60.0}))
    assert ask(board, b"SYST:LFR?") == b"60"
    tell(board, b"CURR:NPLC 3")
    assert float(ask(board, b"CURR:APER?")) == pytest.approx(0.05)


def test_board_time_counts_what_readings_take(board):
    start = float(ask(board, b"SYST:TIME?"))
    ask(board, b"READ? 10")
    assert float(ask(board, b"SYST:TIME?")) - start == pytest.approx(0.001 + 10 * 0.02)


@pytest.mark.parametrize(
    ("header", "sent", "held"),
    [
        (b"CURR:APER", b"10E-6", 1e-5),
        (b"SENSe:CURRent:APERture", b"10 S", 10.0),
        (b"CURR:APER", b"20 MS", 0.02),
        (b"CURR:APER", b"MAX", 10.0),
        (b"CURR:NPLC", b"1", 1.0),
        (b"CURR:NPLC", b"0.5", 0.5),
        (b"TRIG:DEL", b"0", 0.0),
        (b"TRIGger:DELay", b"2.5ms", 2.5e-3),
        (b"SYST:WATC", b"3600", 3600.0),
        (b"SYSTem:WATChdog", b"MIN", 0.0),
        (b"CURR:RANG", b"10 MA", 0.01),
        (b"CURR:RANG", b"2E-6", 3e-6),
        (b"CURR:RANG", b"0", 1e-6),
        (b"CURR:RANG", b"3.00001E-6", 1e-5),
        (b"SOUR2", b"0.5", 0.5),
        (b"SOURce3:VOLTage:LEVel", b"-1", -1.0),
        (b"SOUR:VOLT", b"250 MV", 0.25),
        (b"SOUR1", b"1", 1 - 2**-15),
        (b"SOUR1", b"0.00002", 2**-15),
    ],
)
def test_settings_are_answered_as_they_are_held(board, header, sent, held):
    tell(board, header + b" " + sent)
    assert float(ask(board, header + b"?")) == pytest.approx(held, rel=1e-12)


def test_aperture_and_line_cycles_are_one_setting(board):
    tell(board, b"CURR:NPLC 2")
    assert float(ask(board, b"CURR:APER?")) == pytest.approx(0.04)
    tell(board, b"CURR:APER 0.1")
    assert float(ask(board, b"CURR:NPLC?")) == pytest.approx(5)


def test_compound_message_of_the_page(board):
    tell(board, b"SENS:CURR:APER 0.05;RANG 1E-3")
    assert ask(board, b"CURR:APER?;RANG?;:OUTP?") == b"5.0E-2;1.0E-3;0"


def test_row_voltages_one_by_one_and_all_at_once(board):
    tell(board, b"SOUR2 0.25;:SOUR3 -0.5")
    assert floats_of(ask(board, b"SOUR:VOLT:ALL?")).tolist() == [0, 0.25, -0.5]
    tell(board, b"SOUR:VOLT:ALL " + floats([1, -1, 0.3]))
    held = [1 - 2**-15, -1, np.rint(np.float32(0.3) * 2**15) / 2**15]
    assert floats_of(ask(board, b"SOUR:VOLT:ALL?")).tolist() == held
    assert float(ask(board, b"SOUR3?")) == held[2]


def test_outputs_connect_the_rows(board):
    assert ask(board, b"OUTP?;:OUTP:INT?") == b"0;1"
    tell(board, b"CURR:RANG 3E-5;:ROUT:PROB 1,1;:SOUR1 0.9")
    off = floats_of(ask(board, b"READ?"))
    tell(board, b"OUTPut:STATe ON")
    on = floats_of(ask(board, b"READ?"))
    assert ask(board, b"OUTP:STAT?") == b"1"
    assert (np.abs(off) < 1e-9).all()
    assert (on > 7e-6).all()
    tell(board, b"OUTP 0")
    assert (np.abs(floats_of(ask(board, b"READ?"))) < 1e-9).all()


def test_switches_one_by_one(board):
    tell(board, b"ROUT:CLOS 2,4,1;CLOS 3,5,2;CLOS 1,1,1;OPEN 1,1,1")
    expected = np.zeros((ROWS, COLUMNS, BRANCHES), dtype=bool)
    expected[1, 3, 0] = expected[2, 4, 1] = True
    np.testing.assert_array_equal(pattern_of(board), expected)
    assert ask(board, b"ROUT:CLOS? 2,4,1;CLOS? 2,4,2;CLOS? 1,1,1") == b"1;0;0"
    tell(board, b"ROUTe:OPEN:ALL")
    assert not pattern_of(board).any()


def test_probe_closes_one_branch_of_one_row_in_every_column(board):
    tell(board, b"ROUT:CLOS 1,1,1;PROB 3,2")
    expected = np.zeros((ROWS, COLUMNS, BRANCHES), dtype=bool)
    expected[2, :, 1] = True
    np.testing.assert_array_equal(pattern_of(board), expected)
    tell(board, b"ROUT:PROB 3,0")
    assert not pattern_of(board).any()


def test_pattern_bits_run_over_branches_then_columns_then_rows(board):
    tell(board, b"ROUT:CLOS 1,1,1")
    assert payload(ask(board, b"ROUT:PATT?")) == bytes([0x80, 0, 0, 0])
    tell(board, b"ROUT:OPEN:ALL;:ROUT:CLOS 1,1,2")
    assert payload(ask(board, b"ROUT:PATT?")) == bytes([0x40, 0, 0, 0])
    tell(board, b"ROUT:OPEN:ALL;:ROUT:CLOS 1,2,1")
    assert payload(ask(board, b"ROUT:PATT?")) == bytes([0x20, 0, 0, 0])
    tell(board, b"ROUT:OPEN:ALL;:ROUT:CLOS 2,1,1")
    assert payload(ask(board, b"ROUT:PATT?")) == bytes([0, 0x20, 0, 0])
    tell(board, b"ROUT:OPEN:ALL;:ROUT:CLOS 3,5,2")
    assert payload(ask(board, b"ROUT:PATT?")) == bytes([0, 0, 0, 0x04])


def test_pattern_comes_back_with_its_crc(board):
    random = np.random.default_rng(1)
    for _ in range(20):
        packed = np.packbits(random.random(BITS) < 0.5).tobytes()
        tell(board, b"ROUT:PATT " + block(packed) + b",%d" % crc_32(packed))
        assert payload(ask(board, b"ROUT:PATT?")) == packed
        assert int(ask(board, b"ROUT:PATT:CRC?")) == crc_32(packed)


def test_crc_may_come_in_hexadecimal(board):
    packed = bytes([0xFF, 0, 0x0A, 0])  # a line feed inside the block
    tell(board, b"ROUT:PATT " + block(packed) + b",#H%X" % crc_32(packed))
    assert payload(ask(board, b"ROUT:PATT?")) == packed


def noiseless():
    board = on_the_wire(changed(TINY, NO_NOISE, NO_WIRE))
    tell(board, b"OUTP ON;:CURR:RANG 3E-5")
    return board


def test_readings_come_reading_by_reading(board):
    tell(board, b"CURR:RANG 3E-5;:SOUR1 0.9;:OUTP ON;:ROUT:CLOS 1,2,1;CLOS 1,4,2")
    assert len(floats_of(ask(board, b"READ?"))) == COLUMNS
    readings = floats_of(ask(board, b"READ? 6")).reshape(6, COLUMNS)
    assert (readings[:, 1] > 7e-6).all()
    assert (readings[:, 3] > 2e-6).all()
    assert (np.abs(readings[:, [0, 2, 4]]) < 1e-8).all()
    assert (readings.std(axis=0) > 0).all()


def test_positive_current_flows_into_the_amplifier():
    board = noiseless()
    tell(board, b"ROUT:PROB 2,1;:SOUR2 -0.5")
    assert (floats_of(ask(board, b"READ?")) < -4e-6).all()


def test_products_are_those_of_the_electronics():
    board, twin = noiseless(), switched_on(changed(TINY, NO_NOISE, NO_WIRE), 4)
    twin.configure(range_amperes=3e-5)
    packed = np.packbits(np.random.default_rng(2).random(BITS) < 0.5)
    tell(board, b"ROUT:PATT " + block(packed.tobytes()) + b",%d" % zlib.crc32(packed.tobytes()))
    bits = np.unpackbits(packed, count=BITS).astype(bool)
    twin.apply(bits.reshape(ROWS, COLUMNS, BRANCHES))
    vectors = np.random.default_rng(3).uniform(-1, 1, (7, ROWS)).astype(np.float32)
    tell(board, b"SOUR1 0.7")
    answers = floats_of(ask(board, b"MEAS:MVM? " + floats(vectors))).reshape(7, COLUMNS)
    np.testing.assert_allclose(answers, twin.column_currents(vectors), rtol=1e-6, atol=1e-14)
    assert not floats_of(ask(board, b"SOUR:VOLT:ALL?")).any()
    assert payload(ask(board, b"ROUT:PATT?")) == packed.tobytes()


def test_scan_is_probe_after_probe():
    board = noiseless()
    listed = [(1, 1, 0.5), (3, 0, 0.5), (3, 2, -0.25), (2, 1, 1.0)]
    tell(board, b"ROUT:SCAN " + scan_list(*listed))
    assert ask(board, b"ROUT:SCAN:POIN?") == b"4"
    tell(board, b"ROUT:CLOS 1,1,1;:SOUR2 0.7")
    answers = floats_of(ask(board, b"MEAS:SCAN? 2")).reshape(4, 2, COLUMNS)
    assert not pattern_of(board).any()
    assert not floats_of(ask(board, b"SOUR:VOLT:ALL?")).any()
    assert len(floats_of(ask(board, b"MEAS:SCAN?"))) == 4 * COLUMNS
    for point, (row, branch, volts) in enumerate(listed):
        tell(board, b"ROUT:PROB %d,%d;:SOUR:VOLT:ALL " % (row, branch) + floats([0, 0, 0]))
        tell(board, b"SOUR%d %r" % (row, volts))
        by_hand = floats_of(ask(board, b"READ? 2")).reshape(2, COLUMNS)
        np.testing.assert_allclose(answers[point], by_hand, rtol=1e-6, atol=1e-14)
    assert (np.abs(answers[1]) < 1e-7).all()
    assert (np.abs(answers[[0, 2, 3]]) > 5e-7).all()


def test_empty_scan_list_answers_an_empty_block(board):
    tell(board, b"OUTP ON;:ROUT:SCAN " + scan_list((1, 1, 0.5)))
    tell(board, b"ROUT:SCAN #10")
    assert ask(board, b"ROUT:SCAN:POIN?;:MEAS:SCAN?") == b"0;#10"


def test_scan_list_of_the_greatest_length(board):
    tell(board, b"ROUT:SCAN " + scan_list(*[(1, 1, 0.5)] * 65_535))
    assert ask(board, b"ROUT:SCAN:POIN?") == b"65535"


def test_overload_is_never_a_number_clipped(board):
    tell(board, b"CURR:RANG 1E-6;:OUTP ON;:ROUT:CLOS 1,3,1;:SOUR1 -0.9")
    (reading,) = floats_of(ask(board, b"READ?")).reshape(1, COLUMNS)
    assert reading[2] == np.float32(9.9e37)
    assert (np.abs(reading[[0, 1, 3, 4]]) < 1e-8).all()
    products = floats_of(ask(board, b"MEAS:MVM? " + floats([0.9, 0, 0]))).tolist()
    assert products[2] == np.float32(9.9e37)
    tell(board, b"ROUT:SCAN " + scan_list((1, 1, 0.9)))
    assert (floats_of(ask(board, b"MEAS:SCAN?")) == np.float32(9.9e37)).all()
    assert errors(board) == []


def test_one_message_may_ask_much(board):
    answer = ask(board, b"*IDN?;:ROUT:PATT?;CLOS? 1,1,1;:SOUR3?;:CURR:RANG?;APER?")
    head, rest = answer.split(b";", 1)
    assert head.startswith(b"OHMSUM")
    assert rest == b"#14\0\0\0\0;0;0.0E+0;1.0E-2;2.0E-2"


def test_board_says_where_its_time_went_and_how_warm_it_is():
    board = on_the_wire(changed(TINY, environment={"sensor_kelvin": 0.1}))
    tell(board, b"OUTP ON;:CURR:APER 0.02;:TRIG:DEL 0.005")
    ask(board, b"MEAS:MVM? " + floats(np.zeros((4, 3))))
    settling, integrating, talking = (
        float(text) for text in ask(board, b"SYST:TIME:SETT?;INT?;TALK?").split(b";")
    )
    assert settling == pytest.approx(4 * 0.005)
    assert integrating == pytest.approx(4 * 0.02)
    assert float(ask(board, b"SYST:TIME?")) == pytest.approx(settling + integrating)
    assert talking > 100 / board.crossbar.preset.host_link.bytes_per_second
    later = float(ask(board, b"SYST:TIME:TALK?"))
    assert later > talking
    assert abs(float(ask(board, b"SYST:TEMP?")) - 296.15) <= 0.1
