"""Headers: forms, optional nodes, suffixes, the compound rule, and what a table refuses."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.scpi import Command, Engine, Integer, Real, Status


def spellings(short, long):
    """Every beginning of a keyword, and the two that are accepted."""
    beginnings = [long[:end] for end in range(1, len(long) + 1)]
    return beginnings, {short, long}


@pytest.mark.parametrize("case", [str.upper, str.lower, str.swapcase, str.title])
def test_short_and_long_form_and_nothing_between(instrument, case):
    paths = [spellings("SYST", "SYSTEM"), spellings("ERR", "ERROR"), spellings("COUN", "COUNT")]
    accepted = 0
    for keywords in itertools.product(*(beginnings for beginnings, _ in paths)):
        right = all(word in forms for word, (_, forms) in zip(keywords, paths, strict=True))
        answer = instrument.execute(case(":".join(keywords)).encode() + b"?")
        assert answer == (b"0\n" if right else b"")
        assert instrument.error_numbers() == ([] if right else [-113])
        accepted += right
    assert accepted == 8


@pytest.mark.parametrize(
    "header",
    [
        b"SOUR3",
        b":SOUR3",
        b"source3:volt",
        b"SOUR3:LEV",
        b"SOUR3:VOLT:LEV",
        b"SoUrCe3:VoLtAgE:LeVeL",
        b"SOUR003",
        b"\t SOUR3",
    ],
)
def test_optional_nodes_may_be_left_out(instrument, header):
    instrument.execute(header + b" 0.25")
    assert instrument.execute(header + b"?") == b"2.5E-1\n"
    assert instrument.levels[3] == 0.25
    assert instrument.errors() == []


def test_suffix_left_out_is_one(instrument):
    instrument.execute(b"SOUR 0.5")
    assert instrument.levels[1] == 0.5


@settings(deadline=None)
@given(st.integers(0, 10**30))
def test_suffix_within_its_limits_only(new_instrument, row):
    instrument = new_instrument()
    instrument.execute(b"SOUR%d:VOLT 1" % row)
    if 1 <= row <= 8:
        assert instrument.errors() == []
        assert [n for n, level in instrument.levels.items() if level] == [row]
    else:
        assert instrument.errors() == ['-114,"Header suffix out of range;allowed: 1 to 8"']
        assert not any(instrument.levels.values())


def test_several_suffixes_come_in_order_with_the_optional_ones_as_one(instrument):
    for message, expected in [
        (b"ROUT2:CLOS3:PORT4 5", (2, 3, 4, 5, None)),
        (b"ROUT2:CLOS0 5,6", (2, 0, 1, 5, 6)),
        (b"ROUT:CLOS 5", (1, 1, 1, 5, None)),
    ]:
        instrument.execute(message)
        assert instrument.received["close"] == expected
    instrument.execute(b"ROUT:CLOS4 1;:ROUT3:CLOS 1;:ROUT:CLOS:PORT0 1")
    assert instrument.error_numbers() == [-114, -114, -114]


def test_suffix_where_none_belongs_is_another_header(instrument):
    assert instrument.execute(b"SYST1:ERR?;:SOUR2:VOLT:ALL?;*IDN1?") == b""
    assert instrument.error_numbers() == [-113, -113, -113]


@pytest.mark.parametrize(
    ("message", "answer", "errors"),
    [
        (b"SENS:CURR:APER 0.5;RANG 2;APER?;RANG?", b"5.0E-1;2.0E+0\n", []),
        (b"CURR:APER 0.5;RANG 2;RANG?", b"2.0E+0\n", []),
        (b"CURR:APER 0.5;*OPC?;APER?", b"1;5.0E-1\n", []),
        (b"CURR:APER 0.5;:CURR:APER?", b"5.0E-1\n", []),
        (b"CURR:APER 0.5;CURR:APER?", b"", [-113]),
        (b"CURR:APER 0.5;SENS:CURR:APER?", b"", [-113]),
        (b"SOUR3:VOLT 1;VOLT?;VOLT:LEV?;LEV?", b"1.0E+0;1.0E+0;1.0E+0\n", []),
        (b"SOUR:VOLT:LEV 1;ALL?;LEV?", b"1.0E+0" + b",0.0E+0" * 7 + b";1.0E+0\n", []),
        (b"SOUR3:VOLT:LEV 1;ALL?", b"", [-113]),
        (b"SOUR3 1;VOLT?", b"", [-113]),
        (b"SOUR3 1;SOUR4 1;SOUR3?;SOUR4?", b"1.0E+0;1.0E+0\n", []),
        (b"CURR:APER 0.5;NONE 1;CURR:APER?", b"5.0E-1\n", [-113]),
        (b"CURR:APER 0.5;NONE 1;APER?", b"", [-113, -113]),
        (b"CURR:APER 0.5;A::B;APER?", b"", [-110, -113]),
        (b"CURR:APER 0.5;APER 11;APER?", b"5.0E-1\n", [-222]),
        (b"CURR:APER 0.5;APER x;APER;APER 1,2;APER?", b"5.0E-1\n", [-141, -109, -108]),
        (b"SOUR9:VOLT 1;VOLT 1;:SYST:ERR?", b'-114,"Header suffix out of range;allowed: 1 to 8"\n',
         [-114]),
        (b" ; *IDN? ;", b"OHMSUM,TINY,0,1.0\n", [-102, -102]),
        (b"FAULT?;*IDN?", b"OHMSUM,TINY,0,1.0\n", [-310]),
        (b"NONE;:SYST:ERR?", b'-113,"Undefined header;NONE"\n', []),
    ],
)  # fmt: skip
def test_compound_messages(instrument, message, answer, errors):
    assert instrument.execute(message) == answer
    assert instrument.error_numbers() == errors


def engine(*commands):
    return Engine(commands, Status())


def nothing(*_):
    return None


@pytest.mark.parametrize(
    "headers",
    [
        ("A:B", "A:B"),
        ("A[:B]", "A"),
        ("[A:]B:C", "B[:D]:C"),
        ("MEASure:X", "MEAS:Y"),
        ("MEASure", "MEASurement"),
        ("*IDN?", "*IDN?"),
        ("*CLS",),
        ("SYSTem:ERRor?",),
        ("SYSTem:ERR:OLDest?",),
        ("A<n>:B", "A:B"),
    ],
)
def test_headers_that_cannot_be_told_apart_are_refused(headers):
    commands = [Command(h, nothing, suffixes=((1, 2),) * h.count("<n>")) for h in headers]
    with pytest.raises(ValueError, match=r"declared twice|cannot be told"):
        engine(*commands)


@pytest.mark.parametrize(
    "header", ["", "?", "measure", "A::B", "A B", "A-B", "A2", "LONGERTHANTWELve"]
)
def test_headers_that_cannot_be_written_are_refused(header):
    with pytest.raises(ValueError, match=r"not a keyword|too long"):
        engine(Command(header, nothing))


@pytest.mark.parametrize(
    ("header", "parameters", "suffixes"),
    [
        ("A<n>", (), ()),
        ("A", (), ((1, 2),)),
        ("A", (Real(optional=True), Integer(0, 1)), ()),
    ],
)
def test_declarations_that_do_not_fit_are_refused(header, parameters, suffixes):
    with pytest.raises(ValueError, match=r"suffix limits|optional"):
        Command(header, nothing, parameters, suffixes)
