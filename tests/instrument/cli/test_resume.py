"""A run that was cut short is gone on with, and replayed without its bench."""

import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from instrument.bench_file import bench_toml
from instrument.cli.carry_out import same_result
from simulator.bench import serve_bench
from simulator.preset import load_preset
from tests.support.recorded_run import RECORDED

RUN = ("run", "--bench", "bench.toml", "--matrix", "random", "--seed", "3")
SIMULATED_RUN = ("run", "--bench", "sim:8x4", "--matrix", "random", "--seed", "3")


TALK = "/talking", "/cost", "/calibration/bytes"
"""What a result says that depends on how often the board was spoken to."""


def differences(result, other, at=""):
    """Where two results differ, but for the times and places of the runs and for their talk."""
    if at.endswith(("/run", "wall_seconds", "/links", *TALK)):
        return []
    if isinstance(result, dict) and isinstance(other, dict):
        inner = [(f"{at}/{key}", result.get(key), other.get(key)) for key in {*result, *other}]
    elif isinstance(result, list) and isinstance(other, list) and len(result) == len(other):
        pairs = zip(result, other, strict=True)
        inner = [(f"{at}/{number}", *pair) for number, pair in enumerate(pairs)]
    else:
        return [] if result == other else [(at, result, other)]
    return [difference for where, *pair in inner for difference in differences(*pair, where)]


@pytest.fixture
def killed(start, served, at_message, tmp_path):
    """Kill a run as its nth message with a command reaches the board."""

    def kill(command, nth, *options, number=signal.SIGKILL):
        runs = []
        at_message(served, command, nth, lambda: runs[0].send_signal(number))
        runs.append(start(*RUN, *options, "--out", "kept", "--json"))
        out, err = runs[0].communicate(timeout=90)
        assert runs[0].returncode != 0, out
        assert not (tmp_path / "kept" / "report.html").exists()
        return err

    return kill


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, start_environment):
    """The result of the run on the board of the fixture `served`, when nothing disturbs it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with serve_bench(load_preset("8x4"), 1, ("socket",)) as simulated:
        (folder / "bench.toml").write_text(bench_toml(simulated.resources["board"]["socket"]))
        ended = subprocess.run(
            [sys.executable, "-m", "ohmsum", *RUN, "--thorough", "--out", "kept", "--json"],
            cwd=folder,
            env=start_environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("nth", [2, 12, 30, 45])
def test_a_run_that_was_killed_while_nothing_was_measured(
    killed, undisturbed, served, ohmsum, is_safe, nth
):
    """No noise was drawn in vain: not one value differs from those of an undisturbed run."""
    killed(b":SYST:TEMP?", nth, "--thorough")
    resumed = ohmsum("resume", "kept", "--json")
    assert resumed.status == 0, resumed.err
    result = json.loads(resumed.out)
    assert differences(result, undisturbed) == []
    assert len(result["run"]["gaps"]) == 1
    assert is_safe(served)


@pytest.mark.parametrize(
    ("command", "nth"), [(b":MEAS:SCAN?", 4), (b":MEAS:MVM?", 60), (b":MEAS:MVM?", 130)]
)
def test_a_measurement_that_was_under_way_is_repeated(
    killed, undisturbed, served, ohmsum, command, nth
):
    killed(command, nth, "--thorough")
    resumed = ohmsum("resume", "kept", "--json")
    assert resumed.status == 0, resumed.err
    result = json.loads(resumed.out)
    assert result["calibration"]["statuses"] == undisturbed["calibration"]["statuses"]
    assert result["validation"]["bits"] == pytest.approx(undisturbed["validation"]["bits"], abs=0.4)
    spent, usual = (sum(r["bench_seconds"].values()) for r in (result, undisturbed))
    assert spent <= usual + 3.0


def test_a_signal_leaves_a_run_that_can_be_gone_on_with(killed, served, ohmsum, is_safe):
    said = killed(b":SYST:TEMP?", 20, number=signal.SIGTERM)
    assert is_safe(served)
    assert "what was measured so far is in kept (calibration.npz, journal.sqlite" in said
    assert said.endswith("; `ohmsum resume kept` goes on\n")
    assert ohmsum("resume", "kept").status == 0


def test_a_run_that_was_killed_at_once_is_begun(start, served, ohmsum, until, tmp_path):
    """Before anything heavy is loaded the folder says what was asked for."""
    run = start(*RUN, "--out", "kept")
    until((tmp_path / "kept" / "run.json").exists)
    run.kill()
    run.communicate()
    (tmp_path / "kept" / "job.json").unlink(missing_ok=True)
    resumed = ohmsum("resume", "kept", "--json")
    assert resumed.status == 0, resumed.err


def test_a_finished_run_is_replayed_to_the_byte(ohmsum, tmp_path):
    np.savetxt(tmp_path / "W.csv", np.random.default_rng(1).uniform(-1, 1, (8, 4)))
    first = ohmsum("run", "--bench", "sim:8x4", "--matrix", "W.csv", "--out", "kept", "--json")
    assert first.status == 0, first.err
    (tmp_path / "W.csv").unlink()
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    replayed = ohmsum("replay", "kept", "--json")
    assert replayed.status == 0, replayed.err
    assert "every result is the same, to the byte" in replayed.err
    assert same_result(json.loads(replayed.out), first.out.encode())
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before
    # Moved elsewhere, as in a report of a fault.
    shutil.move(tmp_path / "kept", tmp_path / "from a laboratory")
    # Named by its id, among the runs of a folder.
    assert ohmsum("replay", json.loads(first.out)["run"]["id"], "--in", tmp_path).status == 0
    # The report is written again; a finished run that is resumed touches no bench.
    report = tmp_path / "from a laboratory" / "report.html"
    report.unlink()
    assert ohmsum("report", "from a laboratory").status == 0
    assert report.stat().st_size > 100_000
    assert ohmsum("resume", "from a laboratory").status == 0


def test_a_run_that_a_laboratory_has_sent_is_replayed(ohmsum, tmp_path):
    """It was recorded over a serial wire, by `python -m tests.support.recorded_run`."""
    shutil.copytree(RECORDED, tmp_path / "sent")
    before = {path.name: path.read_bytes() for path in (tmp_path / "sent").iterdir()}
    replayed = ohmsum("replay", "sent", "--json")
    assert replayed.status == 0, replayed.err
    result, recorded = json.loads(replayed.out), json.loads(before["result.json"])
    assert result["board"] == recorded["board"]
    assert result["calibration"]["statuses"] == recorded["calibration"]["statuses"]
    # Another processor's linear algebra may round the last digits otherwise.
    for name in ("bits", "worst_bits"):
        assert result["validation"][name] == pytest.approx(recorded["validation"][name], abs=1e-6)
    assert {path.name: path.read_bytes() for path in (tmp_path / "sent").iterdir()} == before


def test_a_replay_says_where_a_run_was_cut_short(killed, ohmsum):
    killed(b":SYST:TEMP?", 20)
    replayed = ohmsum("replay", "kept")
    assert (replayed.status, replayed.out) == (2, "")
    assert "the recording ends behind exchange" in replayed.err


def test_a_replay_of_another_matrix_says_at_which_request_it_parts(ohmsum, tmp_path):
    assert ohmsum(*SIMULATED_RUN, "--out", "kept").status == 0
    job = tmp_path / "kept" / "job.json"
    kept = json.loads(job.read_text())
    job.write_text(json.dumps(kept | {"seed": 4}))
    replayed = ohmsum("replay", "kept")
    assert replayed.status == 2
    assert "differs: apply: " in replayed.err
    assert "values of pattern differ" in replayed.err


@pytest.mark.parametrize("command", ["resume", "replay", "report"])
def test_what_is_no_run_is_refused_in_one_line(ohmsum, tmp_path, command):
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text('{"id": ')
    (tmp_path / "design").mkdir()
    about = {"id": "x", "started": "2026-01-01T00:00:00+00:00", "command": "ohmsum design"}
    (tmp_path / "design" / "run.json").write_text(json.dumps(about | {"host": "h", "versions": {}}))
    for name, said in (
        ("none", "none: no such folder, and no run in ohmsum-results has this id"),
        ("empty", "empty: no run: there is no run.json in it"),
        ("torn", "not the first file of a run"),
        ("design", "design: of `ohmsum design`, which runs no board"),
    ):
        refused = ohmsum(command, name)
        assert (refused.status, refused.out) == (2, "")
        assert said in refused.err
        assert refused.err.count("\n") == 1


def test_a_run_that_goes_on_elsewhere_is_left_alone(start, served, at_message, ohmsum):
    """The board waits in the middle of the run, until a second process has looked at it."""
    reached, looked = threading.Event(), threading.Event()

    def wait():
        reached.set()
        looked.wait(60)

    at_message(served, b":MEAS:MVM?", 3, wait)
    run = start(*RUN, "--out", "kept")
    assert reached.wait(60)
    refused = ohmsum("resume", "kept")
    looked.set()
    run.communicate(timeout=90)
    assert run.returncode == 0
    assert refused.status == 2
    assert "in use: another process works with this run" in refused.err


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_at_random_moments(start, served, ohmsum, tmp_path):
    """In calibration, programming, validation and between: each run ends as an undisturbed one."""
    began = time.monotonic()
    assert ohmsum(*RUN, "--thorough", "--out", "whole", "--json").status == 0
    run = start(*RUN, "--thorough", "--out", "timed")
    run.communicate(timeout=90)
    whole_seconds = (time.monotonic() - began) / 2
    moments = random.Random(7)
    for number in range(50):
        folder = f"kept-{number}"
        run = start(*RUN, "--thorough", "--out", folder)
        time.sleep(moments.uniform(0.3, whole_seconds))
        run.kill()
        run.communicate()
        resumed = ohmsum("resume", folder, "--json")
        assert resumed.status == 0, resumed.err
        result = json.loads(resumed.out)
        assert abs(result["validation"]["bits"] - result["budget"]["predicted_bits"]) < 0.5
        shutil.rmtree(tmp_path / folder)
