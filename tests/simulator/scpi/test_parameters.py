"""Parameters: what is accepted, with which value, and with which number the rest is refused."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.scpi.answers import format_real

APERTURE = "[SENSe:]CURRent:APERture"
RANGE = "[SENSe:]CURRent:RANGe"


@pytest.mark.parametrize(
    ("message", "header", "value"),
    [
        (b"CURR:APER 20 MS", APERTURE, 0.02),
        (b"CURR:APER 20ms", APERTURE, 0.02),
        (b"CURR:APER 0.02", APERTURE, 0.02),
        (b"CURR:APER 9.2ms", APERTURE, 0.0092),
        (b"CURR:APER 50 us", APERTURE, 50e-6),
        (b"CURR:APER 0.000001 MAS", APERTURE, 1.0),
        (b"CURR:APER 2s", APERTURE, 2.0),
        (b"CURR:APER MIN", APERTURE, 1e-5),
        (b"CURR:APER maximum", APERTURE, 10.0),
        (b"CURR:RANG 1 MA", RANGE, 1e-3),
        (b"CURR:RANG 1 A", RANGE, 1.0),
        (b"CURR:RANG 1 MAA", RANGE, 1e6),
        (b"CURR:RANG 1 PA", RANGE, 1e-12),
        (b"CURR:RANG 1 PEA", RANGE, 1e15),
        (b"CURR:RANG 1 EXA", RANGE, 1e18),
        (b"CURR:RANG 1 AA", RANGE, 1e-18),
        (b"CURR:RANG 1 FA", RANGE, 1e-15),
        (b"CURR:RANG 1E3NA", RANGE, 1e-6),
        (b"CURR:RANG 1 TA", RANGE, 1e12),
        (b"CURR:RANG 1 KA", RANGE, 1e3),
        (b"CURR:RANG 1 GA", RANGE, 1e9),
        (b"RES 1 MOHM", "RESistance", 1e6),
        (b"RES 1 MAOHM", "RESistance", 1e6),
        (b"RES 1 KOHM", "RESistance", 1e3),
        (b"RES 1 uohm", "RESistance", 1e-6),
        (b"FREQ 50 HZ", "FREQuency", 50.0),
        (b"FREQ 1 MHZ", "FREQuency", 1e6),
        (b"FACT 1", "FACTor", 1.0),
        (b"FACT +1.", "FACTor", 1.0),
        (b"FACT -.5", "FACTor", -0.5),
        (b"FACT 1.5E+3", "FACTor", 1500.0),
        (b"FACT 1.5 e -3", "FACTor", 0.0015),
        (b"FACT #H10", "FACTor", 16.0),
        (b"FACT 1E-999", "FACTor", 0.0),
        (b"FACT 0E999999999999", "FACTor", 0.0),
        (b"COUN 12", "COUNt", 12),
        (b"COUN -12", "COUNt", -12),
        (b"COUN +0012", "COUNt", 12),
        (b"COUN 1.2E1", "COUNt", 12),
        (b"COUN 12.0", "COUNt", 12),
        (b"COUN 4294967295", "COUNt", 2**32 - 1),
        (b"COUN #HfFfFfFfF", "COUNt", 2**32 - 1),
        (b"COUN #q17", "COUNt", 15),
        (b"COUN #B101", "COUNt", 5),
        (b"OUTP ON", "OUTPut[:STATe]", True),
        (b"OUTP off", "OUTPut[:STATe]", False),
        (b"OUTP 0.4", "OUTPut[:STATe]", False),
        (b"OUTP 0.5", "OUTPut[:STATe]", True),
        (b"OUTP -7", "OUTPut[:STATe]", True),
        (b"OUTP #B0", "OUTPut[:STATe]", False),
        (b"DATA #0;", "DATA", None),
        (b"DATA #15a;b\n'", "DATA", b"a;b\n'"),
        (b"DATA #10", "DATA", b""),
        (b"DATA #9000000001x", "DATA", b"x"),
        (b"DATA\t\x00 #11x \r", "DATA", b"x"),
    ],
)
def test_accepted(instrument, message, header, value):
    instrument.execute(message)
    if value is None:
        assert instrument.error_numbers() == [-161]
        return
    assert instrument.errors() == []
    assert instrument.received[header] == value
    assert type(instrument.received[header]) is type(value)


def test_leading_zeros_do_not_count_as_digits(instrument):
    zeros = b"0" * 10_000
    for message, value in {
        b"FACT " + zeros + b"12": 12.0,
        b"FACT -" + zeros + b"1.2E+" + zeros + b"1": -12.0,
        b"FACT #H" + zeros + b"C": 12.0,
        b"FACT " + zeros + b".0": 0.0,
        b"FACT -0." + zeros + b"1" * 255 + b"E+10001": -10 / 9,
    }.items():
        instrument.execute(message)
        assert instrument.errors() == []
        assert instrument.received.pop("FACTor") == value
    instrument.execute(b"COUN " + zeros + b"12")
    assert instrument.received["COUNt"] == 12


def test_units_and_default_of_a_limited_parameter(instrument):
    instrument.execute(b"SOUR1 20 MV;SOUR2 3E-1V;SOUR3 -250MV;SOUR4 MIN;SOUR5 MAX;SOUR6 DEF")
    assert instrument.errors() == []
    assert list(instrument.levels.values()) == [0.02, 0.3, -0.25, -1.0, 1.0, 0.5, 0.0, 0.0]


@pytest.mark.parametrize(
    ("number", "messages"),
    [
        (-101, [b"FACT \xff", b"\xff", b"FA\x80CT 1", b"FACT (1)", b"FACT $1", b"FACT '\xe4'",
                b"FACT\n1", b"#15abcde", b"FACT!"]),
        (-102, [b";*WAI", b"*WAI;;*WAI", b"FACT ,", b"FACT 1,", b"FACT ,1", b"FACT 1,,1"]),
        (-103, [b"FACT 1 2", b"FACT,1", b"FACT 'a' 'b'", b"FACT 'a'x", b"DATA #11ab",
                b"OUTP ON OFF", b"OUTP ON:OFF"]),
        (-104, [b"FACT #11a", b"FACT '1'", b"FACT ONE", b"FACT MAX", b"COUN #11a", b"COUN MAX",
                b"COUN 1.5", b"OUTP '1'", b"OUTP #111", b"DATA 1", b"DATA 'a'", b"DATA A",
                b"CURR:APER 'MIN'", b"FACT 'it''s #15,\"b\";1'", b"FACT \"'\"", b"FACT ''",
                b"FACT\t\x00 '1' \r"]),
        (-108, [b"FACT 1,2", b"*CLS 1", b"*IDN? 1", b"CURR:RANG? 1", b"FACT 'a','b'",
                b"ROUT:CLOS 1,2,3"]),
        (-109, [b"FACT", b"FACT ", b"*ESE", b"ROUT:CLOS"]),
        (-110, [b"A::B", b":", b"A:", b"::A", b"*", b"**IDN?", b"A:*IDN?", b":*IDN?", b"IDN??",
                b"A?:B", b"?", b"1ABC", b"_A", b"*1"]),
        (-112, [b"ABCDEFGHIJKLM", b"SYST:ABCDEFGHIJKLMN?", b"*ABCDEFGHIJKLM", b"A" * 100_000,
                b"ABCDEFGHIJKLM1"]),
        (-113, [b"ABCDEFGHIJKL", b"SYSTE:ERR?", b"SYST:ERR", b"*IDN", b"*FOO?", b"FACT?", b"SYST",
                b"SYST:ERR:NEXT:NEXT?", b"A" + b":A" * 100_000]),
        (-114, [b"SOUR0 1", b"SOUR9 1", b"SOUR999999999999999999999 1", b"SOUR" + b"9" * 10_000]),
        (-120, [b"FACT 1.2.3", b"FACT +", b"FACT .", b"FACT -.E1", b"FACT 1E+", b"FACT --1",
                b"FACT 1-2", b"FACT 1'a'", b"FACT -inf", b"COUN #HG", b"COUN #H", b"COUN #B12",
                b"COUN #Q8", b"COUN #H1_1", b"FACT " + b"1" * 10_000, b"FACT 0.0" + b"1" * 256,
                b"FACT #H" + b"1" * 10_000]),
        (-131, [b"FACT 1 V", b"CURR:APER 1 V", b"CURR:APER 1 QS", b"CURR:APER 1 MSS", b"FREQ 1 MAH",
                b"COUN 1 V", b"OUTP 1V", b"CURR:APER 1 M", b"FACT 1E", b"FACT 12ABC",
                b"RES 1 MO"]),
        (-141, [b"OUTP YES", b"OUTP O", b"CURR:APER DEF", b"CURR:APER MINI", b"CURR:APER INF",
                b"CURR:APER NAN"]),
        (-151, [b"FACT 'a", b"FACT \"a;*IDN?", b"FACT '", b"FACT 'a''"]),
        (-161, [b"DATA #0abc", b"DATA #15abc", b"DATA #1", b"DATA #", b"DATA #2x1a", b"DATA #x",
                b"DATA #0abc;*IDN?", b"DATA #9999999999", b"DATA #215abc"]),
        (-222, [b"SOUR 1.01", b"SOUR -1001 MV", b"COUN -101", b"COUN 4294967296",
                b"COUN #H100000000", b"COUN 1E300", b"FACT 1E309", b"FACT -1E99999",
                b"FACT 1E" + b"1" * 10_000, b"OUTP 1E400",
                b"CURR:APER 0", b"CURR:APER 1 EXS", b"ROUT:CLOS 10"]),
    ],
)  # fmt: skip
def test_refused_with_the_right_number(instrument, number, messages):
    for message in messages:
        assert instrument.execute(message) == b""
        assert instrument.error_numbers() == [number], message[:60]
        assert not instrument.received
        assert not any(instrument.levels.values())


def test_values_are_rounded_only_once(instrument):
    for tenths in range(1, 100):
        instrument.execute(b"CURR:APER %d.%d MS" % divmod(tenths, 10))
        assert instrument.received[APERTURE] == float(f"{tenths}E-4")


@settings(deadline=None)
@given(st.floats())
@example(math.nan)
@example(-math.inf)
@example(5e-324)
def test_reals_round_trip_as_answers(new_instrument, value):
    instrument = new_instrument()
    instrument.received[RANGE] = value
    answer = instrument.execute(b"CURR:RANG?").decode("ascii")
    mantissa, exponent = answer.removesuffix("\n").split("E")
    assert "." in mantissa
    assert int(exponent) in range(-400, 400)
    if math.isnan(value):
        assert float(answer) == 9.91e37
    elif math.isinf(value):
        assert float(answer) == math.copysign(9.9e37, value)
    else:
        assert float(answer) == value
        assert math.copysign(1, float(answer)) == math.copysign(1, value)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_reals_round_trip_as_parameters(new_instrument, value):
    instrument = new_instrument()
    for text in (repr(value), format_real(value)):
        instrument.execute(b"CURR:RANG " + text.encode("ascii"))
        assert instrument.errors() == []
        assert instrument.received[RANGE] == value


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_blocks_round_trip(new_instrument, payload):
    instrument = new_instrument()
    digits = str(len(payload)).encode("ascii")
    block = b"#%d%s%s" % (len(digits), digits, payload)
    assert instrument.execute(b"DATA " + block + b";DATA?") == block + b"\n"
    assert instrument.errors() == []


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=127, exclude_characters="\n")))
def test_a_string_is_one_parameter_whatever_stands_in_it(new_instrument, text):
    instrument = new_instrument()
    for quote in "'\"":
        written = quote + text.replace(quote, 2 * quote) + quote
        assert instrument.execute(b"FACT " + written.encode("ascii") + b";*OPC?") == b"1\n"
        assert instrument.error_numbers() == [-104]
