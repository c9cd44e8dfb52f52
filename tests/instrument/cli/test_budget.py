"""`ohmsum budget`: the budget that a run has left, as a table and as JSON."""

import json
import math
import shutil

import pytest

from tests.support.command_line import run_in

RUN = ("run", "--bench", "sim:8x4", "--matrix", "random")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, calibration_file):
    folder = tmp_path_factory.mktemp("run")
    assert run_in(folder, *RUN, "--calibration", calibration_file, "--out", "kept") == 0
    return folder / "kept"


@pytest.fixture
def kept(run_folder, tmp_path):
    """The result of a run, in tmp_path/kept."""
    shutil.copytree(run_folder, tmp_path / "kept")
    return json.loads((tmp_path / "kept" / "result.json").read_text())


def test_the_budget_of_a_run(ohmsum, kept):
    budget, validation = kept["budget"], kept["validation"]
    assert budget["measured_relative_error"] == validation["relative_error"]
    assert budget["measured_bits"] == validation["bits"]
    errors = [row["relative_error"] for row in budget["rows"]]
    assert errors == sorted(errors, reverse=True)
    assert budget["predicted_relative_error"] == pytest.approx(math.hypot(*errors))
    assert budget["predicted_bits"] == pytest.approx(-math.log2(math.hypot(*errors)))
    assert 1 / 1.4 < budget["measured_relative_error"] / budget["predicted_relative_error"] < 1.4
    for row in budget["rows"]:
        error = row["relative_error"]  # none where no product needs a wider range
        assert row["bits"] == (pytest.approx(-math.log2(error)) if error else None)

    shown = ohmsum("budget", "kept", "--json")
    assert shown.status == 0
    assert json.loads(shown.out) == budget

    table = ohmsum("budget", "kept")
    assert table.status == 0
    for row in budget["rows"]:
        assert row["cause"] in table.out
    assert f"{budget['predicted_bits']:.2f}" in table.out
    assert f"{budget['measured_bits']:.2f}" in table.out


def test_a_cause_of_nothing_has_no_bits(ohmsum, kept, tmp_path):
    kept["budget"]["rows"].append({"cause": "none", "relative_error": 0.0, "bits": None})
    (tmp_path / "kept" / "result.json").write_text(json.dumps(kept))
    assert json.loads(ohmsum("budget", "kept", "--json").out)["rows"][-1]["bits"] is None
    assert "none" in ohmsum("budget", "kept").out


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "{}",
        '{"budget": 3}',
        '{"budget": {"rows": []}}',
        '{"budget": {"rows": [{"cause": "x"}]}}',
        '{"budget": {"rows": [{"cause": "x", "relative_error": [], "bits": 1}]}}',
    ],
)
def test_a_folder_without_a_budget_is_refused_with_the_file(ohmsum, tmp_path, text):
    (tmp_path / "folder").mkdir()
    if text is not None:
        (tmp_path / "folder" / "result.json").write_text(text)
    refused = ohmsum("budget", "folder")
    assert refused.status == 2
    assert refused.err.startswith("ohmsum: folder/result.json: ")
    assert len(refused.err.splitlines()) == 1
    assert refused.out == ""


def test_a_run_that_was_cut_short_has_none_yet(ohmsum, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "run.json").write_text("{}")
    refused = ohmsum("budget", "folder")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("ohmsum: folder/result.json: not there: this run was cut short")


def test_a_terminal_that_claims_no_width(ohmsum, kept, monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")  # as in some containers
    assert f"{kept['budget']['predicted_bits']:.2f}" in ohmsum("budget", "kept").out
