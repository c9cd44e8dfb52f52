"""What is kept on disk of a calibration, as a .npz file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
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
from calibration.resolution import USUAL_DAC_BITS
from calibration.settle_time import SettleTime
from calibration.temperature import Coefficients, with_earlier
from drivers.crossbar_board import CrossbarBoard
from instrument.arguments import file_path
from instrument.calibration_checks import checked_arrays, read_about
from instrument.clocks import Reading
from instrument.errors import UsageError
from instrument.packed import pack_all, unpack
from instrument.reading import arrays_of, read_bytes, reading
from instrument.summary import as_html, as_text
from instrument.writing import write_arrays

FORMAT = "ohmsum calibration 6"
FORMAT_WITHOUT_DIGEST = "ohmsum calibration 5"
"""Is read as well; it names neither the run nor the nominals, nor how the board settles, and what
was altered does not show.
"""
EARLIER_FORMATS = tuple(f"ohmsum calibration {number}" for number in (1, 2, 3, 4))
MEASURED: dict[str, Any] = {
    "branches": BranchCalibration,
    "converters": Converters,
    "ranges": RangeGains,
    "noise": NoiseSurvey,
    "settling": SettleTime,
    "temperature": Coefficients,
    "nominal_ohms": NDArray[np.float64],
}
"""What of a calibration is kept as arrays; the rest is kept as JSON."""
NOMINAL_OHMS = "nominal_ohms"
MEASURED_SINCE = "settling.", "converters.dac_bits"
"""What files of FORMAT_WITHOUT_DIGEST do not hold."""
MAX_CALIBRATION_BYTES = 512 << 20
"""Of a calibration file, packed or not: 512 rows × 512 columns × 32 branches are less."""


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


def identity_of(board: CrossbarBoard) -> BoardIdentity:
    """Return which board this is."""
    return BoardIdentity(
        board.type, board.identity.serial, board.rows, board.columns, board.branches
    )


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Record):
    """A board's measured branches and converters, and what it took to measure them."""

    board: BoardIdentity
    branches: BranchCalibration
    converters: Converters
    ranges: RangeGains
    noise: NoiseSurvey
    settling: SettleTime
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
    nominal_ohms: NDArray[np.float64] | None = None
    """(branches,): what the board says its branches have; None in files of format 5."""
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
        save_calibration(self, file_path(path))

    @staticmethod
    def load(path: str | Path) -> Calibration:
        """Read one from a .npz file. Raises UsageError that names the file where it is none."""
        return load_calibration(file_path(path))

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
    about = json.dumps(
        {
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
    )
    arrays = pack_all({name: getattr(calibration, name) for name in MEASURED})
    write_arrays(path, {"about": about, "sha256": digest_of(about, arrays), **arrays})


def load_calibration(path: Path) -> Calibration:
    """Read a calibration. Raises UsageError that names the file where it is none, or where anything
    in it was altered.
    """
    data = read_bytes(path, MAX_CALIBRATION_BYTES)
    with reading(path, "not a calibration file"):
        members = arrays_of(data, MAX_CALIBRATION_BYTES)
        text = str(members["about"])
        found = _format_of(text)
        if found in EARLIER_FORMATS:
            raise UsageError(
                f"{path}: a calibration of an earlier version of ohmsum, which did not measure "
                "all that is needed now: calibrate again"
            )
        if found not in (FORMAT, FORMAT_WITHOUT_DIGEST):
            raise UsageError(f"{path}: not a calibration of this version of ohmsum")
        arrays = {
            name: members[name]
            for name in _leaves(MEASURED)
            if found == FORMAT or (name != NOMINAL_OHMS and not name.startswith(MEASURED_SINCE))
        }
        if found == FORMAT_WITHOUT_DIGEST:
            arrays |= _not_measured(arrays["noise.settings.delay_seconds"])
        if found == FORMAT and str(members["sha256"]) != digest_of(text, arrays):
            raise UsageError(
                f"{path}: something in it was altered after it was written (its SHA-256 differs): "
                "calibrate again"
            )
        about = read_about(text)
        arrays = checked_arrays(arrays, about.board)
        return Calibration(
            board=BoardIdentity(**about.board.model_dump()),
            branches=unpack(BranchCalibration, arrays, "branches."),
            converters=unpack(Converters, arrays, "converters."),
            ranges=unpack(RangeGains, arrays, "ranges."),
            noise=unpack(NoiseSurvey, arrays, "noise."),
            settling=unpack(SettleTime, arrays, "settling."),
            temperature=unpack(Coefficients, arrays, "temperature."),
            nominal_ohms=arrays.get(NOMINAL_OHMS),
            bytes_moved=about.bytes_moved,
            bench_seconds=about.bench_seconds,
            converter_seconds=about.converter_seconds,
            board_kelvin=about.board_kelvin,
            wall_seconds=about.wall_seconds,
            made_at=about.made_at.astimezone(UTC),
            versions=about.versions,
            joined=tuple(moment.astimezone(UTC) for moment in about.joined),
            run=about.run,
            source=str(path),
        )


def _not_measured(delay_seconds: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return what a file of FORMAT_WITHOUT_DIGEST does not hold: the delay that was in force, set
    by somebody, and DACs of the usual number of bits.
    """
    nothing = {name: np.asarray(0.0) for name in _leaves({"settling": SettleTime})}
    return nothing | {
        "settling.settle_seconds": delay_seconds,
        "settling.chosen": np.asarray("fixed"),
        "converters.dac_bits": np.asarray(USUAL_DAC_BITS),
    }


def _format_of(text: str) -> str:
    about = json.loads(text)
    return str(about.get("format"))


def digest_of(about: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of what a file holds: of its text, then of each array, in the order of
    their names, as its name, type, shape and bytes.
    """
    digest = hashlib.sha256(about.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _leaves(kinds: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the name of every array, number and word in dataclasses of these types: the way to it,
    with dots.
    """
    for name, kind in kinds.items():
        if is_dataclass(kind):
            yield from _leaves(get_type_hints(kind), f"{path}{name}.")
        else:
            yield f"{path}{name}"
