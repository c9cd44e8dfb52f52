"""Error queue and status registers, asked for as a host does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.scpi import ScpiError, Status


def asked(instrument, query):
    return int(instrument.execute(query))


def test_power_on(instrument):
    assert instrument.execute(b"*ESR?;*ESR?;*ESE?;*SRE?;*STB?") == b"128;0;0;0;0\n"
    assert instrument.execute(b"SYST:ERR:COUN?;:SYST:ERR?") == b'0;0,"No error"\n'


def test_power_on_forgets_everything(instrument):
    instrument.execute(b"NONSENSE;*ESE 1;*SRE 1;STAT:QUES:ENAB 1;:STAT:OPER:ENAB 1")
    instrument.status.set_questionable(1, True)
    instrument.status.power_on()
    test_power_on(instrument)
    assert instrument.execute(b"STAT:QUES?;QUES:COND?;ENAB?;:STAT:OPER:ENAB?") == b"0;0;0;0\n"


@pytest.mark.parametrize(
    ("number", "bit"),
    [(-101, 5), (-178, 5), (-222, 4), (-310, 3), (-363, 3), (101, 3), (32767, 3), (-410, 2)],
)
def test_event_bit_of_each_class_of_errors(instrument, number, bit):
    instrument.execute(b"*CLS")
    instrument.status.report(ScpiError(number))
    assert asked(instrument, b"*ESR?") == 1 << bit
    assert asked(instrument, b"*ESR?") == 0


@settings(deadline=None)
@given(st.lists(st.integers(1, 999), max_size=80), st.integers(0, 40))
def test_queue_is_first_in_first_out_and_its_overflow_replaces_the_newest(numbers, taken):
    status = Status()
    for number in numbers:
        status.report(ScpiError(number))
    expected = numbers[:32] if len(numbers) <= 32 else [*numbers[:31], -350]
    assert status.count == len(expected)
    read = [int(status.next_error().split(",")[0]) for _ in expected[:taken]]
    assert read == expected[:taken]
    assert status.count == len(expected) - len(read)
    status.clear()
    assert status.next_error() == '0,"No error"'


def test_queue_takes_errors_again_once_it_has_been_read(instrument):
    for _ in range(40):
        instrument.execute(b"*CLX")
    instrument.execute(b"SYST:ERR?")
    instrument.execute(b"INT")
    assert instrument.error_numbers() == [-113] * 30 + [-350, 101]


def test_overflow_sets_the_device_error_bit(instrument):
    instrument.execute(b"*CLS;" + b"*CLX;" * 32 + b"*CLX")
    assert asked(instrument, b"*ESR?") == 0b101000


def test_texts_of_the_instrument_and_of_the_standard(instrument):
    instrument.execute(b"INT")
    for error in [ScpiError(-113), ScpiError(-199), ScpiError(-223, "x"), ScpiError(7)]:
        instrument.status.report(error)
    assert instrument.errors() == [
        '101,"Interlock open;door ""A"""',
        '-113,"Undefined header"',
        '-199,"Command error"',
        '-223,"Too much data;x"',
        '7,"Device-specific error"',
    ]


@settings(deadline=None)
@given(st.text(max_size=400))
def test_details_never_break_the_answer(detail):
    status = Status()
    status.report(ScpiError(-222, detail))
    entry = status.next_error()
    assert entry.isascii()
    assert entry.isprintable()
    assert entry.startswith('-222,"Data out of range')
    assert entry.endswith('"')
    assert entry.count('"') % 2 == 0


def test_clear_empties_queue_and_events_but_neither_enables_nor_conditions(instrument):
    instrument.status.set_questionable(9, True)
    instrument.execute(b"*ESE 60;*SRE 4;STAT:QUES:ENAB 512;NONSENSE;*CLS")
    assert instrument.execute(b"*ESE?;*SRE?;*ESR?;*STB?") == b"60;4;0;0\n"
    assert instrument.execute(b"STAT:QUES?;QUES:COND?;ENAB?") == b"0;512;512\n"
    assert instrument.errors() == []


@pytest.mark.parametrize(
    ("path", "summary_bit"), [(b"STATus:QUEStionable", 3), (b"STATus:OPERation", 7)]
)
def test_registers_latch_rising_conditions(instrument, path, summary_bit):
    def switch(on):
        if summary_bit == 3:
            instrument.status.set_questionable(4, on)
        else:
            instrument.status.set_operation(4, on)

    instrument.execute(path + b":ENABle 16")
    switch(True)
    assert asked(instrument, b"*STB?") == 1 << summary_bit
    assert asked(instrument, path + b"?") == 16
    assert asked(instrument, b"*STB?") == 0
    switch(True)
    assert asked(instrument, path + b":EVENt?") == 0  # it stayed up, it did not come up
    assert asked(instrument, path + b":CONDition?") == 16
    switch(False)
    assert asked(instrument, path + b":CONDition?") == 0
    assert asked(instrument, path + b":EVENt?") == 0
    switch(True)
    switch(False)
    assert asked(instrument, path + b":EVENt?") == 16


def test_preset_disables_both_registers(instrument):
    instrument.execute(b"STAT:QUES:ENAB 65535;:STAT:OPER:ENAB 16;:STAT:PRES")
    assert instrument.execute(b"STAT:QUES:ENAB?;:STAT:OPER:ENAB?") == b"0;0\n"


def test_enables_leave_out_the_bits_that_do_not_exist(instrument):
    instrument.execute(b"*SRE 255;*ESE 255;STAT:QUES:ENAB #HFFFF")
    assert instrument.execute(b"*SRE?;*ESE?;STAT:QUES:ENAB?") == b"191;255;32767\n"
    instrument.execute(b"*SRE 256;*ESE -1;STAT:QUES:ENAB 65536")
    assert instrument.error_numbers() == [-222, -222, -222]


@settings(deadline=None)
@given(
    errors=st.lists(st.sampled_from([-113, -222, -310, 101, -410]), max_size=3),
    enables=st.tuples(st.integers(0, 255), st.integers(0, 255)),
    conditions=st.tuples(st.booleans(), st.booleans()),
)
def test_status_byte(new_instrument, errors, enables, conditions):
    (ese, sre), (questionable, operation) = enables, conditions
    instrument = new_instrument()
    instrument.execute(b"*ESR?;:STAT:QUES:ENAB 2;:STAT:OPER:ENAB 16;*ESE %d;*SRE %d" % (ese, sre))
    event = 0
    for number in errors:
        instrument.status.report(ScpiError(number))
        event |= {-1: 32, -2: 16, -3: 8, 1: 8, -4: 4}[int(number / 100)]
    instrument.status.set_questionable(1, questionable)
    instrument.status.set_operation(4, operation)
    summary = 4 * bool(errors) + 8 * questionable + 32 * bool(event & ese) + 128 * operation
    expected = summary + 64 * bool(summary & sre)
    assert asked(instrument, b"*STB?") == expected
    assert asked(instrument, b"*STB?") == expected  # reading changes nothing


def test_operation_complete(instrument):
    instrument.execute(b"*CLS")
    assert instrument.execute(b"*OPC?;*WAI;*ESR?") == b"1;0\n"
    assert instrument.execute(b"*OPC;*ESR?") == b"1\n"
