"""`ohmsum trend`: a board over its runs, and the branch that is failing."""

import json
import re
import shutil
from xml.etree import ElementTree

import pytest


@pytest.fixture
def followed(ohmsum, kept_runs):
    outcome = ohmsum("trend", "B000001", "--in", kept_runs, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_the_runs_of_the_board_and_no_others_are_followed(followed, kept_runs):
    assert (followed["board"], followed["board_type"]) == ("B000001", "8x4")
    assert [run["folder"].rpartition("/")[2] for run in followed["runs"]] == ["a", "b", "c", "cut"]
    for run in followed["runs"][:-1]:
        result = json.loads((kept_runs / run["folder"] / "result.json").read_text("utf-8"))
        assert run["bits"] == result["validation"]["bits"]
        assert run["predicted_bits"] == result["budget"]["predicted_bits"]
    assert followed["runs"][-1]["predicted_bits"] is None
    # `cut` holds a copy of the calibration of `c`
    ids = [run["id"] for run in followed["runs"]]
    assert [point["run"] for point in followed["calibrations"]] == ids[:3]


def test_the_branch_that_drifts_is_found(followed):
    worst, *others = followed["branches"]
    assert (worst["row"], worst["column"], worst["branch"]) == (2, 4, 1)
    # −0.1 % an hour, read an hour apart
    assert worst["change_ppm"] == [
        0.0,
        pytest.approx(-1000, abs=150),
        pytest.approx(-2000, abs=200),
    ]
    assert worst["sigmas"] > 20
    assert worst["moved"]
    assert not any(branch["moved"] for branch in others)
    assert followed["moved"] == 1
    assert 0.3 < followed["typical_sigmas"] < 3


def test_gains_and_offsets_are_those_of_the_board(followed):
    for point in followed["calibrations"]:
        for line in ("row", "column"):
            assert len(point[f"{line}_gain_ppm"]) == len(point[f"{line}_offset_volts"]) == 8
            assert max(map(abs, point[f"{line}_gain_ppm"])) < 30  # drift of some ppm
            assert max(map(abs, point[f"{line}_offset_volts"])) < 5e-3
        assert 290 < point["board_kelvin"] < 300


def test_the_table_names_the_branch_from_one(ohmsum, kept_runs, followed):
    outcome = ohmsum("trend", "B000001", "--in", kept_runs)
    assert (outcome.status, outcome.err) == (0, "")
    assert re.search(r"row 3, column 5, branch 2 +-\d+ ± \d+ +-\d+\.\d +\d+\.\d !", outcome.out)
    assert "Row 3, column 5, branch 2 had moved by -" in outcome.out
    for run in followed["runs"]:
        assert run["id"] in outcome.out
    assert max(map(len, outcome.out.splitlines()[:-2])) <= 80


def test_the_picture_shows_bits_gains_offsets_and_branches(ohmsum, kept_runs, tmp_path):
    assert ohmsum("trend", "B000001", "--in", kept_runs, "--picture", "new.svg").status == 0
    svg = ElementTree.parse(tmp_path / "new.svg").getroot()
    texts = " ".join(
        " ".join("".join(text.itertext()).split()) for text in svg.iter() if "text" in text.tag
    )
    for said in (
        "bits of products",
        "change of gains, ppm",
        "change of offsets, µV",
        "own change of branches, ppm",
        "row 3, column 5, branch 2",
        "board B000001",
    ):
        assert said in texts


def test_a_board_with_a_calibration_of_elsewhere_has_bits_alone(ohmsum, kept_runs, tmp_path):
    outcome = ohmsum("trend", "B000002", "--in", kept_runs, "--picture", "bits.svg")
    assert outcome.status == 0
    assert "there is none" in outcome.out
    assert (tmp_path / "bits.svg").exists()
    document = json.loads(ohmsum("trend", "B000002", "--in", kept_runs, "--json").out)
    assert (document["calibrations"], document["branches"]) == ([], [])
    assert len(document["runs"]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("B000009",), "B000009: no run of a board with this serial number; there are runs of B0"),
        (("B000001", "--in", "absent"), "absent: no such folder"),
        (("B000001", "--picture", "taken.svg"), "taken.svg: is there already"),
        (("B000001", "--picture", "new.pdf"), "new.pdf: pictures are SVG: name it new.svg"),
    ],
)
def test_bad_usage_is_one_line(ohmsum, kept_runs, tmp_path, arguments, says):
    shutil.copytree(kept_runs, tmp_path / "ohmsum-results")
    (tmp_path / "taken.svg").write_text("kept")
    refused = ohmsum("trend", *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(f"ohmsum: {says}")
    assert len(refused.err.splitlines()) == 1
    assert (tmp_path / "taken.svg").read_text() == "kept"


def test_damaged_calibrations_are_named_and_passed_over(ohmsum, kept_runs, tmp_path):
    results = shutil.copytree(kept_runs, tmp_path / "ohmsum-results")
    (results / "b" / "calibration.npz").write_bytes(b"PK\x03\x04 torn")
    outcome = ohmsum("trend", "B000001", "--json")
    assert outcome.status == 0
    (line,) = outcome.err.splitlines()
    assert "ohmsum-results/b/calibration.npz: not a calibration file" in line
    assert len(json.loads(outcome.out)["calibrations"]) == 2
