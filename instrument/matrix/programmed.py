"""The one-shot analog product of a matrix that stands on the board."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from calibration.arrays import Floats
from calibration.converters import CorrectedCrossbar
from calibration.crossbar import Progress, no_progress
from calibration.errors import OverloadError
from calibration.programming import Programmed, Watch, differences, reprogram, watch
from calibration.records import Record
from calibration.transfer import driven_lower, ranges_of_products
from drivers import pattern_crc
from instrument.arguments import input_vectors
from instrument.board import Board

Measured = TypeVar("Measured")
SETTING_TOLERANCE = 1e-3
"""Relative difference up to which two settings are the same: a board prints them rounded."""


@dataclass(frozen=True, eq=False, repr=False)
class ProgrammedMatrix(Record):
    """Matrix that stands on the board by itself; `x @ matrix` reads every output once."""

    board: Board
    corrected: CorrectedCrossbar
    """The board, driven and read through the corrections of its converters."""
    weights: Floats
    """(rows, outputs): the matrix that was asked for."""
    programmed: Programmed
    volts_per_unit: float
    input_full_scale: float
    watch: Watch | None = None
    """Latest reading of the sentinels; None if they were never read."""
    aperture_seconds: float | None = None
    delay_seconds: float | None = None
    """Aperture and delay of programming and of every product; None for whatever the board is set
    to.
    """
    __array_ufunc__ = None
    """Makes numpy leave `x @ matrix` to this class."""

    @property
    def gain(self) -> float:
        """Ratio of what all columns read now to what they read when programmed; 1 if unwatched."""
        return self.watch.gain if self.watch else 1.0

    @property
    def gain_seconds(self) -> float:
        """Time at which the gain was measured, on the board's clock."""
        (seconds, _) = self.watch.moment if self.watch else self.programmed.transfer.middle
        return seconds

    def watched(self) -> ProgrammedMatrix:
        """Return the same matrix with the gain that sentinels show now.

        Eight readings; nothing is programmed. Raises OverloadError where no column reads what it
        did, GainError where the gain is one that no board can have.
        """
        return replace(
            self, watch=self._while_it_stands(lambda: watch(self.corrected, self.programmed))
        )

    def reprogrammed(self, progress: Progress = no_progress) -> ProgrammedMatrix:
        """Return the same matrix after its board was measured and moved pairs were selected anew.

        No branch is characterized again.
        """
        again = self._while_it_stands(
            lambda: reprogram(self.corrected, self.programmed, progress=progress)
        )
        return replace(self, programmed=again, watch=None)

    def __rmatmul__(self, x: ArrayLike) -> Floats:
        """Return x W as the board answers it: see `__matmul__`."""
        return self @ x

    def __matmul__(self, x: ArrayLike) -> Floats:
        """Return x W as the board answers it: (rows,) gives (outputs,), a batch gives a batch.

        A batch is (vectors, rows) and gives (vectors, outputs). Each output is read once for each
        vector:

            ŷ = (ΔI − ΔI₀) / (volts_per_unit · scale · gain),

        ΔI is the difference of the pair's column currents, ΔI₀ the same at zero input and the scale
        that of the output, both measured when the matrix was programmed; the gain is the one that
        sentinels showed last. Rows are driven with the codes whose calibrated output is nearest to
        the wanted voltage, and readings are corrected for the calibrated curves of their ADCs.
        Nothing is fitted to products. Each vector is read in the lowest range that holds its
        currents, as the measured transfer matrix predicts them. Lost outputs answer 0.

        Raises ValueError for wrong shapes, non-finite inputs, or inputs beyond the full scale;
        OverloadError where a column reads beyond its range.
        """
        rows, outputs = self.weights.shape
        inputs = input_vectors(x, rows, self.input_full_scale)
        volts = np.zeros((*np.atleast_2d(inputs).shape[:1], self.board.rows))
        volts[:, :rows] = np.atleast_2d(inputs) * self.volts_per_unit
        amperes = self._while_it_stands(lambda: self._read(volts))
        amperes[:, : 2 * outputs][:, np.repeat(self.programmed.lost, 2)] = 0.0
        overloaded = np.flatnonzero(np.isnan(amperes[:, : 2 * outputs]).any(axis=0))
        if len(overloaded):
            raise OverloadError(f"column {overloaded[0] + 1} overloads its range during a product")
        pairs = differences(amperes, outputs)
        scale = self.programmed.targets.scale_siemens * self.gain
        products = pairs / (self.volts_per_unit * scale)
        return products.reshape(*inputs.shape[:-1], outputs)

    def stand(self) -> None:
        """Set the matrix's pattern and settings if the board does not hold them.

        Another matrix, or a calibration, may have changed them.
        """
        board, programmed = self.board, self.programmed
        with board.lock:
            if board.held_crc != self._pattern_crc:
                board.apply(programmed.pattern)
            settings = {
                "range_amperes": programmed.range_amperes,
                "aperture_seconds": self.aperture_seconds,
                "delay_seconds": self.delay_seconds,
            }
            differing = {
                name: wanted
                for name, wanted in settings.items()
                if wanted is not None
                and not math.isclose(getattr(board, name), wanted, rel_tol=SETTING_TOLERANCE)
            }
            if differing:
                board.configure(**differing)

    def _while_it_stands(self, measure: Callable[[], Measured]) -> Measured:
        """Return what `measure` returns while the matrix stands; other threads wait.

        BoardChanged, which means that another host is at work, is left to the caller.
        """
        with self.board.lock:
            self.stand()
            return measure()

    @cached_property
    def _pattern_crc(self) -> int:
        return pattern_crc(self.programmed.pattern)

    def _read(self, volts: Floats) -> Floats:
        """Return the column currents (vectors, columns) of row voltages (vectors, rows).

        Each vector is read once, and the currents at zero input are subtracted. A vector that would
        overload the widest range is driven with half the voltages, a quarter …, and its currents
        are multiplied by as much.
        """
        transfer, ranges = self.programmed.transfer, self.programmed.ranges
        rows, outputs = self.weights.shape
        lower = driven_lower(ranges, transfer, volts[:, :rows], 2 * outputs)
        volts = volts / lower[:, None]
        which = ranges_of_products(ranges, transfer, volts[:, :rows], 2 * outputs)
        amperes = np.empty((len(volts), self.board.columns))
        for index in np.unique(which).tolist():
            if index:
                self.board.configure(range_amperes=ranges[index].range_amperes)
            read = self.corrected.column_currents(volts[which == index])
            amperes[which == index] = ranges[index].in_range_of_use(read)
        if which.any():
            self.board.configure(range_amperes=ranges[0].range_amperes)
        return np.asarray((amperes - transfer.zero_amperes) * lower[:, None])
