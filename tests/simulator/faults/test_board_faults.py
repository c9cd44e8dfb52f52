"""Faults of the board, seen in its answers: rows, columns, converters, temperature, power."""

import numpy as np
import pytest

from tests.support.fault_plans import plan_of
from tests.support.simulated_boards import (
    NO_NOISE,
    TINY,
    ask,
    block,
    changed,
    errors,
    floats,
    floats_of,
    on_the_wire,
    scan_list,
    tell,
)

PRESET = changed(TINY, NO_NOISE, adc={"bits": 24})
ROWS, COLUMNS = 3, 5
ALL_CLOSED = b"ROUT:PATT " + block(b"\xff\xff\xff\xfc") + b",%d"


def board_with(*faults, preset=PRESET):
    return on_the_wire(preset, plan=plan_of(*faults))


def ready(*faults, preset=PRESET):
    board = board_with(*faults, preset=preset)
    tell(board, b"CURR:RANG 1E-4;:OUTP ON")
    board.crossbar.apply(np.ones((3, 5, 2), dtype=bool))
    return board


def product(board, volts):
    return floats_of(ask(board, b"MEAS:MVM? " + floats(volts))).reshape(-1, COLUMNS)


def test_a_dead_row_is_at_zero_volts_whatever_is_set():
    volts = np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.5, 0.5]])
    sound, faulty = product(ready(), volts), product(ready({"kind": "dead_row", "row": 2}), volts)
    np.testing.assert_allclose(faulty[1], 0, atol=2e-7)  # the offsets of the two others remain
    np.testing.assert_allclose(faulty[0], sound[0], rtol=0.01)
    np.testing.assert_allclose(faulty[2], sound[2] - sound[1], rtol=0.01)
    assert (sound[1] > 4e-6).all()


def test_a_dead_row_of_its_own_time():
    board = ready({"kind": "dead_row", "row": 2, "at_operation": 4, "until_operation": 5})
    read = [product(board, [[0.0, 0.5, 0.0]])[0] for _ in range(4)]
    dead = [bool((np.abs(amperes) < 2e-7).all()) for amperes in read]
    assert dead == [False, True, False, False]  # the board was made ready in two messages


def test_a_dead_column_reads_nothing_but_noise():
    noisy = changed(PRESET, environment={"kelvin": 300.0}, adc={"noise_free_bits": 18.0})
    board = ready({"kind": "dead_column", "column": 4}, preset=noisy)
    volts = np.full((300, 3), 0.5)
    read = product(board, volts)
    sound = product(ready(preset=noisy), volts)
    np.testing.assert_array_equal(np.delete(read, 3, 1), np.delete(sound, 3, 1))
    noise = sound[:, 3].std()
    assert read[:, 3].std() == pytest.approx(noise, rel=0.05)
    assert abs(read[:, 3].mean()) < 0.3 * noise
    assert noise > 0


@pytest.mark.parametrize("code", [0, -12345, 2**23 - 1, -(2**23)])
def test_a_stuck_adc_answers_its_code_in_steps_of_the_range(code):
    board = ready({"kind": "adc_stuck", "column": 2, "code": code})
    sound = ready()
    for amperes in (1e-4, 1e-3):
        for one in (board, sound):
            tell(one, b"CURR:RANG %g" % amperes)
        stuck = np.float32(code * 2 * 1.05 * amperes / 2**24)
        read, healthy = (product(one, [[0.4, 0.1, 0.2]] * 3) for one in (board, sound))
        np.testing.assert_allclose(read[:, 1], stuck, rtol=1e-7)
        np.testing.assert_array_equal(np.delete(read, 1, 1), np.delete(healthy, 1, 1))


def test_a_temperature_step_is_felt_by_the_sensor_and_the_switches():
    warm = {"switches": {"on_per_kelvin": 1e-2, "on_ohms": 1e4}}
    preset = changed(PRESET, warm)
    step = {"kind": "temperature_step", "kelvin": 5.0}
    board = ready(step | {"at_operation": 5}, step | {"at_operation": 5}, preset=preset)
    before, cold = float(ask(board, b"SYST:TEMP?")), product(board, [[0.5] * 3])
    after, hot = float(ask(board, b"SYST:TEMP?")), product(board, [[0.5] * 3])
    assert after - before == pytest.approx(10.0)
    assert (hot < 0.999 * cold).all()


# the power


def scanning(*faults):
    """A board with everything set that it can forget, and a scan list of 9 points stored."""
    board = board_with(*faults)
    tell(board, b"CURR:RANG 1E-4;APER 0.01;:TRIG:DEL 0.002;:SYST:WATC 60;:SOUR1 0.5;:OUTP ON")
    tell(board, b"ROUT:CLOS 1,1,1;:ROUT:SCAN " + scan_list(*[(1, 1, 0.5)] * 9))
    tell(board, b"*ESE 32;*SRE 32;:STAT:QUES:ENAB 2")
    board.execute(b"NONSENSE")
    return board


FORGOTTEN = {
    b"OUTP?": b"0",
    b"SOUR1?": b"0.0E+0",
    b"ROUT:CLOS? 1,1,1": b"0",
    b"ROUT:SCAN:POIN?": b"0",
    b"CURR:RANG?": b"1.0E-2",
    b"CURR:APER?": b"2.0E-2",
    b"TRIG:DEL?": b"1.0E-3",
    b"SYST:WATC?": b"0.0E+0",
    b"*ESE?": b"0",
    b"*SRE?": b"0",
    b"STAT:QUES:ENAB?": b"0",
    b"STAT:OPER:COND?": b"0",
    b"SYST:ERR:COUN?": b"0",
    b"SYST:TIME?": b"0.0E+0",
    b"SYST:TIME:SETT?": b"0.0E+0",
    b"SYST:TIME:INT?": b"0.0E+0",
}
SCAN_SECONDS = 9 * 0.012


@pytest.mark.parametrize(
    ("when", "struck_seconds"),
    [({"at_operation": 9}, 0.0), ({"at_seconds": SCAN_SECONDS / 2}, 0.06)],
)
def test_power_fails_in_the_middle_of_a_scan(when, struck_seconds):
    board = scanning({"kind": "power_cycle"} | when)
    tell_of = []
    board.board.when_powered_on.append(lambda: tell_of.append(board.board.power_ons))
    assert ask(board, b"*ESR?") == b"160"  # power on, and a command that was not one
    assert board.execute(b"MEAS:SCAN?") == b""
    assert tell_of == [2]
    assert board.crossbar.clock.seconds == pytest.approx(struck_seconds)  # the bench's goes on
    assert {query: ask(board, query) for query in FORGOTTEN} == FORGOTTEN
    assert ask(board, b"*ESR?") == b"128"
    assert not board.crossbar.outputs_on
    assert not board.crossbar.pattern.any()

    # Once, and then it is a board like any other.
    tell(board, b"OUTP ON;:ROUT:SCAN " + scan_list(*[(1, 1, 0.5)] * 9))
    assert len(floats_of(ask(board, b"MEAS:SCAN?"))) == 9 * COLUMNS
    assert float(ask(board, b"SYST:TIME?")) == pytest.approx(9 * 0.021)
    assert tell_of == [2]


def test_nothing_of_what_power_cycles_forget_was_so_before():
    board = scanning()
    assert [query for query, answer in FORGOTTEN.items() if ask(board, query) == answer] == [
        b"STAT:OPER:COND?",
        b"SYST:TIME?",
        b"SYST:TIME:SETT?",
        b"SYST:TIME:INT?",
    ]


def test_power_that_fails_with_a_message_which_reads_nothing():
    board = board_with({"kind": "power_cycle", "at_operation": 2})
    assert ask(board, b"*ESR?") == b"128"
    assert board.execute(b"SOUR1 0.5;:SOUR1?") == b""
    assert ask(board, b"*ESR?;:SOUR1?") == b"128;0.0E+0"
    assert errors(board) == []


def test_an_open_interlock_stays_open_when_the_power_fails():
    board = board_with({"kind": "power_cycle", "at_operation": 1})
    board.set_interlock(False)
    assert board.execute(b"*IDN?") == b""
    assert ask(board, b"OUTP:INT?;:STAT:QUES:COND?") == b"0;512"
    board.execute(b"OUTP ON")
    assert errors(board) == [101]


def test_other_faults_go_on_when_the_power_fails():
    board = ready(
        {"kind": "adc_stuck", "column": 1, "code": 1000, "at_operation": 3},
        {"kind": "power_cycle", "at_operation": 3},
    )
    assert board.execute(b"MEAS:MVM? " + floats([[0.1] * 3])) == b""
    tell(board, b"CURR:RANG 1E-4;:OUTP ON")
    assert product(board, [[0.1] * 3])[0, 0] == pytest.approx(1000 * 2.1e-4 / 2**24)


def test_line_feeds_alone_are_no_operations():
    board = board_with()
    for message in (b"", b"  ", b"*OPC?", b"\r", b"NONSENSE"):
        board.execute(message)
    assert board.crossbar.faults.operations == 2


@pytest.mark.parametrize("message", [b"SYST:WATC:FEED?", b":SYSTem:WATChdog:FEED?\r"])
def test_keep_alives_are_no_operations(message):
    """How many there are depends on the wall: they bring no fault nearer."""
    board = board_with({"kind": "power_cycle", "at_operation": 3})
    for _ in range(20):
        assert ask(board, message) == b"0"
    assert board.execute(b"*OPC?") == board.execute(b"*TST?;*OPC?")[2:] == b"1\n"
    assert board.execute(b"*IDN?") == b""
    assert board.board.power_ons == 2
