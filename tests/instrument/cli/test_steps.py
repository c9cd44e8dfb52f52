"""The steps of a run as commands of their own: they are what `ohmsum run` does."""

import json

import numpy as np
import pytest

from instrument import open_bench
from tests.instrument.cli.test_resume import differences

CALIBRATE = ("calibrate", "--bench", "sim:8x4", "--out", "tonight", "--json")
PROGRAM = ("program", "--bench", "sim:8x4", "--matrix", "random", "--calibration", "tonight")


@pytest.fixture
def measured(ohmsum, tmp_path):
    """A calibration and a program of it, in tmp_path/tonight and tmp_path/tomorrow."""
    calibrated = ohmsum(*CALIBRATE)
    assert calibrated.status == 0, calibrated.err
    programmed = ohmsum(*PROGRAM, "--out", "tomorrow", "--json")
    assert programmed.status == 0, programmed.err
    return json.loads(calibrated.out), json.loads(programmed.out)


def test_the_steps_one_by_one(ohmsum, measured, tmp_path):
    calibrated, programmed = measured
    assert {"program", "budget", "validation", "specification"}.isdisjoint(calibrated)
    assert "validation" not in programmed
    assert programmed["run"]["calibration"]["run"] == calibrated["run"]["id"]
    assert differences(programmed["calibration"], calibrated["calibration"]) == []
    whole = ohmsum("run", "--bench", "sim:8x4", "--matrix", "random", "--out", "whole", "--json")
    assert whole.status == 0, whole.err
    run = json.loads(whole.out)
    assert differences(run["calibration"], calibrated["calibration"]) == []
    budget = programmed["budget"]
    assert budget["measured_bits"] is None
    assert budget["predicted_bits"] == pytest.approx(run["budget"]["predicted_bits"], abs=0.3)
    for folder in ("tonight", "tomorrow"):
        replayed = ohmsum("replay", folder, "--json")
        assert replayed.status == 0, replayed.err
        assert "every result is the same, to the byte" in replayed.err
        # A run that is done touches no bench.
        assert ohmsum("resume", folder).status == 0
        no_report = ohmsum("report", folder)
        assert no_report.status == 2
        assert no_report.err.endswith("this run has no products, only its result.json\n")
        assert ohmsum("show", folder).status == 0
        run_id = json.loads((tmp_path / folder / "run.json").read_text())["id"]
        assert run_id in ohmsum("runs", ".").out
    np.save(tmp_path / "X.npy", np.ones((3, 8)))
    files = "--inputs", "X.npy", "--output", "Y.npy"
    assert ohmsum("multiply", "--bench", "sim:8x4", "--program", "tomorrow", *files).status == 0
    exact = np.ones(8) @ np.load(tmp_path / "tomorrow" / "program.npz")["weights"]
    error = np.linalg.norm(np.load(tmp_path / "Y.npy") - exact, axis=1) / np.linalg.norm(exact)
    assert (-np.log2(error) > 11).all()


@pytest.mark.parametrize(
    ("seed", "calibration", "said"),
    [
        ("1", "nothing", "ohmsum: nothing: "),
        ("1", "empty", "empty: not the folder of a run with a calibration"),
        ("2", "tonight", "tonight/calibration.npz: of board 8x4 B000001 "),
    ],
)
def test_what_is_no_calibration_of_this_board_is_refused_in_one_line(
    ohmsum, tmp_path, seed, calibration, said
):
    (tmp_path / "empty").mkdir()
    if calibration == "tonight":
        with open_bench("sim:8x4") as bench:
            bench.calibrate().save(tmp_path / "calibration.npz")
        (tmp_path / "tonight").mkdir()
        (tmp_path / "calibration.npz").rename(tmp_path / "tonight" / "calibration.npz")
    bench_and_matrix = "--bench", "sim:8x4", "--matrix", "random", "--seed", seed
    refused = ohmsum("program", *bench_and_matrix, "--calibration", calibration, "--out", "none")
    assert (refused.status, refused.out) == (2, "")
    assert said in refused.err
