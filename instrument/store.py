"""What is kept on disk: calibrations and programmed matrices, as .npz files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from calibration.branches import BranchCalibration
from calibration.converters import Converters
from calibration.noise import NoiseSurvey
from calibration.ranges import RangeGains
from calibration.records import Record
from calibration.temperature import Coefficients, with_earlier
from calibration.tiles import Tile
from instrument.clocks import Reading
from instrument.errors import UsageError
from instrument.reading import reading
from instrument.summary import as_html, as_text
from instrument.tiled import ProgrammedTile
from instrument.writing import write_arrays

FORMAT = "ohmsum calibration 5"
EARLIER_FORMATS = tuple(f"ohmsum calibration {number}" for number in (1, 2, 3, 4))
MEASURED: dict[str, Any] = {
    "branches": BranchCalibration,
    "converters": Converters,
    "ranges": RangeGains,
    "noise": NoiseSurvey,
    "temperature": Coefficients,
}
"""What of a calibration is kept as arrays; the rest is kept as JSON."""


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


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Record):
    """A board's measured branches and converters, and what it took to measure them."""

    board: BoardIdentity
    branches: BranchCalibration
    converters: Converters
    ranges: RangeGains
    noise: NoiseSurvey
    temperature: Coefficients
    """Of the branches, as far as the temperatures tell that this one and earlier ones saw."""
    bytes_moved: int
    bench_seconds: float
    converter_seconds: float
    """How much of that the converters took, with the gains of the ranges."""
    board_kelvin: float
    """What the board's sensor said when the measurement ended."""
    wall_seconds: float
    made_at: datetime
    """When the measurement ended, by the host's clock; with its time zone."""
    versions: dict[str, str]
    """Of what took part: ohmsum, the board's firmware."""
    joined: tuple[datetime, ...] = ()
    """When the earlier ones ended that have made this one better."""
    run: str = ""
    """Id of the run that measured it; empty where that was no run of the command line."""
    source: str = field(default="the calibration", compare=False)
    """What a complaint about it begins with: the file it was read from."""
    ended: Reading | None = field(default=None, compare=False)
    """What clocks showed when the measurement ended; None where another session made it."""

    def __repr__(self) -> str:
        return as_text("Calibration", self._figures())

    def _repr_html_(self) -> str:
        return as_html("Calibration", self._figures())

    def _figures(self) -> dict[str, str]:
        counts = self.branches.status_counts()
        faults = ", ".join(
            f"{count} {name}" for name, count in counts.items() if count and name != "ok"
        )
        return {
            "of": str(self.board),
            "branches": f"{self.branches.status.size:,} ({faults or 'all ok'})",
            "made": f"{self.made_at:%Y-%m-%d %H:%M} UTC",
            "at": f"{self.board_kelvin - 273.15:.1f} °C",
        }

    def save(self, path: str | Path) -> None:
        """Write it to a .npz file."""
        save_calibration(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> Calibration:
        """Read one from a .npz file. Raises UsageError that names the file where it is none."""
        return load_calibration(Path(path))

    def require(self, board: BoardIdentity) -> None:
        """Raise UsageError unless this is a calibration of that board."""
        if self.board != board:
            raise UsageError(f"{self.source}: of {self.board}, but on the bench is {board}")

    def with_earlier(self, earlier: Sequence[Calibration]) -> Calibration:
        """Return this calibration as others of the same board, at other temperatures, make it
        better: branches are better known, and so are their temperature coefficients.

        Raises UsageError where one is of another board, or counts already: by itself, or within
        one that it has made better.
        """
        counted = {self.made_at, *self.joined}
        for one in earlier:
            one.require(self.board)
            again = counted & {one.made_at, *one.joined}
            if again:
                raise UsageError(
                    f"{one.source}: the measurement of {min(again):%Y-%m-%d %H:%M:%S} UTC is given "
                    "twice, by itself or within another file, and would count twice"
                )
            counted |= {one.made_at, *one.joined}
        branches, temperature = with_earlier(
            self.branches, [one.branches for one in earlier], self.noise.warming
        )
        joined = tuple(sorted(counted - {self.made_at}))
        return replace(self, branches=branches, temperature=temperature, joined=joined)


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration to a .npz file. Raises FileNotWritten."""
    about = {
        "format": FORMAT,
        "board": asdict(calibration.board),
        "bytes_moved": calibration.bytes_moved,
        "bench_seconds": calibration.bench_seconds,
        "converter_seconds": calibration.converter_seconds,
        "board_kelvin": calibration.board_kelvin,
        "wall_seconds": calibration.wall_seconds,
        "made_at": _iso(calibration.made_at),
        "versions": calibration.versions,
        "joined": [_iso(moment) for moment in calibration.joined],
        "run": calibration.run,
    }
    arrays: dict[str, Any] = {}
    for name in _leaves(MEASURED):
        value: Any = calibration
        for part in name.split("."):
            value = getattr(value, part)
        arrays[name] = value
    write_arrays(path, {"about": json.dumps(about), **arrays})


def load_calibration(path: Path) -> Calibration:
    """Read a calibration. Raises UsageError that names the file where it is none."""
    with reading(path, "not a calibration file"), path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("not even a .npz file")
        file.seek(0)
        with np.load(file, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            if about.get("format") in EARLIER_FORMATS:
                raise UsageError(
                    f"{path}: a calibration of an earlier version of ohmsum, which did not measure "
                    "all that is needed now: calibrate again"
                )
            if about.get("format") != FORMAT:
                raise UsageError(f"{path}: not a calibration of this version of ohmsum")
            arrays = {name: data[name] for name in _leaves(MEASURED)}
        board = BoardIdentity(**about["board"])
        _check_arrays(arrays, board)
        return Calibration(
            board=board,
            branches=_built(BranchCalibration, "branches", arrays),
            converters=_built(Converters, "converters", arrays),
            ranges=_built(RangeGains, "ranges", arrays),
            noise=_built(NoiseSurvey, "noise", arrays),
            temperature=_built(Coefficients, "temperature", arrays),
            bytes_moved=int(about["bytes_moved"]),
            bench_seconds=float(about["bench_seconds"]),
            converter_seconds=float(about["converter_seconds"]),
            board_kelvin=float(about["board_kelvin"]),
            wall_seconds=float(about["wall_seconds"]),
            made_at=_moment(about["made_at"]),
            versions={str(part): str(version) for part, version in about["versions"].items()},
            joined=tuple(_moment(text) for text in about.get("joined", ())),
            run=str(about.get("run", "")),
            source=str(path),
        )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _leaves(kinds: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the name of every array, number and word in dataclasses of these types: the way to it,
    with dots.
    """
    for name, kind in kinds.items():
        if is_dataclass(kind):
            yield from _leaves(get_type_hints(kind), f"{path}{name}.")
        else:
            yield f"{path}{name}"


def _built(kind: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return a dataclass made of the arrays, numbers and words of these names."""
    values: dict[str, Any] = {}
    for name, inner in get_type_hints(kind).items():
        inside = f"{path}.{name}"
        if is_dataclass(inner):
            values[name] = _built(inner, inside, arrays)
        else:
            values[name] = arrays[inside].item() if inner in (int, float, str) else arrays[inside]
    return kind(**values)


def _check_arrays(arrays: dict[str, NDArray[Any]], board: BoardIdentity) -> None:
    """Raise ValueError or TypeError unless these can be the arrays of a board's calibration."""
    rows, columns = (board.rows,), (board.columns,)
    crosspoints = rows + columns
    row_terms, column_terms, ranges = (
        arrays[name].shape[-1:]
        for name in (
            "converters.rows.coefficients",
            "converters.columns.coefficients",
            "ranges.ranges_amperes",
        )
    )
    unknowns = 1 + board.branches, 1 + board.branches
    shapes = {
        "branches.open_siemens": crosspoints,
        "branches.branch_siemens": (*crosspoints, board.branches),
        "branches.uncertainty_siemens": (*crosspoints, board.branches),
        "branches.status": (*crosspoints, board.branches),
        "branches.groups": (*arrays["branches.groups"].shape[:1], board.branches),
        "branches.noise_covariance": rows + unknowns,
        "branches.noise_variance_siemens2": columns,
        "branches.signal_covariance_siemens2": rows + unknowns,
        "branches.drift_covariance": rows + rows,
        "branches.wild_readings": crosspoints,
        "branches.kelvin_range": (2,),
        "temperature.per_kelvin": (*crosspoints, board.branches),
        "temperature.uncertainty_per_kelvin": (*crosspoints, board.branches),
        "converters.rows.coefficients": rows + row_terms,
        "converters.rows.covariance": rows + 2 * row_terms,
        "converters.columns.coefficients": columns + column_terms,
        "converters.columns.covariance": columns + 2 * column_terms,
        "converters.offsets.row_volts": rows,
        "converters.offsets.row_uncertainty_volts": rows,
        "converters.offsets.column_volts": columns,
        "converters.offsets.column_uncertainty_volts": columns,
        "converters.offsets.zero_amperes": columns,
        "converters.offsets.zero_uncertainty_amperes": columns,
        "converters.row_status": rows,
        "converters.column_status": columns,
        "ranges.ranges_amperes": ranges,
        "ranges.factors": ranges + columns,
        "ranges.uncertainty": ranges + columns,
    }
    for name, array in arrays.items():
        if array.shape != shapes.get(name, ()):
            raise ValueError(f"{name} is of shape {array.shape}, not {shapes.get(name, ())}")
        if name != "branches.design" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinities")


def program_file(tile: Tile, shape: tuple[int, int]) -> str:
    """Return the name of the file of a tile of a matrix of this shape: program.npz if it is all."""
    whole = (tile.rows, tile.outputs) == shape
    return "program.npz" if whole else f"program-{tile.first_row}-{tile.first_output}.npz"


def program_arrays(part: ProgrammedTile) -> dict[str, Any]:
    """Return what is kept of a programmed tile: where it is in its matrix, its pattern, the
    measured transfer matrix, the scale and the ranges.
    """
    matrix, programmed = part.matrix, part.matrix.programmed
    return {
        "first_row": part.tile.first_row,
        "first_output": part.tile.first_output,
        "weights": matrix.weights,
        "pattern": programmed.pattern,
        "lost": programmed.lost,
        "transfer_siemens": programmed.transfer.siemens,
        "transfer_uncertainty_siemens": programmed.transfer.uncertainty_siemens,
        "zero_amperes": programmed.transfer.zero_amperes,
        "scale_siemens": programmed.targets.scale_siemens,
        "volts_per_unit": matrix.volts_per_unit,
        "ranges_amperes": [one.range_amperes for one in programmed.ranges],
        "range_gains": [one.gain for one in programmed.ranges],
        "range_offsets_amperes": [one.offset_amperes for one in programmed.ranges],
        "round_residuals": programmed.round_residuals,
    }
