"""The open bench, which calibrates and programs its board.

`instrument.opening` opens a bench and defines how it is closed.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from calibration.arrays import Floats
from calibration.branches import (
    USUAL_BITS,
    BranchCalibration,
    characterize,
    choose_settle_time,
    is_calibrated_board,
)
from calibration.converters import (
    CorrectedCrossbar,
    find_dac_bits,
    measure_converters,
    measure_ranges,
)
from calibration.crossbar import Progress, measuring_volts
from calibration.errors import MatrixError
from calibration.noise import survey_noise, usual_settings
from calibration.programming import Targets, Tile, check_matrix, choose_targets, tiles_to_program
from calibration.programming import program as program_pattern
from calibration.temperature import KnownMoment, moved_to, with_earlier
from drivers import InstrumentError, SpentSeconds
from instrument.arguments import file_path, positive_number
from instrument.bench_file import BenchConfig
from instrument.board import Board
from instrument.board_calibration import (
    BoardIdentity,
    Calibration,
    identity_of,
    require_valid,
    why_expired,
)
from instrument.clocks import ClockReading
from instrument.display import as_html, as_text
from instrument.errors import UsageError
from instrument.matrix import (
    ProgrammedMatrix,
    ProgrammedTile,
    TiledMatrix,
    load_program,
    of_one_among,
)
from instrument.notebook import shown
from instrument.provenance import ohmsum_version

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class Bench:
    """Open bench: a board, its configuration, and the steps that can be done with it.

    Made by `open_bench`. It stays usable until it is closed: at the end of `with`, by `close()`, or
    when Python ends.
    """

    board: Board
    config: BenchConfig
    name: str
    """Name that the bench was opened by: a file, or sim:PRESET."""
    opened_at: SpentSeconds
    """Seconds that the board had spent before this bench was opened."""
    way_out: ExitStack
    """Callbacks that make the board safe and take down what was set up to reach it."""
    clocks: Callable[[float], ClockReading] = ClockReading.now
    """Returns what all clocks show, given the board's, seconds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        atexit.unregister(self.close_at_exit)
        self.way_out.__exit__(kind, error, traceback)

    def close(self) -> None:
        """Switch the outputs off, open every switch and close all connections.

        Further calls do nothing. Raises InstrumentError where the board cannot be brought into its
        safe state.
        """
        self.__exit__(None, None, None)

    def close_at_exit(self, process_id: int) -> None:
        """Close a bench that is still open when Python ends, but not in a forked child process."""
        if os.getpid() != process_id:
            return
        try:
            self.close()
        except InstrumentError as error:
            _log.error("while closing the bench %s: %s", self.name, error)

    def __repr__(self) -> str:
        return as_text(f"Bench {self.name}", self._figures())

    def _repr_html_(self) -> str:
        return as_html(f"Bench {self.name}", self._figures())

    def _figures(self) -> dict[str, str]:
        board = self.board
        return {
            "board": f"{board.type} {board.identity.serial}",
            "rows": str(board.rows),
            "columns": f"{board.columns} ({board.columns // 2} outputs)",
            "branches a crosspoint": str(board.branches),
            "at": self.config.board.resource,
        }

    @property
    def identity(self) -> BoardIdentity:
        """Identity of the board on this bench."""
        return identity_of(self.board)

    @property
    def row_volts(self) -> float:
        """Row voltage of the largest input, volts."""
        return self.config.board.row_volts or measuring_volts(self.board.row_volts_limit)

    def spent_seconds(self) -> SpentSeconds:
        """Return how the board spent its time since the bench was opened."""
        return self.board.spent_seconds().since(self.opened_at)

    def calibrate(self, progress: Progress | None = None) -> Calibration:
        """Measure the converters, every branch, the gains of the ranges and the noise.

        Branches are read with apertures of whole line cycles, which reject mains pickup, whatever
        aperture products use. `progress` is called with (done, total) and counts converters,
        branches and ranges as one third each.
        """
        with self._at_work(), shown("calibrate", progress) as watched:
            return self._calibrate(watched)

    def _calibrate(self, progress: Progress) -> Calibration:
        began = self.clocks(self.board.seconds())
        moved = self.board.bytes_moved
        # Read before it has settled, a sound board looks defective.
        settling = choose_settle_time(self.board, self.config.board.fixed_settle_seconds)
        if settling.too_short:
            _log.warning("%s", settling.in_words)
        third = partial(of_one_among, progress, count=3)
        dac_bits = find_dac_bits(self.board, self.board.dac_bits)
        converters = measure_converters(self.board, dac_bits=dac_bits, progress=third(0))
        corrected = CorrectedCrossbar(self.board, converters)
        converters_done = self.board.seconds()
        aperture_seconds = self.board.aperture_seconds
        cycles = max(1, round(aperture_seconds * self.board.line_hertz))
        self.board.configure(aperture_seconds=cycles / self.board.line_hertz)
        branches = characterize(corrected, progress=third(1))
        self.board.configure(aperture_seconds=aperture_seconds)
        branches_done = self.board.seconds()
        gains = measure_ranges(corrected, converters.columns, branches, progress=third(2))
        ranges_done = self.board.seconds()
        # The survey reads the board without corrections: the noise is the board's own.
        settings = usual_settings(
            self.board,
            branches,
            aperture_seconds=self.board.aperture_seconds,
            delay_seconds=self.board.delay_seconds,
            line_hertz=self.board.line_hertz,
        )
        noise = survey_noise(self.board, branches, settings, self.board.adc_bits)
        branches, coefficients = with_earlier(branches, [], noise.warming)
        ended = self.clocks(self.board.seconds())
        return Calibration(
            board=self.identity,
            branches=branches,
            converters=converters,
            ranges=gains,
            noise=noise,
            settling=settling,
            temperature=coefficients,
            nominal_ohms=self.board.nominal_ohms,
            converter_seconds=converters_done - began.board_seconds + ranges_done - branches_done,
            bytes_moved=self.board.bytes_moved - moved,
            bench_seconds=ended.board_seconds - began.board_seconds,
            board_kelvin=self.board.temperature_kelvin(),
            wall_seconds=ended.host_seconds - began.host_seconds,
            made_at=ended.date,
            ended=ended,
            versions={"ohmsum": ohmsum_version(), "firmware": self.board.identity.firmware},
        )

    def require(self, calibration: Calibration) -> None:
        """Raise UsageError unless this is a calibration of this board.

        A board that tells no serial number is recognized by its branches, a few of which are
        measured.
        """
        calibration.require(self.identity)
        self._require_branches(calibration.branches, calibration.source)

    def _require_branches(self, measured: BranchCalibration, source: str) -> None:
        """Raise UsageError where a board without serial number has other branches than measured.

        The message begins with `source`.
        """
        if self.identity.serial or is_calibrated_board(self.board, measured):
            return
        raise UsageError(
            f"{source}: not of the board on the bench: it has no serial number, and its branches "
            "differ from the measured ones"
        )

    def why_expired(self, calibration: Calibration) -> str | None:
        """Return why a calibration no longer holds for this board; None while it holds."""
        _require_calibration(calibration)
        seconds, kelvin = self.board.moment()
        return why_expired(calibration, self.clocks(seconds), kelvin, self.config.calibration)

    def program(
        self,
        weights: object,
        calibration: Calibration | None = None,
        *,
        input_full_scale: float = 1.0,
        wanted_bits: float = USUAL_BITS,
        allow_expired: bool = False,
        progress: Progress | None = None,
        keep: Callable[[ProgrammedTile], None] = lambda _tile: None,
    ) -> TiledMatrix:
        """Program a signed matrix (rows, outputs) and return it; `program @ x` multiplies.

        A matrix larger than the board is cut into tiles, which are programmed one after another and
        take turns in products. Without a `calibration`, one is measured first. Its branches are
        corrected to the board's present temperature and age. `input_full_scale` is the largest |x|
        of later products. `wanted_bits` above the usual number makes products wait longer for the
        currents to settle, unless bench.toml fixes the settling time. `progress` is called with
        (done, total) rounds. `keep` receives each tile as soon as it is programmed.

        Raises UsageError where the calibration is of another board, and, unless `allow_expired`,
        where it has expired before any of the tiles. Raises MatrixError where the matrix needs too
        many tiles or cannot be programmed.
        """
        # An impossible matrix is refused before anything is measured and before the first tile is
        # programmed.
        matrix = check_matrix(weights)
        tiles = tiles_to_program(matrix, self.board.rows, self.board.columns // 2)
        input_full_scale = positive_number(input_full_scale, "input_full_scale")
        if calibration is None:
            calibration = self.calibrate()
        _require_calibration(calibration)
        self.require(calibration)
        with self._at_work(), shown("program", progress) as watched:
            self.board.rest()
            if self.config.board.fixed_settle_seconds is None:
                settle_seconds = calibration.settling.seconds_for(wanted_bits)
                self.board.configure(delay_seconds=settle_seconds)
            branches_now = self._branches_now(calibration)
            targets = [_targets(matrix, tile, branches_now) for tile in tiles]
            corrected = CorrectedCrossbar(self.board, calibration.converters, calibration.ranges)
            programmed: list[ProgrammedTile] = []
            for tile, tile_targets in zip(tiles, targets, strict=True):
                if not allow_expired:
                    self._require_valid(calibration)
                standing = self._program_tile(
                    corrected,
                    self._branches_now(calibration),
                    tile_targets,
                    matrix[tile.block],
                    input_full_scale,
                    of_one_among(watched, len(programmed), len(tiles)),
                )
                programmed.append(ProgrammedTile(tile, standing))
                keep(programmed[-1])
            program = TiledMatrix(matrix, tuple(programmed))
            return replace(program, weights=np.where(program.lost, 0.0, matrix))

    def _program_tile(
        self,
        corrected: CorrectedCrossbar,
        branches: BranchCalibration,
        targets: Targets,
        weights: Floats,
        input_full_scale: float,
        progress: Progress,
    ) -> ProgrammedMatrix:
        """Program one tile, whose weights are (rows, outputs), and return it as it stands."""
        programmed = program_pattern(corrected, branches, targets, progress=progress)
        return ProgrammedMatrix(
            board=self.board,
            corrected=corrected,
            weights=np.where(programmed.lost, 0.0, weights),
            programmed=programmed,
            volts_per_unit=self.row_volts / input_full_scale,
            input_full_scale=input_full_scale,
            aperture_seconds=self.board.aperture_seconds,
            delay_seconds=self.board.delay_seconds,
        )

    def _require_valid(self, calibration: Calibration) -> None:
        """Raise UsageError where the calibration has expired."""
        seconds, kelvin = self.board.moment()
        require_valid(calibration, self.clocks(seconds), kelvin, self.config.calibration)

    def load_program(self, path: str | Path) -> TiledMatrix:
        """Read a programmed matrix of this board from a file and set it on the board again.

        The file was written by `program.save`; or `path` is the folder of a run. The pattern is
        set, and sentinels measure its gain as it is now. Raises UsageError, which names the file,
        where the file holds no program, was altered or is of another board; GainError where the
        board reads nothing like before.
        """
        program = load_program(file_path(path), self.board)
        with self._at_work():
            self._require_branches(program.tiles[0].matrix.programmed.estimate.branches, str(path))
            return program.watched()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Hold the board for this thread; if the work fails, switch the outputs off."""
        with self.board.lock:
            try:
                yield
            except BaseException:
                with suppress(InstrumentError):
                    self.board.rest()
                raise

    def _branches_now(self, calibration: Calibration) -> BranchCalibration:
        """Return the branches as predicted for the board's present temperature and age."""
        now = KnownMoment(*self.board.moment())
        return moved_to(now, calibration.branches, calibration.temperature)


def _require_calibration(calibration: object) -> None:
    """Raise UsageError unless the value is a Calibration."""
    if not isinstance(calibration, Calibration):
        raise UsageError(
            "a calibration is what bench.calibrate() or Calibration.load(path) returns, not a "
            f"{type(calibration).__name__}"
        )


def _targets(matrix: Floats, tile: Tile, branches: BranchCalibration) -> Targets:
    """Choose the targets of a tile, at a scale of its own.

    Raises MatrixError, which names the tile, where it cannot be programmed.
    """
    try:
        return choose_targets(matrix[tile.block], branches)
    except MatrixError as error:
        raise MatrixError(f"{tile}: {error}") from error
