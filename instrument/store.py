"""What is kept on disk: calibrations and programmed matrices, as .npz files."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.branches import BranchCalibration
from instrument.errors import UsageError
from instrument.mvm import ProgrammedMatrix
from instrument.reading import reading

FORMAT = "ohmsum calibration 3"


@dataclass(frozen=True)
class BoardIdentity:
    """Which board was measured."""

    type: str
    serial: str
    rows: int
    columns: int
    branches: int

    def __str__(self) -> str:
        return f"board {self.type} {self.serial} ({self.rows} × {self.columns} × {self.branches})"


@dataclass(frozen=True)
class Calibration:
    """A board's measured branches, and what it took to measure them."""

    board: BoardIdentity
    branches: BranchCalibration
    bytes_moved: int
    bench_seconds: float
    board_kelvin: float
    """What the board's sensor said when the measurement ended."""
    wall_seconds: float
    made_at: datetime
    """When the measurement ended, by the host's clock; with its time zone."""
    versions: dict[str, str]
    """Of what took part: ohmsum, the board's firmware."""
    source: str = "the calibration"
    """What a complaint about it begins with: the file it was read from."""

    def require(self, board: BoardIdentity) -> None:
        """Raise UsageError unless this is a calibration of that board."""
        if self.board != board:
            raise UsageError(f"{self.source}: of {self.board}, but on the bench is {board}")


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration to a .npz file."""
    about = {
        "format": FORMAT,
        "board": asdict(calibration.board),
        "bytes_moved": calibration.bytes_moved,
        "bench_seconds": calibration.bench_seconds,
        "board_kelvin": calibration.board_kelvin,
        "wall_seconds": calibration.wall_seconds,
        "made_at": calibration.made_at.astimezone(UTC).isoformat(),
        "versions": calibration.versions,
    }
    arrays = {
        field.name: getattr(calibration.branches, field.name) for field in fields(BranchCalibration)
    }
    np.savez_compressed(path, about=json.dumps(about), **arrays)


def load_calibration(path: Path) -> Calibration:
    """Read a calibration. Raises UsageError that names the file where it is none."""
    with reading(path, "not a calibration file"), path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("not even a .npz file")
        file.seek(0)
        with np.load(file, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            if about.get("format") != FORMAT:
                raise UsageError(f"{path}: not a calibration of this version of ohmsum")
            arrays = {field.name: data[field.name] for field in fields(BranchCalibration)}
        board = BoardIdentity(**about["board"])
        _check_arrays(arrays, board)
        for name, array in arrays.items():
            if array.ndim == 0:
                arrays[name] = array.item()
        return Calibration(
            board=board,
            branches=BranchCalibration(**arrays),
            bytes_moved=int(about["bytes_moved"]),
            bench_seconds=float(about["bench_seconds"]),
            board_kelvin=float(about["board_kelvin"]),
            wall_seconds=float(about["wall_seconds"]),
            made_at=datetime.fromisoformat(about["made_at"]).astimezone(UTC),
            versions={str(part): str(version) for part, version in about["versions"].items()},
            source=str(path),
        )


def _check_arrays(arrays: dict[str, NDArray[np.generic]], board: BoardIdentity) -> None:
    """Raise ValueError or TypeError unless these can be the arrays of a board's calibration."""
    unknowns = 1 + board.branches
    points = len(np.atleast_1d(arrays["groups"]))
    shapes: dict[str, tuple[int, ...]] = {
        "open_siemens": (board.rows, board.columns),
        "groups": (points, board.branches),
        "noise_covariance": (board.rows, unknowns, unknowns),
        "noise_variance_siemens2": (board.columns,),
        "signal_covariance_siemens2": (board.rows, unknowns, unknowns),
        "wild_readings": (board.rows, board.columns),
        "kelvin_range": (2,),
    } | dict.fromkeys(
        ("branch_siemens", "uncertainty_siemens", "status"),
        (board.rows, board.columns, board.branches),
    )
    for name, array in arrays.items():
        if array.shape != shapes.get(name, ()):
            raise ValueError(f"{name} is of shape {array.shape}, not {shapes.get(name, ())}")
        if name != "design" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinities")


def save_program(program: ProgrammedMatrix, path: Path) -> None:
    """Write the pattern, the measured transfer matrix and the scale of a programmed matrix to a
    .npz file.
    """
    programmed = program.programmed
    np.savez_compressed(
        path,
        weights=program.weights,
        pattern=programmed.pattern,
        transfer_siemens=programmed.transfer.siemens,
        transfer_uncertainty_siemens=programmed.transfer.uncertainty_siemens,
        zero_amperes=programmed.transfer.zero_amperes,
        scale_siemens=programmed.targets.scale_siemens,
        volts_per_unit=program.volts_per_unit,
        range_amperes=programmed.range_amperes,
        round_residuals=programmed.round_residuals,
    )
