"""A calibration's .npz file: written with a digest, checked when it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Floats
from calibration.branches import BranchCalibration, SettleTime
from calibration.converters import USUAL_DAC_BITS, Converters, RangeGains
from calibration.noise import NoiseSurvey
from calibration.temperature import Coefficients
from instrument.board_calibration.file_checks import checked_arrays, read_about
from instrument.board_calibration.record import BoardIdentity, Calibration
from instrument.errors import UsageError
from instrument.files import arrays_of, as_usage_error, pack_all, read_bytes, unpack, write_arrays
from instrument.run_files import CALIBRATION_FILE, GIVEN_CALIBRATION_FILE

FORMAT = "ohmsum calibration 6"


FORMAT_WITHOUT_DIGEST = "ohmsum calibration 5"
"""Earlier format that is read as well. It holds neither the run's id, nor nominal resistances, nor
the settling time, and an alteration of the file goes unnoticed.
"""


EARLIER_FORMATS = tuple(f"ohmsum calibration {number}" for number in (1, 2, 3, 4))


MEASURED: dict[str, Any] = {
    "branches": BranchCalibration,
    "converters": Converters,
    "ranges": RangeGains,
    "noise": NoiseSurvey,
    "settling": SettleTime,
    "temperature": Coefficients,
    "nominal_ohms": Floats,
}
"""Fields of a calibration that are kept as arrays; the others are kept as JSON."""


NOMINAL_OHMS = "nominal_ohms"


MEASURED_SINCE = "settling.", "converters.dac_bits"
"""Arrays that files of FORMAT_WITHOUT_DIGEST do not hold."""


MAX_CALIBRATION_BYTES = 512 << 20
"""Largest calibration file, packed or not, bytes: 512 rows × 512 columns × 32 branches need less.
"""


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration to a .npz file.

    Raises FileNotWritten where that fails.
    """
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
    """Read a calibration from a .npz file, or from the folder of a run that measured or used it.

    Raises UsageError, which names the file, where it holds no calibration of a format that is read,
    and where anything in it was altered.
    """
    if path.is_dir():
        path = _in_folder(path)
    data = read_bytes(path, MAX_CALIBRATION_BYTES)
    with as_usage_error(path, "not a calibration file"):
        members = arrays_of(data, MAX_CALIBRATION_BYTES)
        text = str(members["about"])
        file_format = _format_of(text)
        if file_format in EARLIER_FORMATS:
            raise UsageError(
                f"{path}: a calibration of an earlier version of ohmsum, which did not measure "
                "all that is needed now: calibrate again"
            )
        if file_format not in (FORMAT, FORMAT_WITHOUT_DIGEST):
            raise UsageError(f"{path}: not a calibration of this version of ohmsum")
        arrays = {
            name: members[name]
            for name in _leaves(MEASURED)
            if file_format == FORMAT
            or (name != NOMINAL_OHMS and not name.startswith(MEASURED_SINCE))
        }
        if file_format == FORMAT_WITHOUT_DIGEST:
            arrays |= _not_measured(arrays["noise.settings.delay_seconds"])
        if file_format == FORMAT and str(members["sha256"]) != digest_of(text, arrays):
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
    """Return substitutes for the arrays that files of FORMAT_WITHOUT_DIGEST do not hold.

    They are the delay that was in force, taken as set by a person, and the usual number of DAC
    bits.
    """
    nothing = {name: np.asarray(0.0) for name in _leaves({"settling": SettleTime})}
    return nothing | {
        "settling.settle_seconds": delay_seconds,
        "settling.chosen": np.asarray("fixed"),
        "converters.dac_bits": np.asarray(USUAL_DAC_BITS),
    }


def _in_folder(folder: Path) -> Path:
    """Return the calibration of a run. Raises UsageError where its folder holds none."""
    for name in (CALIBRATION_FILE, GIVEN_CALIBRATION_FILE):
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{folder}: not the folder of a run with a calibration: no {CALIBRATION_FILE}")


def _format_of(text: str) -> str:
    about = json.loads(text)
    return str(about.get("format"))


def digest_of(about: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of a file's text and arrays.

    The text is hashed first, then each array in the order of the names, as its name, type, shape
    and bytes.
    """
    digest = hashlib.sha256(about.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _leaves(kinds: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted path of every array, number and word in dataclasses of these types."""
    for name, kind in kinds.items():
        if is_dataclass(kind):
            yield from _leaves(get_type_hints(kind), f"{path}{name}.")
        else:
            yield f"{path}{name}"
