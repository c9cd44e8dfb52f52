"""`ohmsum design`: what it writes can be built, simulated and trusted."""

import json

import numpy as np
import pytest

from instrument import open_bench
from simulator.parts.resistors import draw_branches, nominal_ohms
from simulator.preset import load_preset

DESIGN = ("design", "--branches", 4, "--bits", 4, "--candidates", 60, "--pairs", 400)
FILES = ("design.csv", "design.json", "design.svg", "board.toml")


def test_json_is_one_document_and_the_board_holds_the_values(ohmsum, tmp_path):
    ended = ohmsum(*DESIGN, "--board", "8x4", "--json", "--out", "here")
    assert (ended.status, ended.err) == (0, "")
    document = json.loads(ended.out)
    assert document["ok"] is True
    assert set(FILES) <= {path.name for path in (tmp_path / "here").iterdir()}
    preset = load_preset(str(tmp_path / document["board"]))
    assert preset.shape.branches == 4
    np.testing.assert_array_equal(nominal_ohms(preset.population, 4), document["nominal_ohms"])
    unchanged = load_preset("8x4")
    assert (preset.dac, preset.adc, preset.wire) == (unchanged.dac, unchanged.adc, unchanged.wire)


def test_it_beats_the_rules_of_thumb(ohmsum):
    document = json.loads(ohmsum(*DESIGN, "--pairs", 1500, "--json").out)
    ours, *rules = document["compared"]
    assert [row["values"] for row in rules] == ["equal nominals", "one decade", "gap-free radix"]
    assert ours["bits_low"] > max(row["bits_high"] for row in rules)


def test_the_designed_board_calibrates_in_the_simulator(ohmsum, tmp_path):
    assert ohmsum(*DESIGN, "--board", "8x4", "--out", "here").status == 0
    path = tmp_path / "here" / "board.toml"
    with open_bench(f"sim:{path}") as bench:
        measured = bench.calibrate().branches.branch_siemens
    drawn = draw_branches(load_preset(str(path)), 1)
    true = drawn.closed_siemens - drawn.open_siemens
    np.testing.assert_allclose(measured, true, rtol=1e-2)


def test_same_seed_same_bytes(ohmsum, tmp_path):
    for folder in ("one", "two"):
        assert ohmsum(*DESIGN, "--out", folder).status == 0
    assert ohmsum(*DESIGN, "--seed", 2, "--out", "other").status == 0
    for name in FILES:
        one, two, other = (
            (tmp_path / folder / name).read_bytes() for folder in ("one", "two", "other")
        )
        assert one == two
        assert one != other


def test_a_goal_out_of_reach_ends_with_status_1(ohmsum):
    ended = ohmsum(*DESIGN, "--bits", 20)
    assert ended.status == 1
    assert "Goal NOT met" in ended.out
    assert "board.toml" in ended.out


def test_an_e_series_gives_values_of_the_series(ohmsum):
    document = json.loads(ohmsum(*DESIGN, "--series", "E12", "--json").out)
    twelve = [1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2]
    assert {value / 1e5 for value in document["nominal_ohms"]} <= {*twelve, 10.0}
    assert document["parts"]["offered"] == 13


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--branches", 13), "--branches"),
        (("--tolerance", 1.5), "--tolerance"),
        (("--ratio", 0.5), "--ratio"),
        (("--yield", 1.0), "--yield"),
        (("--distribution", "flat"), "--distribution"),
        (("--series", "E7"), "--series"),
        (("--candidates", 0), "--candidates"),
        (("--board", "absent.toml"), "absent.toml: neither a preset"),
        (("--series", "E6", "--ohms", 1.1e5, "--ratio", 1.05), "no value of E6 between"),
    ],
)
def test_bad_usage_is_one_clear_line(ohmsum, arguments, complaint):
    ended = ohmsum(*DESIGN, *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert complaint in ended.err
    assert "Traceback" not in ended.err
