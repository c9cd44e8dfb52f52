"""`ohmsum design`: what it writes can be built, simulated and trusted."""

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from instrument import open_bench
from simulator.parts.resistors import draw_branches, nominal_ohms
from simulator.preset import load_preset

DESIGN = ("design", "--branches", 4, "--bits", 4, "--candidates", 60, "--pairs", 400)
FILES = ("design.csv", "design.json", "design.svg", "board.toml")


def test_json_is_one_document_and_the_board_holds_the_values(ohmsum, tmp_path):
    ended = ohmsum(*DESIGN, "--board", "8x4", "--json", "--out", "here")
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    assert document["ok"] is True
    assert set(FILES) <= {path.name for path in (tmp_path / "here").iterdir()}
    preset = load_preset(str(tmp_path / document["board"]))
    assert preset.shape.branches == 4
    np.testing.assert_array_equal(nominal_ohms(preset.population, 4), document["nominal_ohms"])
    ohms = document["nominal_ohms"]
    assert preset.population.base_ohms == min(ohms)
    assert preset.population.decades == pytest.approx(np.log10(max(ohms) / min(ohms)))
    assert preset.population.decades > 0
    unchanged = load_preset("8x4")
    assert (preset.dac, preset.adc, preset.wire) == (unchanged.dac, unchanged.adc, unchanged.wire)


def test_it_beats_the_rules_of_thumb_and_says_so(ohmsum):
    document = json.loads(ohmsum(*DESIGN, "--pairs", 1500, "--json").out)
    ours, *rules = document["compared"]
    assert [row["values"] for row in rules] == ["equal nominals", "one decade", "gap-free radix"]
    assert ours["bits_low"] > max(row["bits_high"] for row in rules)
    assert min(row["gained_low"] for row in rules) > 0
    assert "better than each rule of thumb" in ohmsum(*DESIGN, "--pairs", 1500).out


def test_where_a_rule_is_as_good_it_says_so(ohmsum):
    # With a single value to choose from, every rule comes down to the same one.
    said = ohmsum(*DESIGN, "--ratio", 1).out
    assert "the same values as equal nominals, one decade, gap-free radix" in said
    assert "Buy for each crosspoint: 4 × 100" in said
    # A tail of 400 pairs holds nothing of one in ten thousand.
    said = ohmsum(*DESIGN, "--yield", 0.9999).out
    assert "not shown to beat equal nominals, one decade, gap-free radix" in said


def test_too_few_pairs_to_tell_is_no_failure_of_the_design(ohmsum):
    ended = ohmsum(*DESIGN, "--bits", 2, "--yield", 0.999)
    assert ended.status == 1
    # ln 0.025 / ln 0.999, rounded up: all of so many pairs good, and the goal is shown.
    assert "Goal NOT shown" in ended.out
    assert "try --pairs 3688" in ended.out
    assert ohmsum(*DESIGN, "--bits", 2, "--yield", 0.999, "--pairs", 3688).status == 0


@pytest.mark.parametrize(
    "parts",
    [
        ("--distribution", "uniform"),
        ("--distribution", "normal", "--tolerance", 0.2),
        ("--distribution", "lognormal", "--series", "E24", "--ratio", 5),
        ("--off-ohms", 1e6, "--on-ohms", 2e3),
    ],
    ids=["uniform", "normal", "series", "leaky"],
)
def test_boards_drawn_by_the_simulator_keep_the_promise(ohmsum, tmp_path, parts):
    document = json.loads(
        ohmsum(*DESIGN, *parts, "--board", "100x100", "--pairs", 4000, "--json").out
    )
    bits = bits_of_pairs(tmp_path / document["board"], seed=3)
    promised = document["compared"][0]
    assert promised["bits_low"] <= np.quantile(bits, 0.01) <= promised["bits_high"]
    for wanted in (promised["bits"], promised["median_bits"]):
        reached = int((bits >= wanted).sum())
        expected = round((0.99 if wanted == promised["bits"] else 0.5) * 4000)
        table = [[reached, bits.size - reached], [expected, 4000 - expected]]
        assert fisher_exact(table).pvalue > 1e-3


def bits_of_pairs(path: Path, seed: int):
    """All sums of every pair (rows · columns / 2,) of a simulated board, at its worst target."""
    drawn = draw_branches(load_preset(str(path)), seed)
    closed, opened = (
        one.reshape(len(one), -1, 2, one.shape[2]).reshape(-1, 2, one.shape[2])
        for one in (drawn.closed_siemens, drawn.open_siemens)
    )
    branches = closed.shape[2]
    half = (closed - opened).sum(axis=2).min(axis=1, keepdims=True) / 2
    chosen = (np.arange(1 << branches) >> np.arange(branches)[:, None]) & 1
    sides = closed @ chosen + opened @ (1 - chosen)
    weights = np.sort((sides[:, 0, :, None] - sides[:, 1, None, :]).reshape(len(half), -1))
    below, above = weights[:, :-1], weights[:, 1:]
    target = np.clip(0.5 * (below + above), -half, half)
    error = np.minimum(target - below, above - target)
    return np.log2(half / error.max(axis=1, keepdims=True)).ravel()


def test_nothing_of_the_base_spoils_the_promise(ohmsum, tmp_path):
    spoilt = (resources.files("simulator") / "presets" / "8x4.toml").read_text("utf-8")
    spoilt = spoilt.replace("[effects]", "[effects]\ntolerance = 0.0\nleakage = 0.0\nmains = 0.0")
    (tmp_path / "base.toml").write_text(spoilt + "\n[defects]\nopen = 0.5\n", "utf-8")
    assert ohmsum(*DESIGN, "--board", "base.toml", "--out", "here").status == 0
    preset = load_preset(str(tmp_path / "here" / "board.toml"))
    assert preset.effects == {"mains": 0.0}
    assert preset.defects == load_preset("8x4").defects
    assert preset.in_force().population.tolerance == 0.1


def test_the_designed_board_calibrates_in_the_simulator(ohmsum, tmp_path):
    assert ohmsum(*DESIGN, "--board", "8x4", "--out", "here").status == 0
    path = tmp_path / "here" / "board.toml"
    with open_bench(f"sim:{path}") as bench:
        measured = bench.calibrate().branches.branch_siemens
    drawn = draw_branches(load_preset(str(path)), 1)
    true = drawn.closed_siemens - drawn.open_siemens
    np.testing.assert_allclose(measured, true, rtol=1e-2)


@pytest.mark.parametrize(
    "parts", [("--branches", 5), ("--branches", 6, "--ratio", 100)], ids=["few", "wide"]
)
def test_the_designed_board_multiplies(ohmsum, tmp_path, parts):
    assert ohmsum(*DESIGN, *parts, "--board", "8x4", "--out", "here").status == 0
    board = f"sim:{tmp_path / 'here' / 'board.toml'}"
    assert ohmsum("run", "--bench", board, "--matrix", "random", "--spec-bits", 5).status == 0


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
        (("--off-ohms", 1e3, "--on-ohms", 1e6), "an open switch must resist more"),
        (("--seed", 10**22), "--seed"),
        (("--series", "E6", "--ohms", 1.1e5, "--ratio", 1.05), "no value of E6 between"),
    ],
)
def test_bad_usage_is_one_clear_line(ohmsum, arguments, complaint):
    ended = ohmsum(*DESIGN, *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert complaint in ended.err
    assert "Traceback" not in ended.err
