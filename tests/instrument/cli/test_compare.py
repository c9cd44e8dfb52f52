"""`ohmsum compare`: what differs between two runs, and which cause got worse."""

import json
import re
import shutil
from xml.etree import ElementTree

import pytest


@pytest.fixture
def compared(ohmsum, kept_runs):
    def document(a, b, *options):
        outcome = ohmsum("compare", kept_runs / a, kept_runs / b, "--json", *options)
        assert (outcome.status, outcome.err) == (0, "")
        return json.loads(outcome.out)

    return document


def result_of(folder):
    return json.loads((folder / "result.json").read_text("utf-8"))


def test_settings_that_differ_are_listed_and_no_others(compared, kept_runs):
    document = compared("a", "c")
    a, c = result_of(kept_runs / "a")["run"], result_of(kept_runs / "c")["run"]
    assert [run["id"] for run in document["runs"]] == [a["id"], c["id"]]
    differing = {row["setting"]: (row["a"], row["b"]) for row in document["settings"]}
    assert differing["command"] == (a["command"], c["command"])
    assert differing["matrix.name"] == ("W.npy", "V.npy")
    assert differing["matrix.sha256"] == (a["matrix"]["sha256"], c["matrix"]["sha256"])
    assert differing["bench.name"] == ("bench.toml", "quick.toml")
    assert differing["calibration.run"] == (a["id"], c["id"])
    assert not {"inputs.sha256", "board.serial", "firmware", "versions.numpy"} & differing.keys()


def test_a_run_differs_in_nothing_from_itself(compared):
    document = compared("a", "a")
    assert document["settings"] == []
    assert {row["difference"] for row in document["bits"] + document["budget"]} == {0.0}
    assert document["words"][-1] == "No cause of the budget has changed by what matters."


def test_options_and_bench_files_are_compared_where_they_are_kept(compared, kept_runs, tmp_path):
    for name, nplc in (("a", 1), ("b", 0.1)):
        shutil.copytree(kept_runs / name, tmp_path / name)
        (tmp_path / name / "bench.toml").write_text(f"[board]\nnplc = {nplc}\n")
        claim = json.loads((tmp_path / name / "run.json").read_text("utf-8"))
        claim["asked"] = {"run": {"thorough": name == "b", "seed": 1}, "directory": f"/{name}"}
        (tmp_path / name / "run.json").write_text(json.dumps(claim))
    settings = compared(tmp_path / "a", tmp_path / "b")["settings"]
    differing = {row["setting"]: (row["a"], row["b"]) for row in settings}
    assert differing["options.thorough"] == (False, True)
    assert differing["bench.board.nplc"] == (1, 0.1)
    assert not {"options.seed", "options.directory"} & differing.keys()


def test_bits_and_causes_stand_side_by_side_the_largest_change_first(compared, kept_runs):
    document = compared("a", "c")
    a, c = result_of(kept_runs / "a"), result_of(kept_runs / "c")
    measured, predicted, worst = document["bits"]
    for row, section, key in (
        (measured, "validation", "bits"),
        (predicted, "budget", "predicted_bits"),
        (worst, "validation", "worst_bits"),
    ):
        assert (row["a"], row["b"]) == (a[section][key], c[section][key])
        assert row["difference"] == pytest.approx(row["b"] - row["a"])
    rows = document["budget"]
    errors = [
        {row["cause"]: row["relative_error"] for row in run["budget"]["rows"]} for run in (a, c)
    ]
    assert [{row["cause"]: row[side] for row in rows} for side in "ab"] == errors
    changes = [abs(row["b"] ** 2 - row["a"] ** 2) for row in rows]
    assert changes == sorted(changes, reverse=True)


def test_words_name_the_cause_that_got_worse(compared, ohmsum, kept_runs):
    """A short aperture is no whole number of line cycles: mains is read."""
    document = compared("a", "c")
    words = " ".join(document["words"])
    assert "The matrices differ" in words
    assert re.search(r"B has \d\d\.\d\d bits, \d\.\d\d fewer than A", words)
    assert re.search(r"Worse in B: mains \(\S+ to \S+\)", words)
    assert re.search(r"Better in A|Worse in A", words) is None
    backwards = " ".join(compared("c", "a")["words"])
    assert re.search(r"more than A.*Better in B: mains \(", backwards)
    table = ohmsum("compare", kept_runs / "a", kept_runs / "c").out
    assert table.splitlines()[-1] == document["words"][-1]


def test_the_picture_shows_both_waterfalls_on_paper(compared, tmp_path):
    document = compared("a", "b", "--picture", "ab.svg")
    svg = ElementTree.parse(tmp_path / "ab.svg").getroot()
    texts = {
        " ".join("".join(text.itertext()).split()) for text in svg.iter() if "text" in text.tag
    }
    for row in document["budget"]:
        assert row["cause"] in texts
    for name, side in zip("AB", ("a", "b"), strict=True):
        measured, predicted, _ = document["bits"]
        assert f"{name} measured {measured[side]:.2f}" in texts
        assert f"{name} sum {predicted[side]:.2f}" in texts
        assert f"bits that are left in {name}" in texts
    paper = next(path for path in svg.iter() if path.tag.endswith("path"))
    assert "fill: #ffffff" in paper.get("style")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a", "cut"), "cut: this run has no result.json"),
        (("cut", "a"), "cut: this run has no result.json"),
        (("a", "d"), "d: no such folder, and no run in "),
        (("a", "b", "--picture", "taken.svg"), "taken.svg: is there already"),
        (("a", "b", "--picture", "picture.png"), "picture.png: pictures are SVG"),
        (("a", "bare", "--picture", "new.svg"), None),
        (("bare", "bare", "--picture", "new.svg"), "bare: neither run has a budget"),
    ],
)
def test_bad_usage_is_one_line(ohmsum, kept_runs, tmp_path, arguments, says):
    results = shutil.copytree(kept_runs, tmp_path / "ohmsum-results")
    bare = shutil.copytree(kept_runs / "a", results / "bare")
    document = result_of(bare)
    del document["budget"]
    (bare / "result.json").write_text(json.dumps(document))
    (tmp_path / "taken.svg").write_text("kept")
    outcome = ohmsum("compare", *arguments)
    assert outcome.status == (0 if says is None else 2)
    if says is not None:
        assert outcome.out == ""
        assert says in outcome.err
        assert len(outcome.err.splitlines()) == 1
        assert not (tmp_path / "new.svg").exists()
    assert (tmp_path / "taken.svg").read_text() == "kept"
