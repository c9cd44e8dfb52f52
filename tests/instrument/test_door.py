"""What a person meets first: streams that are closed, own modules in the way, the version."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from instrument.own_packages import OWN_PACKAGES

ROOT = Path(__file__).parents[2]
RUN = "run", "--bench", "sim:8x4", "--matrix", "random", "--out", "kept"


@pytest.fixture
def shell(start_environment, tmp_path):
    """Run a line of shell in which $OHMSUM is the command; what ended."""

    def run(line):
        return subprocess.run(
            line,
            shell=True,
            executable="/bin/bash",
            cwd=tmp_path,
            env=start_environment | {"OHMSUM": f"{sys.executable} -m ohmsum"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_reader_of_stdout_going_away_is_no_verdict(start_environment, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        outcome = subprocess.run(
            [sys.executable, "-m", "ohmsum", *RUN],
            cwd=tmp_path,
            env=start_environment | {"MPLBACKEND": "no such thing"},  # pictures need no window
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)
    assert outcome.returncode == 141
    assert "Traceback" not in outcome.stderr
    document = json.loads((tmp_path / "kept" / "result.json").read_text("utf-8"))
    assert document["ok"]
    assert (tmp_path / "kept" / "report.html").read_text("utf-8").rstrip().endswith("</html>")


def test_help_whose_reader_has_gone(shell):
    assert shell("$OHMSUM --help | true; exit ${PIPESTATUS[0]}").returncode in (0, 141)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize("command", ["--version", "sim --board 8x4", "sim --board 8x4 --json"])
def test_a_full_disk_behind_stdout(shell, command):
    outcome = shell(f"$OHMSUM {command} >/dev/full")
    assert outcome.returncode == 74
    assert outcome.stderr.startswith("ohmsum: stdout: ")
    assert "No space left on device" in outcome.stderr


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 2>&-"])
def test_no_error_on_stdout_where_stderr_is_closed(shell, closed):
    outcome = shell(f"$OHMSUM run --bench nowhere.toml --matrix random --json {closed}")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (2, "", "")


def test_no_file_takes_the_place_of_a_closed_stderr(shell, tmp_path):
    """What is written to descriptor 2 would else go into the first file or socket opened."""
    program = (
        "from instrument.cli import exits; import os; exits.run_to_exit_status(lambda: ["
        "open('file', 'w').close, print(open('file', 'w').fileno() > 2)])"
    )
    outcome = shell(f'{sys.executable} -W ignore -c "{program}" 2>&- 0<&-')
    assert outcome.stdout == "True\n"


def test_closed_stdout_is_nobodys_fault(shell):
    outcome = shell("$OHMSUM --version >&-")
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_version(ohmsum):
    outcome = ohmsum("--version")
    assert outcome.status == 0
    assert outcome.out.startswith("ohmsum 0.")
    assert ", python 3." in outcome.out


@pytest.mark.parametrize("name", OWN_PACKAGES)
@pytest.mark.parametrize(
    "way", ["from instrument import open_bench", "import ohmsum; ohmsum.Bench"]
)
def test_an_own_module_in_the_way_is_named(start_environment, tmp_path, name, way):
    (tmp_path / f"{name}.py").write_text("x = 1\n")
    outcome = subprocess.run(
        [sys.executable, "-c", way],
        cwd=tmp_path,
        env=start_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    last = outcome.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: {tmp_path / name}.py is in the way of ohmsum's own")


@pytest.mark.parametrize("name", [*OWN_PACKAGES, "instrument"])
def test_the_command_names_the_folder_in_the_way(shell, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    outcome = shell("$OHMSUM --version")
    assert outcome.returncode == 2
    (line,) = outcome.stderr.splitlines()
    assert line.startswith(f"ohmsum: {tmp_path / name / '__init__.py'} is in the way of ")


def test_a_folder_that_is_no_package_is_not_in_the_way(shell, tmp_path):
    for name in OWN_PACKAGES:
        (tmp_path / name).mkdir()
    assert shell("$OHMSUM --version").returncode == 0


def test_the_public_names_stand_in_one_list_that_is_read_late(start_environment, tmp_path):
    program = (
        "import sys, ohmsum; print('instrument' in sys.modules); import instrument; "
        "from ohmsum import *; print(ohmsum.__all__ is instrument.__all__, "
        "[name for name in instrument.__all__ if globals()[name] is not getattr(instrument, name)])"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=start_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert outcome.stdout == "False\nTrue []\n"


def test_a_name_that_ohmsum_does_not_have():
    with pytest.raises(ImportError, match="cannot import name 'open_board'"):
        from ohmsum import open_board  # noqa: F401


def test_every_package_that_is_installed_is_typed():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    packages = wheel["targets"]["wheel"]["packages"]
    assert {"ohmsum", "instrument", *OWN_PACKAGES} == set(packages)
    assert [name for name in packages if not (ROOT / name / "py.typed").exists()] == []
