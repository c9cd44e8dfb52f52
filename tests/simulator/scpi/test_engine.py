"""The engine never raises, whatever arrives, and is right again with the next message."""

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from simulator.scpi import Command, Engine, Framer, Overrun, Status
from simulator.scpi.blocks import encode_block
from simulator.scpi.engine import MAX_UNITS

VALID = [
    b"*IDN?",
    b"*ESE 36;*ESE?",
    b"SOUR3:VOLT 20 MV;LEV?",
    b":SENSe:CURRent:APERture 0.02;RANGe 1E-3",
    b"DATA #15a;b\n';DATA?",
    b"FACT 'it''s';OUTP OFF",
    b"SYST:ERR:COUN?;:STAT:QUES:ENAB #H10",
    b"COUN -12;OUTP ON",
]
alphabet = [*(bytes([c]) for c in b"\0\t\n\r !\"#'()*+,-./059:;?@AEHQZ_az\x7f\x80\xff")]
fragments = [b"SOUR", b"VOLT", b"#0", b"#15", b"#9999999999", b"1E9", b"*IDN?", b"DATA "]
noise = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from(alphabet + fragments), max_size=30).map(b"".join),
)


@st.composite
def mutated(draw):
    message = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 4))):
        position = draw(st.integers(0, len(message)))
        removed = draw(st.integers(0, 2))
        message[position : position + removed] = draw(st.sampled_from([*alphabet, b""]))
    return bytes(message)


def is_right(instrument):
    assert instrument.execute(b"*CLS;*IDN?;:SYST:ERR?") == b'OHMSUM,TINY,0,1.0;0,"No error"\n'


def check_errors_and_events(instrument):
    """Every queued error has its event bit, and every event bit an error behind it."""
    event = int(instrument.execute(b"*ESR?"))
    numbers = instrument.error_numbers()
    assert len(numbers) <= 32
    expected = 0
    for number in numbers:
        expected |= {1: 32, 2: 16, 3: 8}[-number // 100] if number < 0 else 8
    if -350 in numbers:
        assert event & expected == expected
    else:
        assert event & 0b111100 == expected
    assert -310 not in numbers
    return numbers


@settings(deadline=None, max_examples=500)
@given(st.lists(st.one_of(noise, mutated()), max_size=8))
@example([b"#9999999999"])
@example([b"'"])
@example([b"DATA #215", b"*IDN?"])
def test_no_stream_breaks_framer_or_engine(new_instrument, parts):
    instrument = new_instrument()
    instrument.execute(b"*CLS")
    framer = Framer(limit=10_000)
    for message in framer.feed(b"\n".join(parts) + b"\n"):
        if not isinstance(message, Overrun):
            answer = instrument.execute(message)
            assert answer == b"" or answer.endswith(b"\n")
    check_errors_and_events(instrument)
    is_right(instrument)


@settings(deadline=None, max_examples=300)
@given(noise)
def test_no_message_breaks_the_engine(new_instrument, message):
    # What empties the queue or the register itself leaves nothing to compare.
    assume(not any(word in message.upper() for word in (b"ERR", b"CLS", b"ESR")))
    instrument = new_instrument()
    instrument.execute(b"*CLS")
    instrument.execute(message)
    check_errors_and_events(instrument)
    is_right(instrument)


@settings(deadline=None)
@given(mutated(), st.sampled_from(VALID))
def test_unit_behind_a_broken_one_is_executed_or_belongs_to_it(new_instrument, broken, valid):
    """Only an open string or block may swallow what stands behind."""
    instrument = new_instrument()
    answer = instrument.execute(broken + b";*OPC?")
    if not {b'"'[0], b"'"[0], b"#"[0]} & set(broken):
        assert answer.endswith(b"1\n")
    is_right(instrument)


bad_units = {
    b"NONE": -113,
    b"FACT": -109,
    b"FACT 1,2": -108,
    b"FACT 'x'": -104,
    b"SOUR9 1": -114,
    b"SOUR 2": -222,
    b"INT": 101,
    b"FAULT?": -310,
    b"A::B": -110,
}


@settings(deadline=None)
@given(st.lists(st.sampled_from([*bad_units, b"*OPC?", b"*WAI"]), min_size=1, max_size=30))
def test_errors_are_queued_in_the_order_of_the_units(new_instrument, units):
    instrument = new_instrument()
    answer = instrument.execute(b";:".join(units).replace(b":*", b"*"))
    assert answer.count(b"1") == units.count(b"*OPC?")
    assert instrument.error_numbers() == [bad_units[u] for u in units if u in bad_units]


@pytest.mark.parametrize(
    "message",
    [
        b":A" * 100_000,
        b"(" * 100_000,
        b"FACT " + b"(" * 100_000,
        b"FACT " + b"[{" * 100_000,
        b"'" * 100_001,
        b"FACT " + b"''" * 100_000,
        b"#" * 100_000,
        b"#1" * 100_000,
        b";" * 20_000,
        b"NONE;" * 20_000,
        b"FACT " + b"1," * 100_000 + b"1",
        b"FACT " + b" " * 100_000 + b"1" + b" " * 100_000 + b"E",
        b"*" * 100_000,
        b"A" * 100_000 + b"?",
        b"\0" * 100_000,
    ],
)
def test_depth_and_length_do_no_harm(instrument, message):
    instrument.execute(message)
    is_right(instrument)


def test_hundreds_of_units(instrument):
    units = b";".join(
        b":SOUR%d %d MV;:SOUR%d?" % (n % 8 + 1, n % 999, n % 8 + 1) for n in range(512)
    )
    answers = instrument.execute(units).removesuffix(b"\n").split(b";")
    assert [round(1000 * float(answer)) for answer in answers] == [n % 999 for n in range(512)]
    assert instrument.errors() == []


def test_units_beyond_the_limit_are_not_carried_out(instrument):
    message = b";".join([b"*OPC?"] * (MAX_UNITS + 5))
    assert instrument.execute(message) == b";".join([b"1"] * MAX_UNITS) + b"\n"
    assert instrument.execute(b"SYST:ERR?").startswith(b"-223,")
    assert instrument.execute(b"SYST:ERR?") == b'0,"No error"\n'


@pytest.mark.parametrize("blank", [b"", b" ", b"\r", b"\t\0 "])
def test_blank_message_is_no_message(instrument, blank):
    assert instrument.execute(blank) == b""
    assert instrument.errors() == []


@pytest.mark.parametrize("message", [b"FAULT?", b"FAULT:ANSW", b"FAULT:ANSW?"])
def test_fault_of_a_handler_is_logged_and_queued(instrument, caplog, message):
    assert instrument.execute(message + b";*OPC?") == b"1\n"
    assert instrument.error_numbers() == [-310]
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None


def test_answers_of_every_kind():
    answers = {
        "TEXT": "a,b",
        "TRUE": True,
        "FALSe": False,
        "INTeger": -7,
        "REAL": 0.02,
        "BLOCk": b"\n;,",
        "SEVeral": (1, 2.5, True, "x", b"yz"),
    }
    commands = [
        Command(f"{name}?", lambda answer=answer: answer) for name, answer in answers.items()
    ]
    engine = Engine(commands, Status())
    message = b";".join(f":{name}?".encode("ascii") for name in answers)
    assert engine.execute(message) == (
        b"a,b;1;0;-7;2.0E-2;"
        + encode_block(b"\n;,")
        + b";1,2.5E+0,1,x,"
        + encode_block(b"yz")
        + b"\n"
    )


def test_answer_that_cannot_be_sent_is_a_system_error(caplog):
    engine = Engine([Command("A?", lambda: "é"), Command("B?", object)], Status())
    assert engine.execute(b"A?;B?;SYST:ERR?;:SYST:ERR?") == (
        b'-310,"System error;UnicodeEncodeError";-310,"System error;TypeError"\n'
    )
    assert len(caplog.records) == 2


def test_version(instrument):
    assert instrument.execute(b"SYST:VERS?") == b"1999.0\n"
