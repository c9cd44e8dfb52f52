"""Help answers without waiting for numerical libraries."""

import subprocess
import sys

import pytest

HEAVY = {"numpy", "numba", "scipy", "pyvisa", "serial", "matplotlib"}
PROBE = f"""
import sys
from instrument.cli import main
try:
    main()
except SystemExit as leave:
    loaded = {HEAVY!r} & set(sys.modules)
    print("heavy:", ",".join(sorted(loaded)), "status:", leave.code)
"""


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("demo",),
        ("sim",),
        ("run",),
        ("calibrate",),
        ("program",),
        ("multiply",),
        ("runs",),
        ("show",),
        ("compare",),
        ("trend",),
        ("export",),
        ("design",),
        ("study",),
        ("study", "bits"),
        ("study", "fixed-size"),
    ],
)
def test_help_imports_nothing_heavy(command, start_environment):
    ended = subprocess.run(
        [sys.executable, "-c", PROBE, *command, "--help"],
        env=start_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "heavy:  status: 0"
    assert "--help" in ended.stdout
    assert ended.stderr == ""


def test_the_probe_sees_what_is_heavy(start_environment, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", PROBE, "run", "--bench", "absent.toml", "--matrix", "random"],
        env=start_environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "numpy" in ended.stdout
    assert "status: 2" in ended.stdout
