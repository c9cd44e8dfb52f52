"""The network against ngspice, an independent circuit simulator, branch by branch.

The netlist knows nothing of crosspoints' conductances: each branch is its resistor in series with
its switch's resistance when closed, and its switch's leakage when open. ngspice is a package of
most distributions (`apt-get install ngspice`). In CI its absence is an error; elsewhere these
tests are skipped.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kirchhoff import Wire, column_currents, transfer_matrix, updated_transfer

Array = NDArray[np.float64]
SWITCH_OHMS = 20.0
LEAKAGE_OHMS = 10e9
AGREEMENT = 1e-11  # of the largest current
OPTIONS = ".options reltol=1e-14 abstol=1e-24 vntol=1e-20 gmin=1e-20"

WIRES = {
    "printed": Wire(row_ohms=0.02, column_ohms=0.02, source_ohms=0.05, sense_ohms=0.05),
    "unlike": Wire(row_ohms=1, column_ohms=2.5, source_ohms=7, sense_ohms=4),
    "thin": Wire(row_ohms=100, column_ohms=100, source_ohms=30, sense_ohms=60),
    "none": Wire(row_ohms=0, column_ohms=0, source_ohms=0, sense_ohms=0),
    "source only": Wire(row_ohms=0, column_ohms=0, source_ohms=5, sense_ohms=0),
    "sense only": Wire(row_ohms=0, column_ohms=0, source_ohms=0, sense_ohms=5),
    "rows only": Wire(row_ohms=3, column_ohms=0, source_ohms=0, sense_ohms=0),
    "columns only": Wire(row_ohms=0, column_ohms=3, source_ohms=0, sense_ohms=0),
}


@dataclass(frozen=True)
class Branches:
    """Resistors (rows, columns, branches) and which of their switches are closed."""

    ohms: Array
    closed: NDArray[np.bool_]

    def siemens(self) -> Array:
        """Conductances of the crosspoints (rows, columns)."""
        total: Array = np.where(self.closed, 1 / (self.ohms + SWITCH_OHMS), 1 / LEAKAGE_OHMS).sum(2)
        return total


def branches(seed: int, rows: int, columns: int, closed: float, decade: float = 5) -> Branches:
    """Two branches a crosspoint, their resistors spread over one decade from 10^decade ohms."""
    rng = np.random.default_rng(seed)
    shape = (rows, columns, 2)
    return Branches(10 ** rng.uniform(decade, decade + 1, shape), rng.random(shape) < closed)


def netlist(board: Branches, wire: Wire, V: Array) -> str:
    """Drives V (vectors, rows) one after another; prints the current out of each column."""
    rows, columns, _ = board.ohms.shape
    lines = ["crossbar", OPTIONS]

    def joined(name: str, a: str, b: str, ohms: float) -> None:
        """A resistor; a source of 0 V, which ngspice solves exactly, where there is no ohm."""
        lines.append(f"R{name} {a} {b} {ohms!r}" if ohms else f"V{name} {a} {b} 0")

    for i in range(rows):
        lines.append(f"Vdrive{i} drive{i} 0 0")
        joined(f"source{i}", f"drive{i}", f"u{i}_0", wire.source_ohms)
        for j in range(1, columns):
            joined(f"row{i}_{j}", f"u{i}_{j - 1}", f"u{i}_{j}", wire.row_ohms)
    for j in range(columns):
        for i in range(rows - 1):
            joined(f"column{i}_{j}", f"w{i}_{j}", f"w{i + 1}_{j}", wire.column_ohms)
        joined(f"sense{j}", f"w{rows - 1}_{j}", f"meter{j}", wire.sense_ohms)
        lines.append(f"Vmeter{j} meter{j} 0 0")
    for (i, j, k), ohms in np.ndenumerate(board.ohms):
        u, w, name = f"u{i}_{j}", f"w{i}_{j}", f"{i}_{j}_{k}"
        if board.closed[i, j, k]:
            joined(f"branch{name}", u, f"switch{name}", float(ohms))
            joined(f"on{name}", f"switch{name}", w, SWITCH_OHMS)
        else:
            joined(f"leak{name}", u, w, LEAKAGE_OHMS)
    lines += [".control", "set numdgt=16"]
    for v in V:
        lines += [f"alter Vdrive{i} dc = {float(volts)!r}" for i, volts in enumerate(v)]
        lines += ["op", *(f"print i(Vmeter{j})" for j in range(columns))]
    return "\n".join([*lines, "quit", ".endc", ".end", ""])


@pytest.fixture(scope="module")
def ngspice() -> str:
    program = shutil.which("ngspice")
    if program is None:
        reason = "ngspice is not installed: the network was not checked against it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def spice_currents(ngspice: str, folder: Path, board: Branches, wire: Wire, V: Array) -> Array:
    """Column currents (vectors, columns) as ngspice finds them."""
    (folder / "board.cir").write_text(netlist(board, wire, V))
    command = [ngspice, "-n", "-b", "board.cir"]  # -n: no start-up file of the user
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    printed = re.findall(r"^i\(vmeter(\d+)\) = (\S+)$", run.stdout, re.MULTILINE)
    columns = board.ohms.shape[1]
    assert [int(j) for j, _ in printed] == [*range(columns)] * len(V), run.stdout + run.stderr
    return np.array([float(value) for _, value in printed]).reshape(len(V), columns)


def assert_agree(actual: Array, expected: Array) -> None:
    assert actual.shape == expected.shape
    assert np.abs(expected).max() > 0
    assert np.abs(actual - expected).max() <= AGREEMENT * np.abs(expected).max()


@pytest.mark.parametrize("shape", [(1, 1), (7, 1), (1, 9), (8, 4), (5, 12), (17, 10)])
@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES.keys())
def test_both_functions(ngspice: str, tmp_path: Path, wire: Wire, shape: tuple[int, int]) -> None:
    board = branches(sum(shape), *shape, closed=0.5)
    V = np.vstack([np.eye(shape[0]), np.random.default_rng(1).uniform(-1, 1, (2, shape[0]))])
    currents = spice_currents(ngspice, tmp_path, board, wire, V)
    assert_agree(transfer_matrix(board.siemens(), wire), currents[:-2])
    # One vector alone and a large batch take different ways.
    for v, expected in zip(V[-2:], currents[-2:], strict=True):
        assert_agree(column_currents(board.siemens(), v[None], wire), expected[None])
    many = np.vstack([V] * 20)
    assert_agree(column_currents(board.siemens(), many, wire), np.vstack([currents] * 20))


@pytest.mark.parametrize("decade", [1, 3, 5])
@pytest.mark.parametrize("wire", ["printed", "thin"])
def test_one_vector_of_a_larger_board(
    ngspice: str, tmp_path: Path, wire: str, decade: float
) -> None:
    board = branches(3, 32, 40, closed=0.6, decade=decade)
    V = np.random.default_rng(3).uniform(-1, 1, (1, 32))
    currents = spice_currents(ngspice, tmp_path, board, WIRES[wire], V)
    assert_agree(column_currents(board.siemens(), V, WIRES[wire]), currents)
    assert_agree(V @ transfer_matrix(board.siemens(), WIRES[wire]), currents)


def test_nothing_but_leakage(ngspice: str, tmp_path: Path) -> None:
    board = branches(4, 6, 5, closed=0.0)
    V = np.eye(6)
    currents = spice_currents(ngspice, tmp_path, board, WIRES["unlike"], V)
    assert_agree(transfer_matrix(board.siemens(), WIRES["unlike"]), currents)


def test_a_switch_toggled(ngspice: str, tmp_path: Path) -> None:
    board = branches(5, 9, 8, closed=0.5)
    closed = board.closed.copy()
    closed[3, 6, 1] ^= True
    toggled, wire = Branches(board.ohms, closed), WIRES["unlike"]
    T = transfer_matrix(board.siemens(), wire)
    updated = updated_transfer(T, board.siemens(), toggled.siemens(), wire)
    assert_agree(updated, spice_currents(ngspice, tmp_path, toggled, wire, np.eye(9)))


def test_a_terminal_on_the_wrong_side_would_be_noticed(ngspice: str, tmp_path: Path) -> None:
    """Source and sense, row and column are all told apart, by far more than the agreement."""
    board, V = branches(6, 6, 8, closed=0.5, decade=2), np.eye(6)
    wire = WIRES["unlike"]
    currents = spice_currents(ngspice, tmp_path, board, wire, V)
    for mistaken in (
        Wire(wire.row_ohms, wire.column_ohms, wire.sense_ohms, wire.source_ohms),
        Wire(wire.column_ohms, wire.row_ohms, wire.source_ohms, wire.sense_ohms),
        Wire(wire.row_ohms, wire.column_ohms, 0, wire.source_ohms + wire.sense_ohms),
    ):
        wrong = transfer_matrix(board.siemens(), mistaken)
        assert np.abs(wrong - currents).max() > 1e-3 * np.abs(currents).max()
    for flipped in (board.siemens()[::-1], board.siemens()[:, ::-1]):
        wrong = transfer_matrix(flipped, wire)
        assert np.abs(wrong - currents).max() > 1e-3 * np.abs(currents).max()
