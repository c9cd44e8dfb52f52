"""Each run has a folder of its own, with an id that all of its files carry."""

import hashlib
import json
import os
import re
import resource
import shlex
import subprocess
import sys
from contextlib import ExitStack
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from instrument import Calibration, open_bench
from instrument.board_calibration.file import load_calibration
from instrument.errors import FileNotWritten, UsageError
from instrument.provenance import commit_of
from instrument.runs import claim_folder

ROOT = Path(__file__).parents[2]
RANDOM_RUN = ("run", "--bench", "sim:8x4", "--matrix", "random")


@pytest.fixture(autouse=True)
def _in_tmp_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_folders_are_new_each_time(tmp_path):
    with ExitStack() as stack:
        claims = [stack.enter_context(claim_folder(None, "demo")) for _ in range(5)]
        paths = {claim.path for claim in claims}
        assert len(paths) == len({claim.id for claim in claims}) == 5
        for claim in claims:
            assert re.fullmatch(r"ohmsum-results.\d{8}T\d{6}Z-demo(-\d)?", str(claim.path))
            assert json.loads((claim.path / "run.json").read_text())["id"] == claim.id


def test_a_folder_that_is_asked_for_is_new_or_empty(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/inner"):
        with claim_folder(tmp_path / name, "x") as folder:
            assert folder.path == tmp_path / name
        with pytest.raises(UsageError, match=r"holds run\.json already, and each run has a folder"):
            claim_folder(tmp_path / name, "x").__enter__()


def test_of_two_runs_at_once_one_has_the_folder(tmp_path, monkeypatch):
    """Both have looked and found it empty before either claims it."""
    (tmp_path / "shared").mkdir()
    create = os.open

    def late(path, *how):
        if not os.path.exists(path):
            with open(path, "x") as first:
                first.write("the other's")
        return create(path, *how)

    with monkeypatch.context() as patched:
        patched.setattr("instrument.runs.os.open", late)
        with pytest.raises(UsageError, match="another run begins"):
            claim_folder(tmp_path / "shared", "x").__enter__()
    assert (tmp_path / "shared" / "run.json").read_text() == "the other's"


@pytest.mark.parametrize("kept", [False, True])
def test_an_error_leaves_what_was_kept_and_nothing_else(tmp_path, kept):
    with pytest.raises(ValueError, match="no") as caught, claim_folder(None, "x") as folder:  # noqa: PT012
        if kept:
            folder.keep("a.npz", {"a": [1]})
        raise ValueError("no")
    assert folder.path.exists() == (tmp_path / "ohmsum-results").exists() == kept
    said = [f"what was measured so far is in {folder.path} (a.npz)"] if kept else []
    assert getattr(caught.value, "__notes__", []) == said


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file", "file/inner"):
        with pytest.raises(UsageError, match=f"^{name}: "):
            claim_folder(type(tmp_path)(name), "x").__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_no_room_for_the_claim(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(FileNotWritten, match=r"run\.json: cannot be written"):
            claim_folder(None, "x").__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "ohmsum-results").exists()


def test_a_run_says_where_it_comes_from_and_each_file_whose_it_is(ohmsum, tmp_path):
    np.save(tmp_path / "W.npy", np.eye(4))
    command = ("run", "--bench", "sim:8x4", "--matrix", "W.npy", "--out", "kept folder")
    told = ("--title", "Identity <1>", "--note", "after the repair", "--json")
    outcome = ohmsum(*command, *told)
    assert outcome.status == 0, outcome.err
    run = json.loads(outcome.out)["run"]
    assert run["folder"] == "kept folder"
    assert run["command"] == shlex.join(["ohmsum", *command, *told])
    assert (run["title"], run["note"]) == ("Identity <1>", "after the repair")
    assert run["bench"] == "sim:8x4"
    assert run["matrix"] == {
        "name": "W.npy",
        "shape": [4, 4],
        "sha256": hashlib.sha256((tmp_path / "W.npy").read_bytes()).hexdigest(),
        "sha256_of": "file",
    }
    assert run["inputs"]["shape"] == [256, 4]
    assert run["inputs"]["sha256_of"] == "values"
    assert run["versions"].keys() >= {"ohmsum", "commit", "python", "numpy"}
    started, finished = (datetime.fromisoformat(run[when]) for when in ("started", "finished"))
    assert started.utcoffset() is not None
    assert started <= finished
    assert run["calibration"]["run"] == run["id"]

    folder = tmp_path / "kept folder"
    files = sorted(path.name for path in folder.iterdir())
    for name in files:
        if name.endswith(".npz") and name != "calibration.npz":
            with np.load(folder / name) as data:
                assert str(data["run"]) == run["id"], name
    assert load_calibration(folder / "calibration.npz").run == run["id"]
    assert json.loads((folder / "run.json").read_text()).items() <= run.items()
    assert json.loads((folder / "result.json").read_text())["run"] == run
    page = (folder / "report.html").read_text("utf-8")
    for said in (run["id"], "Identity &lt;1&gt;", "after the repair", run["matrix"]["sha256"]):
        assert said in page
    assert {"calibration.npz", "program.npz", "products.npz", "vectors.npz"} < set(files)
    assert not [name for name in files if name.endswith(".part")]

    before = {name: (folder / name).read_bytes() for name in files}
    refused = ohmsum(*command)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("ohmsum: kept folder: holds ")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    again = ohmsum(
        *("run", "--bench", "sim:8x4", "--matrix", "W.npy", "--json"),
        *("--calibration", folder / "calibration.npz"),
    )
    assert json.loads(again.out)["run"]["calibration"]["run"] == run["id"]


def test_a_used_folder_is_refused_before_the_bench_is_opened(ohmsum, tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    (tmp_path / "b.toml").write_text("[board]\nresource='TCPIP::127.0.0.1::9::SOCKET'\n")
    refused = ohmsum("run", "--bench", "b.toml", "--matrix", "random", "--out", "used")
    assert refused.status == 2  # 3 would be: nobody answers
    assert refused.err.startswith("ohmsum: used: holds notes.txt already")


def test_a_board_that_does_not_answer_leaves_no_folder(ohmsum, tmp_path):
    (tmp_path / "b.toml").write_text("[board]\nresource='TCPIP::127.0.0.1::9::SOCKET'\n")
    assert ohmsum("run", "--bench", "b.toml", "--matrix", "random").status == 3
    assert ohmsum("run", "--bench", "b.toml", "--matrix", "random", "--out", "o").status == 3
    assert not (tmp_path / "ohmsum-results").exists()
    assert not (tmp_path / "o").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_disk_that_is_full_in_the_middle(ohmsum, served, is_safe, tmp_path):
    """There is room for the claim, but not for the first exchanges of a calibration."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        ended = ohmsum("run", "--bench", "bench.toml", "--matrix", "random", "--out", "kept")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (ended.status, ended.out) == (74, "")
    assert "kept/journal.sqlite: cannot be written (" in ended.err
    assert ended.err.count("ohmsum: ") == 1
    assert is_safe(served)


def test_a_commit_is_that_of_the_checkout(tmp_path):
    assert commit_of(tmp_path) is None
    (tmp_path / ".git").write_text("gitdir: nowhere")
    assert commit_of(tmp_path) is None
    (tmp_path / ".git").unlink()
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    assert re.fullmatch(r"[0-9a-f]{40}", commit_of(tmp_path))
    (tmp_path / "added").write_text("")
    subprocess.run(["git", "-C", str(tmp_path), "add", "added"], check=True)
    # A lock that somebody else holds is nothing to wait for, and none is left behind.
    lock = tmp_path / ".git" / "index.lock"
    lock.touch()
    assert re.fullmatch(r"[0-9a-f]{40}-dirty", commit_of(tmp_path))
    lock.unlink()
    (tmp_path / "added").write_text("changed")
    assert commit_of(tmp_path).endswith("-dirty")
    assert not lock.exists()


def test_the_page_of_files_names_every_array(ohmsum, tmp_path):
    page = (ROOT / "docs" / "files.md").read_text("utf-8")
    named = re.findall(r"`([\w.*-]+)`", page)
    assert ohmsum(*RANDOM_RUN, "--thorough", "--hours", "0.1", "--out", "kept").status == 0
    for path in (tmp_path / "kept").iterdir():
        assert path.name in named
        if path.suffix == ".npz":
            with np.load(path) as data:
                missing = [one for one in data if not any(fnmatch(one, name) for name in named)]
            assert not missing, path.name


def test_a_folder_stands_for_its_calibration_and_its_program(ohmsum, tmp_path):
    run = ("run", "--bench", "sim:8x4", "--matrix", "random:12x3", "--json")
    first = ohmsum(*run, "--out", "first")
    assert first.status == 0, first.err
    again = ohmsum(*run, "--out", "again", "--calibration", "first")
    assert again.status == 0, again.err
    made = json.loads(first.out)["run"]["id"]
    assert json.loads(again.out)["run"]["calibration"]["run"] == made
    # The second run has measured none: the copy of what it was given counts.
    assert Calibration.load(tmp_path / "again").run == made
    inputs = np.load(tmp_path / "first" / "products.npz")["inputs"][:20]
    with open_bench("sim:8x4") as bench:
        program = bench.load_program(tmp_path / "first")
        assert len(program.tiles) == 2
        np.testing.assert_allclose(inputs @ program, inputs @ program.weights, atol=2e-3)
        (tmp_path / "first" / "program-6-0.npz").unlink()
        with pytest.raises(UsageError, match=r"1 of its program files are missing, such as progra"):
            bench.load_program(tmp_path / "first")
        (tmp_path / "none").mkdir()
        with pytest.raises(UsageError, match="none: not the folder of a run that has programmed"):
            bench.load_program(tmp_path / "none")
    with pytest.raises(UsageError, match="none: not the folder of a run with a calibration"):
        Calibration.load(tmp_path / "none")


def test_a_calibration_of_another_board_leaves_no_folder(ohmsum, tmp_path):
    """The copy of what was given is no measurement."""
    assert ohmsum(*RANDOM_RUN, "--out", "first").status == 0
    other = (*RANDOM_RUN, "--seed", "2", "--calibration", "first", "--out", "other")
    refused = ohmsum(*other)
    assert refused.status == 2
    assert refused.err.splitlines()[-1].startswith("ohmsum: first")
    assert "so far" not in refused.err
    assert not (tmp_path / "other").exists()
