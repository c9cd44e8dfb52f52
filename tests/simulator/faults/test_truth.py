"""The ground truth: whole, on file, and on no wire."""

import json

import numpy as np
import pytest

from simulator.bench import serve_bench
from simulator.parts.converters import draw_dacs, draw_readers
from simulator.parts.resistors import draw_branches
from simulator.preset import load_preset
from tests.support.fault_plans import plan_of

PRESET, SEED = load_preset("8x4"), 3
PLAN = plan_of(
    {"kind": "open", "count": 7},
    {"kind": "stuck_on", "row": 2, "column": 3, "branch": 4, "at_operation": 2},
    {"kind": "reply_dropped", "probability": 0.5, "at_operation": 3},
)


@pytest.fixture
def truth(tmp_path):
    """What is written at first and at the end, in between a board that executes two messages."""
    path = tmp_path / "truth.npz"
    with serve_bench(PRESET, SEED, ("socket",), faults=PLAN, truth=path) as bench:
        first = read(path)
        for _ in range(2):
            bench.board.open_session().execute(b"*OPC?")
    assert [entry.name for entry in tmp_path.iterdir()] == ["truth.npz"]
    return first, read(path)


def read(path):
    with np.load(path, allow_pickle=False) as data:
        return dict(data) | {"about": json.loads(str(data["about"]))}


def test_it_is_what_was_drawn(truth):
    drawn = draw_branches(PRESET.in_force(), SEED)
    dacs = draw_dacs(PRESET.dac, 8, SEED)
    readers = draw_readers(PRESET.tia, PRESET.adc, 8, SEED)
    for told in truth:
        np.testing.assert_array_equal(told["drawn_closed_siemens"], drawn.closed_siemens)
        np.testing.assert_array_equal(told["drawn_open_siemens"], drawn.open_siemens)
        np.testing.assert_array_equal(told["dac_gain_error"], dacs.gain_error)
        np.testing.assert_array_equal(told["dac_offset_volts"], dacs.offset_volts)
        np.testing.assert_array_equal(told["tia_gain_error"], readers.tia_gain_error)
        np.testing.assert_array_equal(told["tia_offset_volts"], readers.tia_offset_volts)
        np.testing.assert_array_equal(told["adc_gain_error"], readers.adc_gain_error)
        assert told["about"]["preset"]["wire"] == PRESET.wire.model_dump()


def test_it_holds_every_fault_with_where_and_when(truth):
    first, last = (told["about"]["faults"] for told in truth)
    assert [fault["strike_count"] for fault in first] == [1, 0, 0]
    opened, stuck, dropped = last
    assert (opened["kind"], len(opened["branches"]), opened["strikes"]) == ("open", 7, [[0.0, 0]])
    assert (stuck["branches"], stuck["strikes"]) == ([[2, 3, 4]], [[0.0, 2]])
    assert (dropped["branches"], dropped["strike_count"], dropped["probability"]) == ([], 0, 0.5)


def test_branches_are_as_the_faults_have_left_them(truth):
    first, last = truth
    np.testing.assert_array_equal(first["closed_siemens"], last["closed_siemens"])
    np.testing.assert_array_equal(
        np.argwhere(first["open_siemens"] != last["open_siemens"]), [[1, 2, 3]]
    )
    differs = last["closed_siemens"] != last["drawn_closed_siemens"]
    opened = [tuple(place) for place in last["about"]["faults"][0]["branches"]]
    assert [tuple(place) for place in np.argwhere(differs) + 1] == sorted(opened)
    assert (last["closed_siemens"][differs] == 0).all()
    assert last["open_siemens"][1, 2, 3] == last["drawn_closed_siemens"][1, 2, 3]


def test_a_file_that_cannot_be_written(tmp_path):
    with (
        pytest.raises(FileNotFoundError),
        serve_bench(PRESET, SEED, ("socket",), truth=tmp_path / "no" / "truth.npz"),
    ):
        pass
