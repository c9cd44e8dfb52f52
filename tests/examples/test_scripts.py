"""Every script of the examples runs as it stands, and prints what a reader is to look at."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
slow = pytest.mark.slow

PRINTED = {
    "own_matrix.py": ("matrix:", "branches:", "residual:", "first product:", "exact:", "bits:"),
    "calibration_later.py": ("calibrated:", "loaded:", "expired:", "set again:", "refused:"),
    "tiles.py": ("board:", "matrix:", "tiles:", "bits:"),
    "watch_and_reprogram.py": ("hours  as programmed  watched  gain", "reprogrammed:"),
}
"""What each script must print at the beginning of a line."""


def test_every_script_is_run():
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    assert scripts - {"execute_notebooks.py"} == set(PRINTED)


@pytest.mark.parametrize(
    "name",
    [
        "own_matrix.py",
        "calibration_later.py",
        pytest.param("tiles.py", marks=slow),
        pytest.param("watch_and_reprogram.py", marks=slow),
    ],
)
def test_a_script_prints_what_it_promises(name, tmp_path):
    lines = run(name, folder=tmp_path).splitlines()
    assert [key for key in PRINTED[name] if not any(line.startswith(key) for line in lines)] == []


@slow
def test_own_matrix_takes_a_file_and_a_bench(tmp_path):
    np.save(tmp_path / "W.npy", np.eye(3, 2))
    lines = run("own_matrix.py", "W.npy", "sim:64x16", folder=tmp_path).splitlines()
    assert "matrix: 3 rows x 2 outputs" in lines
    assert "branches: 20480, of which 20480 work" in lines


def run(name, *arguments, folder):
    """Return what a script prints that is run in a folder of its own, as another process."""
    ended = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout
