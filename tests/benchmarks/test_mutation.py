"""Mutations change what code does and nothing else, and the nearest tests come first."""

import ast
import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import mutation
from benchmarks.mutants import PACKAGES, Imports, Mutation, draw, mutations

ROOT = Path(__file__).parents[2]


def changes(tmp_path, source):
    """The lines of a source with each of its mutations applied, where they differ."""
    file = tmp_path / "source.py"
    file.write_text(source)
    found = []
    for one in mutations("source.py", file):
        text = one.applied_to(source.encode()).decode()
        pairs = zip(source.splitlines(), text.splitlines(), strict=True)
        ((number, changed),) = [(k, b) for k, (a, b) in enumerate(pairs, start=1) if a != b]
        assert number == one.line
        found.append(changed.strip())
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["x = a <= b"]),
        ("x = (a) >= (b)", ["x = (a) > (b)"]),
        ("x = a is not None", ["x = a is None"]),
        ("x = a not in b", ["x = a in b"]),
        ("x = a + b", ["x = a - b"]),
        ("x = a // b", ["x = a / b"]),
        ("x += a", ["x -= a"]),
        ("x = a and b", ["x = a or b"]),
        ("x = not a", ["x = a"]),
        ("x = ä - b", ["x = ä + b"]),
        ("x = min(a, b)", ["x = max(a, b)"]),
        ("x = np.maximum(a, b)", ["x = np.minimum(a, b)"]),
        ("x = a[b:c]", ["x = a[(b) + 1:c]", "x = a[b:(c) + 1]"]),
        ("x = a[1:]", ["x = a[2:]"]),
        ("x = 0.5", ["x = 1.0"]),
        ("x = 0.0", ["x = 1.0"]),
        ("x = True", ["x = False"]),
        ("x = [a for a in b if c]", ["x = [a for a in b if (not (c))]"]),
        ("if a:\n    x = b", ["if (not (a)):"]),
        ("def f():\n    g()\n    h()", ["return", "return"]),
        ("def f():\n    g()\n    return x", ["pass"]),
    ],
)
def test_each_kind_of_change(tmp_path, source, expected):
    assert changes(tmp_path, source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""1 + 1."""',
        "from a import b",
        '__all__ = ["a", "b"]',
        "def f(a: int | None) -> tuple[int, 3]:\n    pass",
        "x: Annotated[int, 3]",
        "Kind = int | None",
        'x = f"{a + 1}"',
        'raise ValueError("a" + b, 3)',
        '_log.info("%s", a + 1)',
        "@dataclass(frozen=True)\nclass A:\n    pass",
        "if TYPE_CHECKING:\n    x = 1",
    ],
)
def test_what_says_something_and_does_nothing_stays(tmp_path, source):
    assert changes(tmp_path, source) == []


def test_every_mutation_of_this_tree_parses_to_another_program():
    """A sample: each compiles, and differs from its file by more than its layout."""
    for one in draw(ROOT, seed=1, count=60):
        before = (ROOT / one.path).read_bytes()
        after = one.applied_to(before)
        assert ast.dump(ast.parse(before)) != ast.dump(ast.parse(after))
        assert before.count(b"\n") == after.count(b"\n") + one.before.count("\n")


def test_the_same_seed_draws_the_same_and_more_of_it_begins_alike():
    some, more, others = (draw(ROOT, *of) for of in ((7, 20), (7, 40), (8, 20)))
    assert more[:20] == some
    assert others != some
    assert len(set(more)) == 40


def test_a_change_is_not_applied_to_another_text(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    change = Mutation("a.py", 1, 4, "1", "2")
    change.apply(tmp_path)
    assert (tmp_path / "a.py").read_text() == "x = 2\n"
    with pytest.raises(ValueError, match=r"a\.py:1 does not hold '1'"):
        change.apply(tmp_path)


def test_the_mirrored_test_comes_first_and_doors_are_looked_through():
    imports = Imports(ROOT)
    tests = imports.tests_of("calibration/noise/survey.py")
    assert tests[0] == "tests/calibration/noise/test_survey.py"
    # These import what other rooms make of it.
    assert any(name.startswith("tests/instrument/") for name in tests[5:])
    # `from kirchhoff import transfer_matrix` imports the file behind the door, not all of them.
    assert imports.home("calibration.noise", "survey_noise") == "calibration.noise.survey"
    # Fixtures of a conftest are imported by nobody, and count all the same.
    assert "tests/instrument/test_runs.py" in imports.tests_of("instrument/cli/run.py")


SOURCE = """def ohms(volts, amperes):
    if amperes < 0:
        volts = -volts
    return volts / abs(amperes)
"""
TEST = """import pytest
from kirchhoff.ohm import ohms

@pytest.mark.parametrize("amperes", AMPERES, ids="current {}".format)
def test_ohms(amperes):
    assert ohms(3 * amperes, amperes) == 3
"""
SETTINGS = """[tool.pytest.ini_options]
pythonpath = ["."]
addopts = "--import-mode=importlib"
markers = ["slow: takes long"]
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Draw all five mutations of a tree of one function, whose test asks little of it."""
    tree = tmp_path / "tree"
    for folder in (*PACKAGES, "tests/kirchhoff", "benchmarks"):
        (tree / folder).mkdir(parents=True)
        if folder in PACKAGES:
            (tree / folder / "__init__.py").touch()
    (tree / "kirchhoff/ohm.py").write_text(SOURCE)
    (tree / "pyproject.toml").write_text(SETTINGS)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    monkeypatch.setattr(mutation, "ROOT", tree)
    monkeypatch.chdir(tmp_path)

    def command(amperes, *options):
        test = TEST.replace("AMPERES", repr(amperes))
        (tree / "tests/kirchhoff/test_ohm.py").write_text(test)
        arguments = ["--seed", "1", "--count", "5", "--jobs", "2", *options]
        monkeypatch.setattr("sys.argv", ["mutation", *arguments])
        mutation.main()
        assert (tree / "kirchhoff/ohm.py").read_text() == SOURCE
        written = Path("mutation-1.jsonl").read_text().splitlines()
        last = {entry["before"]: entry["outcome"] for entry in map(json.loads, written)}
        return len(written), last, capsys.readouterr().out

    return command


@pytest.mark.slow
def test_mutations_are_caught_or_survive_and_results_are_gone_on_with(run):
    written, outcomes, told = run([2])
    unseen = dict.fromkeys(["<", "0", "-volts"], "survived")  # nothing is asked of negative ones
    assert outcomes == unseen | {"amperes < 0": "caught", "/": "caught"}
    assert written == 5
    assert "kirchhoff/ohm.py:2  '<' -> '<='" in told.partition("survived:")[2]
    assert "40%" in told
    # What has its result is not run again, unless tests have changed.
    assert run([2])[:2] == (written, outcomes)
    written, outcomes, _ = run([2, -2], "--again")
    assert written == 8
    # At 0 the quotient does not exist, and between 0 and 1 nothing is asked.
    assert outcomes == dict.fromkeys(outcomes, "caught") | {"<": "survived", "0": "survived"}


@pytest.mark.slow
def test_a_test_that_fails_anyhow_proves_nothing(run):
    _, outcomes, told = run([0])
    assert outcomes == dict.fromkeys(outcomes, "void")
    assert "void:" in told
    # A void result is no result: once the test is right, the mutation is run again.
    assert set(run([2])[1].values()) == {"caught", "survived"}
