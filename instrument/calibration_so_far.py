"""Parts of a calibration, kept on disk as they are measured: the run may be cut short."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from calibration.branches import BranchCalibration, RowsRead
from calibration.converters import Converters
from instrument.board_calibration import BoardIdentity
from instrument.errors import FileNotWritten
from instrument.files import pack_all
from instrument.runs import RunFolder

FORMAT = "ohmsum calibration so far 1"
SO_FAR_FILE = "calibration-so-far.npz"
MIN_PAUSE_SECONDS = 5.0
"""Minimum time between two writes of the file."""
MAX_WRITING_SHARE = 0.05
"""Largest share of the time that is spent on writing it."""


class CalibrationSoFar:
    """Collects the parts of a calibration and writes them to a file of the run every few seconds.

    Made by `keeping_so_far`.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._about: dict[str, Any] = {"format": FORMAT}
        self._parts: dict[str, Any] = {}
        self._rows: list[RowsRead] = []
        self._unkept = False
        self._not_before = 0.0

    def of(self, board: BoardIdentity) -> None:
        """Name the board that is measured."""
        self._about["board"] = asdict(board)

    def tell(self, part: Converters | RowsRead | BranchCalibration) -> None:
        """Take the next measured part, and write the file unless that was just done.

        Raises FileNotWritten where that fails.
        """
        if isinstance(part, RowsRead):
            self._rows.append(part)
        elif isinstance(part, Converters):
            self._parts["converters"] = part
        else:
            self._parts["branches"] = part
            self._rows.clear()  # the branches are estimated from these rows
        self._unkept = True
        if time.monotonic() >= self._not_before:
            self.write()

    def write(self) -> None:
        """Write all parts if any of them is not on the disk yet.

        Raises FileNotWritten where that fails.
        """
        if not self._unkept:
            return
        began = time.monotonic()
        arrays = pack_all(self._parts)
        if self._rows:
            arrays |= _arrays_of_rows(self._rows)
        self._folder.keep(SO_FAR_FILE, {"about": json.dumps(self._about), **arrays})
        self._unkept = False
        ended = time.monotonic()
        self._not_before = ended + max(MIN_PAUSE_SECONDS, (ended - began) / MAX_WRITING_SHARE)

    def whole(self) -> None:
        """Drop everything: the complete calibration is on the disk."""
        self._parts.clear()
        self._rows.clear()
        self._unkept = False
        (self._folder.path / SO_FAR_FILE).unlink(missing_ok=True)


@contextmanager
def keeping_so_far(folder: RunFolder) -> Iterator[CalibrationSoFar]:
    """Collect a calibration; an error that ends it leaves all that was measured on the disk.

    It is entered before the bench is opened: the outputs are then off before anything is written.
    """
    so_far = CalibrationSoFar(folder)
    try:
        yield so_far
    except FileNotWritten:
        raise
    except BaseException as error:
        try:
            so_far.write()
        except FileNotWritten as not_written:
            error.add_note(str(not_written))
        raise


def _arrays_of_rows(rows: list[RowsRead]) -> dict[str, Any]:
    """Return rows as arrays, one after another; both readings of a row that was read twice."""
    last = rows[-1]
    return {
        "rows.index": np.concatenate([read.rows for read in rows]),
        "rows.seconds": np.concatenate([read.seconds for read in rows]),
        "rows.kelvin": np.concatenate([np.full(len(read.rows), read.kelvin) for read in rows]),
        "rows.amperes": np.concatenate([read.amperes for read in rows]),
        "rows.groups": last.groups,
        "rows.row_volts": last.row_volts,
        "rows.range_amperes": last.range_amperes,
        "rows.delay_seconds": last.delay_seconds,
    }
