"""`ohmsum study`: the same bytes however it is run, and nothing lost by an interruption."""

import csv
import json
import os
import re
import shutil
import signal
from functools import partial

import pytest
from distributed import LocalCluster

from calibration.studies.frame import gather
from calibration.studies.theory.bits import bits_study
from instrument.errors import UsageError
from instrument.studies.kept import keeping
from instrument.studies.run import findings_table
from instrument.studies.schedulers import dask_cluster, threads
from tests.support.command_line import run_in

BITS = ("study", "bits", "--instances", 20, "--most", 8)
FILES = ("bits.csv", "bits-findings.csv", "bits.json", "bits.svg")


def written(folder, names=FILES):
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize("study", ["bits", "lueker", "partition", "fixed-size", "pruning"])
def test_every_study_leaves_its_files_whatever_the_number_of_threads(ohmsum, tmp_path, study):
    command = ("study", study, "--instances", 20, "--most", 8)
    ended = ohmsum(*command, "--jobs", 1, "--json", "--out", tmp_path / "one")
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    assert document["study"] == study
    assert document["rows"]
    assert document["findings"]
    assert document["source"]
    ended = ohmsum(*command, "--jobs", 2, "--out", tmp_path / "two")
    assert ended.status == 0
    assert document["source"] in ended.out
    names = [f"{study}{end}" for end in (".csv", "-findings.csv", ".json", ".svg")]
    assert written(tmp_path / "one", names) == written(tmp_path / "two", names)


def test_a_cell_holds_what_is_measured_its_confidence_and_what_is_predicted():
    finding = {
        "n": 16,
        "transition": 0.90612,
        "transition_low": 0.9,
        "transition_high": 0.912,
        "predicted_transition": 0.909,
        "slope": 12.345,
        "slope_margin": 0.5,
        "reach": None,
    }
    table = findings_table("Title", [finding])
    assert [column.header for column in table.columns] == ["n", "transition", "slope", "reach"]
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells == ["16", "0.906\n[0.900…0.912]\n(0.909)", "12.35 ±0.50", "–"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run_in(folder, *BITS, "--jobs", 1, "--out", "plain") == 0
    return folder / "plain"


@pytest.fixture
def plain(undisturbed, tmp_path):
    """The files of that run, which lie in tmp_path/plain."""
    shutil.copytree(undisturbed, tmp_path / "plain")
    return written(undisturbed)


def test_json_is_one_document_and_agrees_with_the_files(ohmsum, tmp_path):
    ended = ohmsum(*BITS, "--json", "--out", tmp_path / "out")
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    assert document["study"] == "bits"
    assert json.loads((tmp_path / "out" / "bits.json").read_text("utf-8")).items() <= (
        document.items()
    )
    with (tmp_path / "out" / "bits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["rows"]) == 9 * 5
    assert {row["instances"] for row in rows} == {"20"}


def test_a_person_gets_a_table_with_margins(ohmsum):
    ended = ohmsum(*BITS)
    assert ended.status == 0
    assert "±" in ended.out
    assert re.search(r"ohmsum-results/study-bits-seed1-[0-9a-f]{8}/bits\.csv", ended.out)


def test_number_of_threads_leaves_no_trace(ohmsum, tmp_path, plain):
    assert ohmsum(*BITS, "--jobs", 3, "--out", tmp_path / "three").status == 0
    assert written(tmp_path / "three") == plain


def test_seed_changes_what_is_found(ohmsum, tmp_path, plain):
    assert ohmsum(*BITS, "--seed", 2, "--out", tmp_path / "two").status == 0
    assert written(tmp_path / "two")["bits.csv"] != plain["bits.csv"]


@pytest.mark.parametrize("kept", [1, 7, 30])
def test_continued_ends_in_the_same_bytes(ohmsum, tmp_path, plain, kept):
    lines = (tmp_path / "plain" / "chunks.jsonl").read_bytes().splitlines(keepends=True)
    folder = tmp_path / "torn"
    folder.mkdir()
    torn = lines[kept][: len(lines[kept]) // 2]
    (folder / "chunks.jsonl").write_bytes(b"".join(lines[:kept]) + torn)
    assert ohmsum(*BITS, "--out", folder).status == 0
    assert written(folder) == plain
    assert sorted((folder / "chunks.jsonl").read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_what_is_kept_is_not_computed_again(tmp_path):
    study = bits_study(5, 6)
    computed = []

    def run(measure, chunks):
        computed.extend(chunks)
        return ((chunk, {"pair": [1.0]}) for chunk in chunks)

    some = study.chunks[:10]
    with keeping(run, tmp_path, study, 1) as kept:
        first = list(kept(None, some[:6]))
    assert computed == some[:6]
    computed.clear()
    with keeping(run, tmp_path, study, 1) as kept:
        both = list(kept(None, some))
    assert computed == some[6:]
    assert both[:6] == first


def test_interrupted_by_a_signal_it_continues(start, tmp_path, ohmsum, until):
    command = ("study", "bits", "--instances", 300, "--most", 13, "--jobs", 1, "--out", "slow")
    running = start(*command)
    kept = tmp_path / "slow" / "chunks.jsonl"
    until(lambda: kept.exists() and kept.read_bytes().count(b"\n") > 5)
    running.send_signal(signal.SIGINT)
    assert running.wait() == 130
    before = kept.read_bytes()
    assert not (tmp_path / "slow" / "bits.csv").exists()
    assert ohmsum(*command).status == 0
    assert kept.read_bytes().startswith(before[: before.rfind(b"\n") + 1])


@pytest.mark.parametrize("other", [("--seed", 5), ("--instances", 21), ("--most", 9)])
def test_folder_of_another_study_is_refused(ohmsum, tmp_path, plain, other):
    ended = ohmsum(*BITS, *other, "--out", tmp_path / "plain")
    assert (ended.status, ended.out) == (2, "")
    assert "of another study, seed or size" in ended.err
    assert written(tmp_path / "plain") == plain


def test_folder_of_something_else_is_refused(ohmsum, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text("{}")
    ended = ohmsum(*BITS, "--out", "run")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("ohmsum: run: holds result.json already and no study")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["result.json"]


def test_two_at_once_in_one_folder_is_refused(ohmsum, tmp_path):
    with keeping(lambda _measure, _chunks: iter(()), tmp_path / "busy", bits_study(20, 8), 1):
        ended = ohmsum(*BITS, "--out", "busy")
    assert ended.status == 2
    assert "busy: another ohmsum is at work there" in ended.err


def test_damaged_chunks_are_refused(ohmsum, tmp_path, plain):
    path = tmp_path / "plain" / "chunks.jsonl"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([lines[0], "no JSON", *lines[2:]]) + "\n", "utf-8")
    ended = ohmsum(*BITS, "--out", tmp_path / "plain")
    assert ended.status == 2
    assert "chunks.jsonl: damaged" in ended.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--most", 25), "--most"),
        (("--most", 7), "--most"),
        (("--instances", 1), "--instances"),
        (("--instances", 10_000_001), "--instances"),
        (("--jobs", 0), "--jobs"),
        (("--jobs", 1025), "--jobs"),
        (("--seed", -1), "--seed"),
        (("--scheduler", "nonsense://x:1"), "nonsense://x:1: is not of the form tcp://HOST:PORT"),
        (("--scheduler", "tcp://[::1:80"), "is not of the form tcp://HOST:PORT"),
    ],
)
def test_bad_usage_is_one_clear_line(ohmsum, arguments, complaint):
    ended = ohmsum(*BITS, *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert complaint in ended.err
    assert "Traceback" not in ended.err


def test_the_least_that_is_taken(ohmsum):
    ended = ohmsum("study", "bits", "--instances", 2, "--most", 8, "--jobs", 1)
    assert ended.status == 0, ended.err


def test_folder_that_is_a_file_is_refused(ohmsum, tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    ended = ohmsum(*BITS, "--out", "file")
    assert ended.status == 2
    assert ended.err.startswith("ohmsum: file: cannot be the folder")


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process of its own, on the loopback."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as local:
        yield local


def test_a_cluster_gives_the_same_bytes(ohmsum, tmp_path, plain, cluster):
    ended = ohmsum(*BITS, "--scheduler", cluster.scheduler_address, "--out", tmp_path / "dask")
    assert ended.status == 0
    assert written(tmp_path / "dask") == plain


def test_a_worker_that_dies_costs_nothing(cluster):
    study = bits_study(600, 11)
    with threads(2) as here:
        wanted = gather(here(partial(study.measure, 1), study.chunks))
    pids = cluster.scheduler.workers
    victim = next(iter(cluster.workers.values())).pid
    assert len(pids) == 2
    results = []
    with dask_cluster(cluster.scheduler_address) as there:
        for result in there(partial(study.measure, 1), study.chunks):
            results.append(result)
            if len(results) == 10:
                os.kill(victim, signal.SIGKILL)
    assert len(results) == len(study.chunks)
    got = gather(results)
    assert got.keys() == wanted.keys()
    for case, samples in wanted.items():
        for name, values in samples.items():
            assert got[case][name].tolist() == values.tolist()


def test_a_cluster_that_dies_says_that_the_same_command_continues():
    study = bits_study(600, 13)
    local = LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )
    with local, dask_cluster(local.scheduler_address) as there:
        results = there(partial(study.measure, 1), study.chunks)
        next(results)
        local.close()
        with pytest.raises(UsageError, match="the same command continues"):
            list(results)


@pytest.mark.parametrize("name", ["bits", "lueker", "partition", "fixed-size", "pruning"])
def test_the_fewest_instances_tell_little_and_crash_nothing(ohmsum, name):
    """Two lists of numbers may both have an odd sum: nothing is known of even ones."""
    for seed in (1, 2, 3):
        arguments = "--instances", 2, "--most", 8, "--seed", seed, "--json"
        ended = ohmsum("study", name, *arguments)
        assert ended.status == 0, ended.err
        assert "NaN" not in ended.out
        json.loads(ended.out)
