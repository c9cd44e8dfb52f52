"""The network against ngspice, a solver that shares nothing with ours.

Where ngspice is missing these tests are skipped, but not in CI, which installs it.
"""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from numpy.typing import NDArray

from kirchhoff import Wire, column_currents, transfer_matrix

Array = NDArray[np.float64]
AGREEMENT = 1e-11
"""Of the largest current."""
LEAKAGE_SIEMENS = 1e-9

pytestmark = pytest.mark.skipif(
    shutil.which("ngspice") is None and not os.environ.get("CI"),
    reason="ngspice is not installed (Debian: apt-get install ngspice)",
)

BOARDS = [
    pytest.param((1, 1), Wire(0.02, 0.02, 0.05, 0.05), id="one crosspoint"),
    pytest.param((1, 9), Wire(1.0, 2.0, 3.0, 4.0), id="one row"),
    pytest.param((9, 1), Wire(1.0, 2.0, 3.0, 4.0), id="one column"),
    pytest.param((5, 8), Wire(0.02, 0.02, 0.05, 0.05), id="printed board"),
    pytest.param((8, 5), Wire(0.3, 2.0, 7.0, 0.4), id="four different resistances"),
    pytest.param((16, 12), Wire(100.0, 100.0, 100.0, 100.0), id="thin wire"),
    pytest.param((24, 32), Wire(1.0, 1.0, 1.0, 1.0), id="larger"),
]


def netlist(siemens: Array, wire: Wire, vectors: Array) -> str:
    """A board as SPICE has it, solved for each vector; sources vd0… drive, vs0… read."""
    rows, columns = siemens.shape
    lines = ["crossbar"]
    for i in range(rows):
        lines += [f"vd{i} d{i} 0 dc 0", f"rd{i} d{i} r{i}_0 {wire.source_ohms!r}"]
        lines += [f"rr{i}_{j} r{i}_{j - 1} r{i}_{j} {wire.row_ohms!r}" for j in range(1, columns)]
        lines += [
            f"rx{i}_{j} r{i}_{j} c{i}_{j} {float(1 / siemens[i, j])!r}"
            for j in range(columns)
            if siemens[i, j]
        ]
    for j in range(columns):
        lines += [f"rc{i}_{j} c{i - 1}_{j} c{i}_{j} {wire.column_ohms!r}" for i in range(1, rows)]
        lines += [f"rs{j} c{rows - 1}_{j} g{j} {wire.sense_ohms!r}", f"vs{j} g{j} 0 dc 0"]
    lines += [
        ".options gmin=1e-30 reltol=1e-12 abstol=1e-22 vntol=1e-18 noacct",
        ".control",
        "set numdgt=15",
    ]
    for vector in vectors:
        lines += [f"alter vd{i} dc = {float(volts)!r}" for i, volts in enumerate(vector)]
        lines += ["op", *(f"print i(vs{j})" for j in range(columns))]
    return "\n".join([*lines, "quit", ".endc", ".end", ""])


def spice_currents(siemens: Array, wire: Wire, vectors: Array, folder: str) -> Array:
    """Column currents (vectors, columns) by ngspice."""
    path = os.path.join(folder, "board.cir")
    with open(path, "w", encoding="ascii") as file:
        file.write(netlist(siemens, wire, vectors))
    done = subprocess.run(
        ["ngspice", "-b", path], capture_output=True, text=True, timeout=60, check=False
    )
    found = re.findall(r"^i\(vs\d+\) = (\S+)$", done.stdout, flags=re.MULTILINE)
    assert len(found) == len(vectors) * siemens.shape[1], done.stdout[-2000:] + done.stderr[-2000:]
    return np.array(found, dtype=np.float64).reshape(len(vectors), -1)


def random_board(shape: tuple[int, int]) -> Array:
    """Conductances over two decades, a fifth of the crosspoints open but for their leakage."""
    rng = np.random.default_rng(shape)
    siemens = 10.0 ** rng.uniform(-6, -4, shape)
    return np.where(rng.random(shape) < 0.2, 0.0, siemens) + LEAKAGE_SIEMENS


@pytest.mark.parametrize(("shape", "wire"), BOARDS)
def test_column_currents_are_those_of_ngspice(
    shape: tuple[int, int], wire: Wire, tmp_path: object
) -> None:
    siemens = random_board(shape)
    vectors = np.random.default_rng(1).uniform(-1, 1, (3, shape[0]))
    expected = spice_currents(siemens, wire, vectors, str(tmp_path))
    actual = column_currents(siemens, vectors, wire)
    assert np.abs(actual - expected).max() <= AGREEMENT * np.abs(expected).max()


@pytest.mark.parametrize(("shape", "wire"), BOARDS[:-1])
def test_transfer_matrix_is_that_of_ngspice(
    shape: tuple[int, int], wire: Wire, tmp_path: object
) -> None:
    siemens = random_board(shape)
    expected = spice_currents(siemens, wire, np.eye(shape[0]), str(tmp_path))
    actual = transfer_matrix(siemens, wire)
    assert np.abs(actual - expected).max() <= AGREEMENT * np.abs(expected).max()
