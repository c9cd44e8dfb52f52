"""Faults of the wire, the power and the branches, as drivers, calibration and `ohmsum run` meet
them: never a wrong number, and the board ends in its safe state.
"""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.branches.characterization import BranchStatus
from drivers.crossbar_board import CrossbarBoard
from drivers.errors import InstrumentError, LinkGarbled, LinkLost, LinkTimeout
from drivers.link import Link
from instrument import open_bench
from instrument.bench_file import bench_toml
from instrument.board_calibration.file import load_calibration
from simulator.bench import serve_bench
from simulator.preset import load_preset
from tests.support.fault_plans import plan_of
from tests.support.simulated_boards import NO_NOISE, TINY, changed

QUIET = changed(TINY, NO_NOISE)
"""What it answers depends on what it is asked, not on what it was asked before."""
SHAPE = 3, 5, 2
HURRY_SECONDS, LATE_SECONDS, PATIENCE_SECONDS = 0.1, 0.8, 20.0
QUERY, ANSWER = "SYST:BOAR:SHAP?", "3,5,2"
WIRES = "socket", "serial"
STRUCK = {
    "reply_delayed": (LinkTimeout, LinkTimeout),
    "reply_torn": (LinkTimeout, LinkTimeout),
    "reply_garbled": (LinkGarbled, LinkGarbled),
    "reply_dropped": (LinkTimeout, LinkTimeout),
    "reply_duplicated": (LinkGarbled, LinkGarbled),
    "connection_reset": (LinkLost, LinkTimeout),
    "power_cycle": (LinkLost, LinkTimeout),
}
"""What a driver has to raise, on a socket and on a serial port."""
KINDS_ON_WIRES = [
    pytest.param(kind, wire, raised, id=f"{kind} {wire}")
    for kind, both in STRUCK.items()
    for wire, raised in zip(WIRES, both, strict=True)
]


def fault_of(kind, **when):
    late = {"delay_seconds": LATE_SECONDS} if kind == "reply_delayed" else {}
    return {"kind": kind} | late | when


def served(wire, *faults, preset=QUIET, seed=1):
    return serve_bench(preset, 4, (wire,), faults=plan_of(*faults, seed=seed))


def patiently(ask):
    """What is answered in the end; before it, faults of the wire and no others."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except (LinkTimeout, LinkLost, LinkGarbled):
            assert time.monotonic() < deadline, "the link does not recover"


@pytest.mark.parametrize(("kind", "wire", "raised"), KINDS_ON_WIRES)
def test_a_question_whose_reply_is_struck(kind, wire, raised):
    with served(wire) as bench, Link(bench.resources["board"][wire]) as link:
        link.query(QUERY)
        before = bench.crossbar.faults.operations
    with (
        served(wire, fault_of(kind, at_operation=before + 1)) as bench,
        Link(bench.resources["board"][wire]) as link,
    ):
        assert link.query(QUERY) == ANSWER
        hurry = HURRY_SECONDS if raised is LinkTimeout else None
        with pytest.raises(raised):
            link.query("SYST:LFR?", timeout_seconds=hurry)
        assert bench.crossbar.faults.strikes[0].count == 1
        assert patiently(lambda: link.query(QUERY)) == ANSWER
        assert link.query("SYST:LFR?") == "50"


# during a scan

POINTS = (
    np.repeat(np.arange(3), 6),
    np.tile([-1, 0, 1], 6),
    np.tile([0.5, 0.5, 0.5, -0.5, -0.5, -0.5], 3),
)


def prepare(board):
    board.configure(range_amperes=1e-5, aperture_seconds=0.01, delay_seconds=1e-3)


@pytest.fixture(scope="module", params=WIRES)
def sound_scan(request):
    """What a sound board answers, and how many program messages came before the scan."""
    with (
        served(request.param) as bench,
        CrossbarBoard.open(bench.resources["board"][request.param]) as board,
    ):
        prepare(board)
        before = bench.crossbar.faults.operations
        return request.param, board.scan(*POINTS), before


RECOVERED = {
    "reply_delayed": ("timeout", "timeout"),
    "reply_torn": ("timeout", "timeout"),
    "reply_garbled": ("garbled", "garbled"),
    "reply_dropped": ("timeout", "timeout"),
    "reply_duplicated": ("garbled", "garbled"),
    "connection_reset": ("lost", "timeout"),
    "power_cycle": ("power_on", "power_on"),
}
"""How a driver counts what it has gone on after, on a socket and on a serial port."""


@pytest.mark.parametrize("kind", [*STRUCK, "power_cycle in the middle"])
def test_a_scan_that_is_struck_ends_where_nothing_is_repeated(kind, sound_scan):
    wire, sound, before = sound_scan
    if kind in STRUCK:
        raised = STRUCK[kind][WIRES.index(wire)]
        fault = fault_of(kind, at_operation=before + 1)
    else:
        raised = STRUCK["power_cycle"][WIRES.index(wire)]
        fault = fault_of("power_cycle", at_seconds=0.1)
    with (
        served(wire, fault) as bench,
        CrossbarBoard.open(bench.resources["board"][wire], retries=0) as board,
    ):
        prepare(board)
        if raised is LinkTimeout:
            board.timeout_seconds = HURRY_SECONDS  # the scan itself allows for more
        with pytest.raises(raised):
            board.scan(*POINTS)
        assert bench.crossbar.faults.strikes[0].count == 1
        assert not board.recovery
        board.timeout_seconds = 2.0
        patiently(board.safe)
        assert not bench.crossbar.outputs_on
        assert not bench.crossbar.pattern.any()
        prepare(board)
        np.testing.assert_allclose(board.scan(*POINTS), sound, rtol=1e-6, atol=1e-15)
    assert not bench.crossbar.outputs_on


@pytest.mark.parametrize("kind", [*STRUCK, "power_cycle in the middle"])
def test_a_scan_that_is_struck_is_repeated(kind, sound_scan):
    wire, sound, before = sound_scan
    if kind in STRUCK:
        fault = fault_of(kind, at_operation=before + 1)
    else:
        fault = fault_of("power_cycle", at_seconds=0.1)
    with (
        served(wire, fault) as bench,
        CrossbarBoard.open(bench.resources["board"][wire]) as board,
    ):
        prepare(board)
        board.timeout_seconds = HURRY_SECONDS  # the scan itself allows for more
        np.testing.assert_allclose(board.scan(*POINTS), sound, rtol=1e-6, atol=1e-15)
        assert bench.crossbar.faults.strikes[0].count == 1
        assert board.recovery == {RECOVERED[kind.split()[0]][WIRES.index(wire)]: 1}
        board.timeout_seconds = 2.0
        settings = board.range_amperes, board.aperture_seconds, board.delay_seconds
        assert settings == (1e-5, 0.01, 1e-3)
    assert not bench.crossbar.outputs_on


# any plan

CHANCES = st.fixed_dictionaries({"probability": st.floats(0.05, 0.6)})
MOMENTS = st.fixed_dictionaries({"at_operation": st.integers(1, 40)})
REPLY_KINDS = [kind for kind in STRUCK if kind.startswith(("reply", "connection"))]
LAST_OPERATION = 60


@st.composite
def reply_faults(draw):
    fault = fault_of(draw(st.sampled_from(REPLY_KINDS)), **draw(st.one_of(CHANCES, MOMENTS)))
    if fault["kind"] == "reply_delayed":
        fault["delay_seconds"] = draw(st.sampled_from([0.01, 0.08, 0.2]))
    if fault["kind"] == "reply_torn" and draw(st.booleans()):
        fault["delay_seconds"] = draw(st.sampled_from([0.01, 0.08]))
    return fault | {"until_operation": LAST_OPERATION}


ROW_VOLTS = np.array([0.125, 0.25, 0.375])


def asked(link, row):
    """A question whose answer looks like that to each of its neighbours."""
    return float(link.query(f":SOUR{row + 1}?"))


@pytest.mark.parametrize("wire", WIRES)
def test_replies_that_come_when_the_next_question_has_been_asked_go_to_nobody(wire):
    late = {"kind": "reply_delayed", "delay_seconds": 0.15, "probability": 1.0}
    with (
        served(wire, late | {"until_operation": 12}) as bench,
        Link(bench.resources["board"][wire], timeout_seconds=0.1) as link,
    ):
        bench.crossbar.set_row_volts(ROW_VOLTS)
        for turn in range(5):
            try:
                answer = asked(link, turn % 3)
            except LinkTimeout:
                continue
            assert answer == ROW_VOLTS[turn % 3]
        assert bench.crossbar.faults.strikes[0].count >= 3
        link.timeout_seconds = 2.0
        assert [patiently(lambda r=row: asked(link, r)) for row in range(3)] == list(ROW_VOLTS)


@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from(WIRES),
    st.lists(reply_faults(), min_size=1, max_size=3),
    st.lists(st.integers(0, 2), min_size=3, max_size=8),
    st.integers(0, 100),
)
def test_no_plan_hands_an_answer_to_another_question(wire, faults, rows, seed):
    with (
        served(wire, *faults, seed=seed) as bench,
        Link(bench.resources["board"][wire], timeout_seconds=0.05) as link,
    ):
        bench.crossbar.set_row_volts(ROW_VOLTS)
        for row in rows:
            try:
                answer = asked(link, row)
            except (LinkTimeout, LinkLost, LinkGarbled):
                continue
            assert answer == ROW_VOLTS[row]


def patterned(seed):
    return np.random.default_rng(seed).random(SHAPE) < 0.5


def scan(board, seed):
    prepare(board)
    return board.scan(*(array[seed : seed + 5] for array in POINTS))


def multiply(board, seed):
    prepare(board)
    board.apply(patterned(seed))
    return board.column_currents(np.random.default_rng(seed).uniform(-0.3, 0.3, (4, 3)))


def read_back(board, seed):
    board.apply(patterned(seed))
    return board.pattern()


def set_up(board, seed):
    board.configure(aperture_seconds=(seed + 1) / 100, delay_seconds=seed / 1000)
    return np.array([board.range_amperes > 0, board.aperture_seconds, board.delay_seconds])


def what_it_is(board, seed):
    return np.array([board.rows, board.columns, board.branches, *board.nominal_ohms])


ACTIONS = {action.__name__: action for action in (scan, multiply, read_back, set_up, what_it_is)}


@pytest.fixture(scope="module")
def sound_answers():
    with (
        served("socket") as bench,
        CrossbarBoard.open(bench.resources["board"]["socket"]) as board,
    ):
        return {
            (name, seed): action(board, seed)
            for name, action in ACTIONS.items()
            for seed in range(5)
        }


@settings(deadline=None, max_examples=8)
@given(
    st.lists(reply_faults(), min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(0, 4)), max_size=6),
    st.integers(0, 100),
)
def test_no_plan_brings_a_wrong_number_or_an_end_of_patience(sound_answers, faults, actions, seed):
    with served("socket", *faults, seed=seed) as bench:
        resource = bench.resources["board"]["socket"]

        def at_once():
            return CrossbarBoard.open(resource, timeout_seconds=0.05, reconnect_seconds=1.0)

        board = patiently(at_once)
        for name, number in actions:
            began = time.monotonic()
            try:
                answer = ACTIONS[name](board, number)
            except InstrumentError:
                continue
            finally:
                assert time.monotonic() - began < PATIENCE_SECONDS
            np.testing.assert_allclose(answer, sound_answers[name, number], rtol=1e-6, atol=1e-15)
        board.timeout_seconds = 2.0
        while bench.crossbar.faults.operations < LAST_OPERATION:
            patiently(board.safe)
        for name, number in (("multiply", 1), ("scan", 2)):
            answer = patiently(lambda act=ACTIONS[name], n=number: act(board, n))
            np.testing.assert_allclose(answer, sound_answers[name, number], rtol=1e-6, atol=1e-15)
        board.close()
        assert not bench.crossbar.outputs_on
        assert not bench.crossbar.pattern.any()


# of branches


def test_a_calibration_finds_faulty_branches_and_measures_the_others(tmp_path):
    faults = [
        {"kind": "open", "row": 1, "count": 6},
        {"kind": "stuck_off", "row": 2, "fraction": 0.1},
        {"kind": "stuck_on", "row": 3, "column": 4, "branch": 5},
        {"kind": "short", "row": 5, "count": 2},
        {"kind": "open", "row": 7, "column": 2, "branch": 3, "at_seconds": 1.0},
        {"kind": "drifting", "row": 8, "count": 5, "ppm_per_hour": 1e6},
    ]
    path = tmp_path / "truth.npz"
    preset = load_preset("8x4").with_effects(ambient=0.0)
    with serve_bench(preset, 2, ("socket",), faults=plan_of(*faults), truth=path) as simulated:
        (tmp_path / "bench.toml").write_text(bench_toml(simulated.resources["board"]["socket"]))
        with open_bench(tmp_path / "bench.toml") as bench:
            measured = bench.calibrate().branches
    with np.load(path, allow_pickle=False) as data:
        truth = dict(data)
    about = json.loads(str(truth["about"]))

    expected = np.full(measured.status.shape, BranchStatus.OK)
    drifting = np.zeros(expected.shape, dtype=bool)
    for fault in about["faults"]:
        places = tuple(np.array(fault["branches"]).T - 1)
        assert fault["strike_count"] == 1
        if fault["kind"] == "drifting":
            drifting[places] = True
        elif fault["kind"] == "short":
            expected[places] = BranchStatus.SHORT
        elif fault["kind"] == "stuck_on":
            expected[places] = BranchStatus.STUCK
        else:
            expected[places] = BranchStatus.OPEN
    assert (expected != BranchStatus.OK).sum() == 6 + 8 + 1 + 2 + 1
    np.testing.assert_array_equal(measured.status, expected)

    # By the true gains of its converters, the board measures its true conductances.
    index = np.flatnonzero(truth["ranges_amperes"] == measured.range_amperes)[0]
    columns = (1 + truth["tia_gain_error"][index]) * (1 + truth["adc_gain_error"])
    gain = (1 + truth["dac_gain_error"])[:, None, None] * columns[:, None]
    closing = gain * (truth["closed_siemens"] - truth["open_siemens"])
    steady = (expected == BranchStatus.OK) & ~drifting
    scale = closing[steady].max()
    np.testing.assert_allclose(
        measured.branch_siemens[steady], closing[steady], rtol=1e-4, atol=1e-5 * scale
    )
    drawn = gain * (truth["drawn_closed_siemens"] - truth["drawn_open_siemens"])
    moved = measured.branch_siemens[drifting] / drawn[drifting] - 1
    assert ((moved > 1e-4) & (moved < about["seconds"] / 3600)).all()


def test_rows_and_columns_that_are_dead_are_named_and_the_others_used(ohmsum, tmp_path):
    faults = plan_of({"kind": "dead_row", "row": 2}, {"kind": "dead_column", "column": 8})
    np.save(tmp_path / "W.npy", np.array([[0.5, 0.25], [0.0, 0.0], [-1.0, 0.75]]))
    with serve_bench(load_preset("8x4"), 2, ("socket",), faults=faults) as simulated:
        (tmp_path / "bench.toml").write_text(bench_toml(simulated.resources["board"]["socket"]))
        run = ("run", "--bench", "bench.toml", "--matrix", "W.npy")
        outcome = ohmsum(*run, "--out", "first", "--json")
        assert outcome.status == 0, outcome.err
        table = ohmsum(*run, "--calibration", "first/calibration.npz", "--out", "again")
    document = json.loads(outcome.out)
    converters = document["calibration"]["converters"]
    assert (converters["dead_rows"], converters["dead_columns"]) == ([1], [7])
    assert converters["unseen_rows"] == converters["saturated_columns"] == []
    assert document["validation"]["bits"] > 12
    assert "dead rows 2; dead columns 8" in table.out
    report = (tmp_path / "first" / "report.html").read_text("utf-8")
    assert "<li>row 2: dead</li>" in report
    assert "<li>column 8: dead</li>" in report


def test_an_output_that_is_lost_is_named_and_the_others_are_stated(ohmsum, tmp_path):
    faults = plan_of({"kind": "short", "row": 2, "column": 3}, {"kind": "stuck_on", "column": 3})
    with serve_bench(load_preset("8x4"), 2, ("socket",), faults=faults) as simulated:
        (tmp_path / "bench.toml").write_text(bench_toml(simulated.resources["board"]["socket"]))
        run = ("run", "--bench", "bench.toml", "--matrix", "random", "--hours", "0.1", "--thorough")
        outcome = ohmsum(*run, "--out", "first", "--json")
        with open_bench(tmp_path / "bench.toml") as bench:
            program = bench.program(np.full((8, 4), 0.5))
            answered = program @ np.full(8, 0.5)
    # Not what was asked for, even if the rest is as precise as it must be.
    assert outcome.status == 1, outcome.err
    document = json.loads(outcome.out)
    assert document["program"]["lost_outputs"] == [1]
    assert document["calibration"]["converters"]["saturated_columns"] == [2]
    assert document["validation"]["bits"] > 12
    assert document["budget"]["predicted_bits"] > 12
    report = (tmp_path / "first" / "report.html").read_text("utf-8")
    assert "Outputs lost" in report
    assert "4 outputs, 1 of them lost" in report
    assert not document["ok"]
    assert np.isnan(answered).tolist() == [False, True, False, False]
    np.testing.assert_allclose(answered[[0, 2, 3]], 2.0, rtol=1e-3)


# the command line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "after"),
    [(b":MEAS:SCAN?", "run.json"), (b":MEAS:MVM?", "calibration.npz")],
    ids=["among the branches", "while programming"],
)
def test_power_that_fails_in_the_middle_of_a_run(
    command, after, start, ended, ohmsum, at_message, ask, all_open_crc, tmp_path
):
    """First a rehearsal on a sound board of the same seed, to learn when the middle is."""
    run = ("run", "--matrix", "random", "--bench")
    struck = []
    with serve_bench(load_preset("8x4"), 1, ("socket",)) as rehearsal:
        (tmp_path / "r.toml").write_text(bench_toml(rehearsal.resources["board"]["socket"]))
        count = rehearsal.crossbar.faults

        def strike_once_it_is_kept():
            if (tmp_path / "rehearsed" / after).exists():
                struck.append(count.operations + 1)

        at_message(rehearsal, command, None, strike_once_it_is_kept)
        assert ohmsum(*run, "r.toml", "--out", "rehearsed").status == 0
    assert struck

    plan = f"[[fault]]\nkind = 'power_cycle'\nat_operation = {struck[1]}\n"
    (tmp_path / "plan.toml").write_text(plan)
    sim = start("sim", "--board", "8x4", "--json", "--faults", "plan.toml", "--truth", "t.npz")
    resource = json.loads(sim.stdout.readline())["resources"]["board"]["socket"]
    (tmp_path / "once.toml").write_text(bench_toml(resource) + "retries = 0\n")
    outcome = ohmsum(*run, "once.toml", "--out", "kept")
    assert outcome.status == 3
    assert outcome.out == ""
    said = [line for line in outcome.err.splitlines() if line.startswith("ohmsum: ")]
    assert said == outcome.err.splitlines()[-1:]
    assert said[0].startswith(f"ohmsum: {resource}: connection lost")
    state = ask(resource, "OUTP?;:ROUT:PATT:CRC?;:SYST:ERR?;*ESR?")
    assert state[:3] == ["0", str(all_open_crc(8, 8, 10)), '0,"No error"']
    assert int(state[3]) & 128  # power on

    if command == b":MEAS:MVM?":
        kept = tmp_path / "kept" / "calibration.npz"
        np.testing.assert_array_equal(
            load_calibration(kept).branches.branch_siemens,
            load_calibration(tmp_path / "rehearsed" / "calibration.npz").branches.branch_siemens,
        )
        again = ohmsum(*run, "bench.toml", "--calibration", kept, "--out", "again")
        assert again.status == 0
    sim.terminate()
    assert ended(sim).status == 0
    with np.load(tmp_path / "t.npz", allow_pickle=False) as truth:
        faults = json.loads(str(truth["about"]))["faults"]
    assert [fault["strikes"][0][1] for fault in faults] == struck[1:2]


@pytest.mark.parametrize("wire", WIRES)
def test_a_run_goes_on_after_faults_and_tells_them(wire, ohmsum, tmp_path):
    faults = [
        {"kind": "power_cycle", "at_operation": 60},
        {"kind": "power_cycle", "at_operation": 300},
        {"kind": "reply_garbled", "at_operation": 100, "every_operations": 50},
        {"kind": "connection_reset", "at_operation": 230},
    ]
    preset, run = load_preset("8x4"), ("run", "--matrix", "random", "--bench", "bench.toml")
    documents = []
    for plan in ([], faults):
        with serve_bench(preset, 2, (wire,), faults=plan_of(*plan)) as simulated:
            named = bench_toml(simulated.resources["board"][wire])
            (tmp_path / "bench.toml").write_text(named + "timeout_seconds = 0.5\n")
            outcome = ohmsum(*run, "--json", "--out", f"of {len(plan)} faults")
        assert outcome.status == 0, outcome.err
        documents.append(json.loads(outcome.out))
        assert not simulated.crossbar.outputs_on
    sound, struck = documents
    assert sound["recovery"] == {}
    counts = struck["recovery"]
    assert counts.pop("garbled") >= 4
    assert counts == {"power_on": 2} | ({"lost": 1} if wire == "socket" else {"timeout": 1})
    assert abs(struck["validation"]["bits"] - sound["validation"]["bits"]) < 0.3
    assert struck["bench_seconds"]["integrating"] >= sound["bench_seconds"]["integrating"]
    for name, holds in (("of 0 faults", False), ("of 4 faults", True)):
        report = (tmp_path / name / "report.html").read_text("utf-8")
        assert ("2 × power on" in report) == holds


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("[[fault]]\nkind = 'open'\nrow = 9\n", "plan.toml: fault 1 (open).row: at most 8"),
        ("seed = 'x'", "plan.toml: seed: "),
        (None, "plan.toml: No such file"),
    ],
)
def test_a_plan_that_cannot_be_used(ohmsum, tmp_path, plan, said):
    if plan is not None:
        (tmp_path / "plan.toml").write_text(plan)
    outcome = ohmsum("sim", "--board", "8x4", "--json", "--faults", "plan.toml")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"ohmsum: {said}")
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "bench.toml").exists()


def test_a_truth_file_that_cannot_be_written(ohmsum, tmp_path):
    outcome = ohmsum("sim", "--board", "8x4", "--json", "--truth", "no/such/folder/t.npz")
    assert (outcome.status, outcome.out) == (2, "")
    assert "no/such/folder/t.npz" in outcome.err
    assert len(outcome.err.splitlines()) == 1
