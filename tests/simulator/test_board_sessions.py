"""Several hosts of one board: whose errors, whose watchdog, and what a measurement ends in that is
torn.
"""

import asyncio
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import electronics
from simulator.faults.plan import FaultPlan
from simulator.servers.session import converse
from simulator.steps import finish
from tests.support.simulated_boards import (
    TINY,
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
from tests.support.waiting import PATIENCE_SECONDS

INTERLOCK, WATCHDOG = 1 << 9, 1 << 10
DRIVE = b"OUTP ON;:SOUR1 0.9;:ROUT:CLOS 1,2,1"
OWNER = b"SYST:WATC:OWN?"
FEED = b"SYST:WATC:FEED?"


@pytest.fixture
def one():
    return on_the_wire()


@pytest.fixture
def other(one):
    return one.another()


# what is asked of a board


def test_protocol_and_converters_are_asked():
    board = on_the_wire(changed(TINY, dac={"bits": 8}, adc={"bits": 16}))
    assert ask(board, b"SYST:BOAR:PROT?;CONV?") == b"1.1;8,16"
    assert ask(board, b"SYSTem:BOARd:PROTocol?;CONVerter?") == b"1.1;8,16"


@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=12, unique_by=lambda a: f"{a:.5e}"))
@settings(deadline=None, max_examples=50)
def test_a_printed_range_sent_back_selects_itself(ranges):
    """However many digits the host keeps, from seven on."""
    board = on_the_wire(small(tia={"ranges_amperes": sorted(ranges)}))
    for printed in ask(board, b"CURR:RANG:CAT?").split(b","):
        for sent in (printed, b"%.6e" % float(printed), b"%.9e" % float(printed)):
            tell(board, b"CURR:RANG " + sent)
            assert ask(board, b"CURR:RANG?") == printed


def test_reset_of_a_board_without_a_range_of_10_milliamperes():
    board = on_the_wire(small(tia={"ranges_amperes": [1e-6, 1e-3]}))
    tell(board, b"CURR:RANG 1E-6;*RST")
    assert ask(board, b"CURR:RANG?") == b"1.0E-3"


def test_bits_behind_the_last_switch_are_refused(one):
    packed = bytes([0xFF, 0, 0, 0x03])  # 30 switches
    one.execute(b"ROUT:PATT " + block(packed) + b",%d" % zlib.crc32(packed))
    assert errors(one) == [-222]
    assert not one.crossbar.pattern.any()


def test_an_empty_unit_at_the_end_is_refused_and_what_stands_before_it_is_done(one):
    assert one.execute(b"SOUR1 0.5;:SOUR1?;") == b"5.0E-1\n"
    assert errors(one) == [-102]


def test_switching_the_outputs_off_changes_nothing_else(one):
    tell(one, DRIVE + b";:CURR:RANG 3E-5;APER 0.01;:TRIG:DEL 0.002;:ROUT:SCAN " + block(b""))
    state = b"SOUR:VOLT:ALL?;:ROUT:PATT?;:CURR:RANG?;APER?;:TRIG:DEL?;:SYST:WATC?"
    before = ask(one, state)
    tell(one, b"OUTP OFF")
    assert ask(one, state) == before
    tell(one, b"OUTP ON")
    assert floats_of(ask(one, b"READ?"))[1] > 1e-6


@pytest.mark.parametrize(
    "setting",
    [b"OUTP ON", b"OUTP OFF", b"SOUR1 0", b"ROUT:OPEN:ALL", b"ROUT:OPEN 1,1,1", b"ROUT:PROB 1,0"],
)
def test_a_setting_that_changes_nothing_restarts_the_delay_as_well(one, setting):
    tell(one, setting + b";:TRIG:DEL 0.5")
    ask(one, b"READ?")
    before = float(ask(one, b"SYST:TIME:SETT?"))
    ask(one, setting + b";:READ?")
    assert float(ask(one, b"SYST:TIME:SETT?")) - before == pytest.approx(0.5)


# errors and events


def test_each_session_has_errors_events_and_enables_of_its_own(one, other):
    one.execute(b"*CLS;NONSENSE;*ESE 32;*SRE 32;STAT:QUES:ENAB 512")
    assert ask(other, b"*ESR?;*ESE?;*SRE?;STAT:QUES:ENAB?;:SYST:ERR:COUN?") == b"128;0;0;0;0"
    tell(other, b"*CLS")
    assert ask(one, b"*ESR?;*ESE?;*SRE?;STAT:QUES:ENAB?;*STB?") == b"32;32;32;512;4"
    assert errors(one) == [-113]


def test_conditions_are_the_boards_and_events_are_each_ones(one, other):
    one.set_interlock(False)
    late = one.another()
    for host in (one, other):
        assert ask(host, b"STAT:QUES:COND?;EVEN?;EVEN?") == b"%d;%d;0" % (INTERLOCK, INTERLOCK)
    assert ask(late, b"STAT:QUES:COND?;EVEN?;*ESR?") == b"%d;0;128" % INTERLOCK


def test_power_that_comes_back_begins_every_session_anew(one, other):
    for host in (one, other):
        host.execute(b"*CLS;NONSENSE;*ESE 4")
    one.board.power_on()
    for host in (one, other):
        assert ask(host, b"*ESE?;*ESR?;:SYST:ERR:COUN?") == b"0;128;0"


# the watchdog


def test_nobody_elses_messages_feed_it(one, other, wall):
    tell(one, b"SYST:WATC 5;:" + DRIVE)
    for _ in range(3):
        wall.seconds += 2
        assert ask(other, b"*STB?;:SYST:WATC?;" + FEED[5:])[-1:] == b"0"
    assert ask(other, b"OUTP?") == b"0"


def test_when_it_fires_every_session_hears_of_it(one, other, wall):
    tell(one, b"SYST:WATC 5;:" + DRIVE)
    wall.seconds += 6
    one.watch()
    late = one.another()
    assert (errors(one), errors(other), errors(late)) == ([102], [102], [])
    assert ask(late, b"STAT:QUES:COND?") == b"%d" % WATCHDOG


@pytest.mark.parametrize("message", [FEED, b"*OPC?", b"NONSENSE", b"", b":syst:watchdog:feed?"])
def test_every_message_of_its_owner_feeds_it(one, wall, message):
    tell(one, b"SYST:WATC 5;:" + DRIVE)
    for _ in range(5):
        wall.seconds += 4
        one.execute(message)
    assert one.crossbar.outputs_on


def test_it_belongs_to_whom_armed_it_last(one, other, wall):
    assert ask(one, OWNER) == b"NOB"
    tell(one, b"SYST:WATC 5;:" + DRIVE)
    assert (ask(one, OWNER), ask(other, OWNER)) == (b"OWN", b"OTH")
    assert (ask(one, FEED), ask(other, FEED)) == (b"1", b"0")
    tell(other, b"SYST:WATC 5")
    assert (ask(one, OWNER), ask(other, OWNER)) == (b"OTH", b"OWN")
    assert (ask(one, FEED), ask(other, FEED)) == (b"0", b"1")
    for _ in range(3):
        wall.seconds += 2
        one.execute(b"*WAI")
    one.watch()
    assert not one.crossbar.outputs_on


def test_an_owner_that_has_fallen_silent_keeps_nobody_from_the_board(one, other, wall):
    tell(one, b"SYST:WATC 5")
    wall.seconds += 4
    assert ask(other, OWNER) == b"OTH"
    wall.seconds += 2
    assert ask(other, OWNER) == b"NOB"
    assert ask(one, OWNER) == b"OWN"  # heard again
    assert ask(other, OWNER) == b"OTH"


@pytest.mark.parametrize("off", [b"SYST:WATC 0", b"*RST"])
def test_anybody_may_disarm_it_and_then_nobody_owns_it(one, other, off):
    tell(one, b"SYST:WATC 5")
    tell(other, off)
    assert (ask(one, OWNER), ask(other, OWNER), ask(one, FEED)) == (b"NOB", b"NOB", b"0")


def test_having_fired_it_says_so_until_the_outputs_are_on_again_and_then_watches_on(one, wall):
    tell(one, b"SYST:WATC 5;:" + DRIVE)
    wall.seconds += 6
    assert ask(one, FEED) == b"0"
    assert ask(one, OWNER) == b"OWN"
    assert errors(one) == [102]
    tell(one, b"OUTP ON")
    assert ask(one, FEED) == b"1"
    wall.seconds += 6
    one.watch()
    assert not one.crossbar.outputs_on


def test_a_session_that_has_ended_feeds_no_more(one, other, wall):
    tell(one, b"SYST:WATC 5;:" + DRIVE)
    one.session.end()
    assert ask(other, OWNER) == b"NOB"
    for _ in range(2):
        wall.seconds += 2
        one.execute(b"*OPC?")  # sent before it ended, and executed late
    assert one.crossbar.outputs_on
    wall.seconds += 2
    one.watch()
    assert not one.crossbar.outputs_on
    one.session.close()
    assert errors(other) == [102]


def test_who_waits_for_the_board_is_not_silent_and_who_has_gone_does_not_wait(one, wall):
    tell(one, b"SYST:WATC 5;:" + DRIVE)
    one.session.message_came()
    wall.seconds += 60
    one.watch()
    work = begun(one, b"READ? 10000")
    wall.seconds += 60
    one.watch()
    assert one.crossbar.outputs_on
    one.session.end()
    wall.seconds += 60
    one.watch()
    assert not one.crossbar.outputs_on
    assert finish(work) == b""


def test_who_arms_it_in_his_own_long_message_waits_as_well(one, wall):
    work = one.session.steps(b"SYST:WATC 5;:" + DRIVE + b";:READ? 10000;:OUTP?")
    for _ in range(6):
        next(work)
    assert one.crossbar.outputs_on
    wall.seconds += 60
    one.watch()
    assert finish(work).endswith(b";1\n")


def test_armed_by_a_session_that_has_ended_it_fires_all_the_same(one, wall):
    one.session.end()
    one.execute(b"SYST:WATC 5;:" + DRIVE)
    wall.seconds += 4
    one.watch()
    assert one.crossbar.outputs_on
    wall.seconds += 2
    one.watch()
    assert not one.crossbar.outputs_on


@pytest.mark.parametrize(
    "message", [FEED, b" :SYSTem:WATChdog:FEED? ", b"syst:watc:feed?\t", b"", b" "]
)
def test_a_keep_alive_counts_as_nothing(one, message):
    tell(one, b"SYST:WATC 5")
    operations, talked = one.crossbar.faults.operations, one.board.talked_seconds
    one.execute(message)
    assert (one.crossbar.faults.operations, one.board.talked_seconds) == (operations, talked)


@pytest.mark.parametrize("message", [FEED + b";*WAI", b"SYST:WATC?", b"SYST:WATC:FEED? 1"])
def test_in_company_it_is_a_message_like_any_other(one, message):
    operations, talked = one.crossbar.faults.operations, one.board.talked_seconds
    one.execute(message)
    assert one.crossbar.faults.operations == operations + 1
    assert one.board.talked_seconds > talked


def test_talking_counts_both_ways_with_their_line_feeds(one, other):
    link = one.crossbar.preset.host_link
    before = float(ask(one, b"SYST:TIME:TALK?"))
    asked = len(b"SYST:TIME:TALK?") + len(ask(other, b"*IDN?")) + len(b"*IDN?")
    expected = 2 * link.message_seconds
    expected += (asked + len(b"0.0E+0") + 4) / link.bytes_per_second
    assert before == 0.0
    assert float(ask(one, b"SYST:TIME:TALK?")) == pytest.approx(expected)


# measurements that are torn


MEASUREMENTS = [
    b"READ? 3000",
    b"MEAS:MVM? " + floats(np.full((3000, 3), 0.5)),
    b"MEAS:SCAN? 3000",
]


def begun(host, message):
    """Return the rest of a message's steps, with the first readings taken."""
    work = host.session.steps(message)
    before = host.crossbar.clock.seconds
    while host.crossbar.clock.seconds == before:
        next(work)
    return work


@pytest.mark.parametrize("message", MEASUREMENTS, ids=lambda message: message[:10].decode())
@pytest.mark.parametrize("cause", [101, 102])
def test_a_measurement_that_is_torn_answers_nothing(one, other, wall, message, cause):
    tell(one, b"SYST:WATC 5;:" + DRIVE + b";:ROUT:SCAN " + scan_list((1, 1, 0.5), (2, 1, 0.5)))
    whole = len(ask(other, message))
    tell(other, b"OUTP ON;:SOUR1 0.9")
    ask(one, b"*OPC?")
    work = begun(other, message + b";:OUTP?;:ROUT:PATT:CRC?;:SYST:ERR?")
    if cause == 101:
        one.set_interlock(False)
    else:
        wall.seconds += 6
        one.watch()
    answer = finish(work)
    assert answer.startswith(b'0;%d;%d,"' % (zlib.crc32(bytes(4)), cause))
    assert len(answer) < whole
    assert errors(other) == []
    assert errors(one) == ([102] if cause == 102 else [])
    row_volts = floats_of(ask(one, b"SOUR:VOLT:ALL?"))
    assert row_volts.any() == message.startswith(b"READ")
    assert ask(one, b"STAT:OPER:COND?") == b"0"


def test_a_measurement_called_off_leaves_the_rows_at_zero(one):
    tell(one, DRIVE)
    begun(one, MEASUREMENTS[1]).close()
    assert not one.crossbar.row_volts.any()
    assert ask(one, b"STAT:OPER:COND?") == b"0"


def test_steps_are_the_same_readings_as_all_at_once(monkeypatch):
    def readings():
        board = on_the_wire(small())
        tell(board, b"OUTP ON;:CURR:RANG 1E-4;:ROUT:PROB 2,1;:SOUR2 0.9")
        tell(board, b"ROUT:SCAN " + scan_list((1, 1, 0.5), (1, 1, -0.5), (2, 3, 0.5)))
        vectors = np.random.default_rng(1).uniform(-1, 1, (40, 8))
        asked = b"READ? 40;:MEAS:MVM? " + floats(vectors) + b";:MEAS:SCAN? 12"
        return board, board.execute(asked)

    board, whole = readings()
    columns = board.crossbar.columns
    monkeypatch.setattr(electronics, "STEP_CURRENTS", 9 * columns)
    _, in_steps = readings()
    lengths = [40 * columns, 40 * columns, 3 * 12 * columns]
    assert len(whole) == len(in_steps)
    for start, length in zip(np.cumsum([0, *lengths[:-1]]), lengths, strict=True):
        first, second = (_numbers(answer, lengths, start, length) for answer in (whole, in_steps))
        np.testing.assert_allclose(first, second, rtol=1e-6, atol=1e-12)


def _numbers(answer, lengths, start, length):
    """The f32 from `start` on, where answers of these lengths stand one behind the other."""
    at = 0
    for number, count in enumerate(lengths):
        at += 2 + len(str(4 * count))
        if sum(lengths[:number]) == start:
            return np.frombuffer(answer[at : at + 4 * length], "<f4")
        at += 4 * count + 1
    raise AssertionError(start)


def test_a_message_of_many_readings_lets_others_go_first_before_it_measures_again(one):
    work = one.session.steps(b"READ? 9999;:READ?;:READ?;:READ?;*OPC?")
    assert list(work).count(None) == 2


@pytest.mark.parametrize(
    ("message", "waits"),
    [
        (
            b"*IDN?;*STB?;:SYST:ERR?;:OUTP?;:OUTP:INT?;:STAT:QUES?;:SYST:BOAR:SHAP?;:SYST:WATC?",
            False,
        ),
        (FEED, False),
        (b"", True),
        (b"READ?", True),
        (b"*OPC?", True),
        (b"*STB?;:OUTP OFF", True),
        (b"*STB?;:NONSENSE", True),
        (b"ROUT:PATT:CRC?", True),
        (b"SYST:WATC 5", True),
        (b"*CLS", True),
    ],
)
def test_only_what_disturbs_nobody_needs_no_turn(one, message, waits):
    assert one.session.needs_turn(message) == waits


def test_power_that_fails_with_anothers_query_ends_the_measurement():
    plan = FaultPlan.model_validate({"fault": [{"kind": "power_cycle", "at_operation": 3}]})
    board = on_the_wire(plan=plan).board
    asking = board.open_session()
    asking.execute(b"*WAI")
    replies = []

    async def converse_twice():
        asked = asyncio.Event()

        async def receive():
            if asked.is_set():
                await asyncio.Event().wait()  # the host sends no more
            asked.set()
            return b"READ? 10000;*IDN?\n"

        async def send(reply):
            replies.append(reply)

        conversation = asyncio.create_task(converse(board, receive, send))
        await asked.wait()
        while not board.turn.locked():
            await asyncio.sleep(0)
        assert asking.execute(b"*IDN?") == b""
        while board.turn.locked():
            await asyncio.sleep(0)
        conversation.cancel()

    asyncio.run(asyncio.wait_for(converse_twice(), PATIENCE_SECONDS))
    assert (replies, board.power_ons) == ([], 2)
