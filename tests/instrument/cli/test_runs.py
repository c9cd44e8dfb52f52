"""`ohmsum runs`: what is kept is listed, what is damaged is named and passed over."""

import json
import shutil

import pytest

KEYS = {"id", "folder", "command", "board", "started", "finished", "ok", "bits"}


@pytest.fixture
def listed(ohmsum, kept_runs):
    """Names of the folders that `ohmsum runs` lists with these options."""

    def names(*options):
        outcome = ohmsum("runs", kept_runs, *options, "--json")
        assert (outcome.status, outcome.err) == (0, "")
        return [run["folder"].rpartition("/")[2] for run in json.loads(outcome.out)["runs"]]

    return names


def test_runs_are_listed_with_the_newest_last(ohmsum, kept_runs):
    outcome = ohmsum("runs", kept_runs, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    runs = json.loads(outcome.out)["runs"]
    assert [run["folder"] for run in runs] == [
        str(kept_runs / name) for name in ("a", "b", "c", "other", "cut")
    ]
    for run in runs[:-1]:
        result = json.loads((kept_runs / run["folder"] / "result.json").read_text("utf-8"))
        assert run.keys() >= KEYS
        assert {key: run[key] for key in ("id", "command", "started", "finished")} == {
            key: result["run"][key] for key in ("id", "command", "started", "finished")
        }
        assert (run["board"], run["ok"]) == (result["board"]["serial"], result["ok"])
        assert run["bits"] == result["validation"]["bits"]
    cut = runs[-1]
    assert cut.keys() >= KEYS
    assert cut["board"] == "B000001"  # its calibration says so
    assert [cut[key] for key in ("finished", "ok", "bits")] == [None, None, None]


def test_the_table_has_a_line_for_each_run(ohmsum, kept_runs):
    outcome = ohmsum("runs", kept_runs)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()[2:]
    runs = json.loads(ohmsum("runs", kept_runs, "--json").out)["runs"]
    assert [line.split()[0] for line in lines] == [run["id"] for run in runs]
    assert max(map(len, lines)) <= 80
    assert [line.split()[-2:] for line in lines] == [
        [f"{run['bits']:.2f}" if run["bits"] else "–", verdict]
        for run, verdict in zip(runs, ("ok", "MISSED", "ok", "ok", "–"), strict=True)
    ]


def test_filters(listed):
    assert listed("--board", "B000001") == ["a", "b", "c", "cut"]
    assert listed("--board", "8x4") == ["a", "b", "c", "other", "cut"]
    assert listed("--board", "B9") == []
    assert listed("--matrix", "W.npy") == ["a", "b"]
    assert listed("--ok") == ["a", "c", "other"]
    assert listed("--not-ok") == ["b"]
    assert listed("--board", "B000001", "--matrix", "W.npy", "--ok") == ["a"]


def test_a_matrix_is_found_by_its_content(listed, kept_runs):
    result = json.loads((kept_runs / "c" / "result.json").read_text("utf-8"))
    digest = result["run"]["matrix"]["sha256"]
    assert listed("--matrix", digest) == listed("--matrix", digest[:6].upper()) == ["c", "other"]
    assert listed("--matrix", digest[:5]) == []


def test_dates_take_in_both_their_ends(listed, kept_runs):
    started = {
        name: json.loads((kept_runs / name / "run.json").read_text("utf-8"))["started"]
        for name in ("a", "c")
    }
    assert listed("--since", started["c"]) == ["c", "other", "cut"]
    assert listed("--until", started["a"]) == ["a"]
    day = started["a"][:10]
    assert listed("--since", day, "--until", "2999-01-01") == ["a", "b", "c", "other", "cut"]
    assert "a" in listed("--until", day)
    assert listed("--since", "2999-01-01") == []


def test_a_run_by_itself_is_listed(ohmsum, kept_runs):
    runs = json.loads(ohmsum("runs", kept_runs / "b", "--json").out)["runs"]
    assert [run["folder"] for run in runs] == [str(kept_runs / "b")]


DAMAGED = {
    "no run": (None, None, "no run, there is no run.json in it"),
    "torn claim": ('{"id": "x"', None, "run.json: not the first file of a run"),
    "list": ("[1]", None, "run.json: not the first file of a run"),
    "deep": ("[" * 100_000, None, "run.json: not the first file of a run"),
    "naive date": (
        '{"id": "x", "started": "2026-01-01T00:00:00", "command": "c"}',
        None,
        "started",
    ),
    "year 1": ('{"id": "x", "started": "0001-01-01T00:00:00Z", "command": "c"}', None, "started"),
    "no id": ('{"id": "", "started": "2026-01-01T00:00:00Z", "command": "c"}', None, "id: "),
    "torn result": ("good", '{"ok": tr', "result.json: not the result of a run"),
    "no board": ("good", '{"ok": true, "run": {"id": "x", "finished": null}}', "finished"),
    "infinite": ("good", '{"validation": {"bits": Infinity}}', "result.json: not the result"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_damaged_is_named_in_one_line_and_passed_over(ohmsum, kept_runs, tmp_path, kind):
    claim, result, why = DAMAGED[kind]
    shutil.copytree(kept_runs / "a", tmp_path / "ohmsum-results" / "a")
    bad = tmp_path / "ohmsum-results" / "bad \x1b[2J"
    bad.mkdir()
    if claim is not None:
        good = (kept_runs / "a" / "run.json").read_text("utf-8")
        (bad / "run.json").write_text(good if claim == "good" else claim)
    if result is not None:
        (bad / "result.json").write_text(result)
    outcome = ohmsum("runs", "--json")
    assert outcome.status == 0
    assert [run["folder"] for run in json.loads(outcome.out)["runs"]] == ["ohmsum-results/a"]
    (line,) = outcome.err.splitlines()
    assert "ohmsum-results/bad \\x1b[2J" in line
    assert "skipped" in line
    assert why in line


def test_names_in_files_command_no_terminal(ohmsum, kept_runs, tmp_path):
    shutil.copytree(kept_runs / "a", tmp_path / "ohmsum-results" / "a")
    for name in ("run.json", "result.json"):
        path = tmp_path / "ohmsum-results" / "a" / name
        document = json.loads(path.read_text("utf-8"))
        document["command"] = "ohmsum run \x1b[2J"
        if name == "result.json":
            document["board"]["serial"] = "\x1b[2J\u202e"
            document["budget"]["rows"][0]["cause"] = "[red]\x07"
        path.write_text(json.dumps(document), "utf-8")
    for command in (("runs",), ("show", "ohmsum-results/a")):
        outcome = ohmsum(*command)
        assert outcome.status == 0
        assert "\\x1b[2J" in outcome.out
        assert not {"\x1b", "\u202e", "\x07"} & set(outcome.out)


def test_a_design_is_no_run(ohmsum, tmp_path):
    folder = tmp_path / "ohmsum-results" / "design"
    folder.mkdir(parents=True)
    claim = {"id": "d", "started": "2026-01-01T00:00:00Z", "command": "ohmsum design --bits 3"}
    (folder / "run.json").write_text(json.dumps(claim))
    outcome = ohmsum("runs", "--json")
    assert (outcome.status, json.loads(outcome.out)) == (0, {"runs": []})
    assert "ohmsum-results/design: of `ohmsum design`" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "ohmsum-results: no such folder"),
        (("absent",), "absent: no such folder"),
        (("file",), "file: is no folder"),
        ((".", "--since", "yesterday"), "--since: yesterday is no date"),
        ((".", "--until", "2026-13-01"), "--until: 2026-13-01 is no date"),
        ((".", "--since", "0001-01-01"), "--since: 0001-01-01 is no date"),
    ],
)
def test_bad_usage_is_one_line(ohmsum, tmp_path, arguments, says):
    (tmp_path / "file").write_text("")
    refused = ohmsum("runs", *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(f"ohmsum: {says}")
    assert len(refused.err.splitlines()) == 1
