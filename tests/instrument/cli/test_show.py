"""`ohmsum show`: the figures of one run, found by its folder or its id."""

import json
import re
import shutil

import pytest


@pytest.fixture
def result(kept_runs):
    return json.loads((kept_runs / "a" / "result.json").read_text("utf-8"))


def test_the_document_says_what_the_result_says(ohmsum, kept_runs, result):
    outcome = ohmsum("show", kept_runs / "a", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    shown = json.loads(outcome.out)
    run, validation, budget = result["run"], result["validation"], result["budget"]
    for key in ("id", "command", "host", "started", "finished", "bench", "title", "versions"):
        assert shown[key] == run[key]
    assert shown["operands"] == {name: run[name] for name in ("matrix", "inputs")}
    assert shown["firmware"] == result["calibration"]["versions"]["firmware"] == "1.0"
    assert [shown[key] for key in ("bits", "worst_bits", "predicted_bits")] == [
        validation["bits"],
        validation["worst_bits"],
        budget["predicted_bits"],
    ]
    assert shown["budget"]["rows"] == budget["rows"]
    outputs = sorted(validation["outputs"], key=lambda output: output["bits"])
    worst = shown["validation"]["worst_outputs"]
    assert [output["output"] for output in worst] == [output["output"] for output in outputs[:3]]
    assert shown["recovery"] == {}
    assert {file["name"]: file["bytes"] for file in shown["files"]} == {
        path.name: path.stat().st_size for path in (kept_runs / "a").iterdir()
    }


def test_the_table_counts_outputs_from_one(ohmsum, kept_runs, result, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    outcome = ohmsum("show", kept_runs / "a")
    assert (outcome.status, outcome.err) == (0, "")
    said = re.sub(r"[^\S\n]+", " ", outcome.out)
    validation = result["validation"]
    outputs = sorted(validation["outputs"], key=lambda output: output["bits"])
    assert re.findall(r"output (\d) (\d+\.\d\d) bits", said) == [
        (str(output["output"] + 1), f"{output['bits']:.2f}") for output in outputs[:3]
    ]
    assert f"{validation['bits']:.2f} measured" in said
    assert f"{result['budget']['predicted_bits']:.2f} predicted" in said
    for row in result["budget"]["rows"]:
        assert f"{row['cause']} {row['relative_error']:.2e}" in said
    assert "within (11 bits, every output)" in said
    assert said.splitlines()[-1] == f"Again: {result['run']['command']}"


def test_recovery_is_counted_where_there_was_any(ohmsum, kept_runs, tmp_path, result):
    shutil.copytree(kept_runs / "a", tmp_path / "a")
    result["recovery"] = {"timeout": 3, "power_on": 1}
    (tmp_path / "a" / "result.json").write_text(json.dumps(result))
    assert json.loads(ohmsum("show", "a", "--json").out)["recovery"] == result["recovery"]
    said = re.sub(r"\s+", " ", ohmsum("show", "a").out)
    assert "went on after 3 × timeout, 1 × power on" in said


def test_sections_that_a_run_does_not_have_are_left_out(ohmsum, kept_runs, tmp_path, result):
    """A command that only calibrates has no products."""
    shutil.copytree(kept_runs / "a", tmp_path / "a")
    for name in ("program", "validation", "budget", "specification"):
        del result[name]
    (tmp_path / "a" / "result.json").write_text(json.dumps(result))
    shown = json.loads(ohmsum("show", "a", "--json").out)
    assert [shown[name] for name in ("program", "validation", "budget", "bits")] == [None] * 4
    said = ohmsum("show", "a").out
    assert "640 branches" in said
    assert "worst outputs" not in said


def test_a_run_is_found_by_its_id_its_beginning_or_its_folders_name(ohmsum, kept_runs, tmp_path):
    shutil.copytree(kept_runs, tmp_path / "ohmsum-results")
    runs = json.loads(ohmsum("runs", "--json").out)["runs"]
    by_folder = {run["folder"]: run["id"] for run in runs}
    wanted = by_folder["ohmsum-results/b"]
    for name in (wanted, wanted[:-4], "b", "ohmsum-results/b"):
        assert json.loads(ohmsum("show", name, "--json").out)["id"] == wanted
    elsewhere = ohmsum("show", wanted, "--in", kept_runs, "--json")
    assert json.loads(elsewhere.out)["folder"] == str(kept_runs / "b")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", "nothing: no such folder, and no run in ohmsum-results has this id"),
        ("2", "2: the ids of 5 runs begin so: "),
        ("ohmsum-results", "ohmsum-results: no run: there is no run.json in it"),
        ("file", "file: a run is named by its folder or its id, and this is a file"),
        (
            "29990101T000000Z-0c",
            "ohmsum-results/cut: this run has no result.json: it was cut short",
        ),
        ("ohmsum-results/cut", "ohmsum-results/cut: this run has no result.json"),
    ],
)
def test_what_names_no_run_is_refused_in_one_line(ohmsum, kept_runs, tmp_path, name, says):
    shutil.copytree(kept_runs, tmp_path / "ohmsum-results")
    (tmp_path / "file").write_text("")
    refused = ohmsum("show", name)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(f"ohmsum: {says}")
    assert len(refused.err.splitlines()) == 1


def test_an_id_that_two_folders_have_is_refused(ohmsum, kept_runs, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(kept_runs / "a", tmp_path / "ohmsum-results" / name)
    run_id = json.loads((kept_runs / "a" / "run.json").read_text("utf-8"))["id"]
    refused = ohmsum("show", run_id)
    assert refused.status == 2
    assert (
        "the id of 2 runs: ohmsum-results/one, ohmsum-results/two; name its folder" in refused.err
    )
    assert ohmsum("show", "two").status == 0
