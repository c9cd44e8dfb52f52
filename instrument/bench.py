"""An open bench: calibrates, programs, and is closed. `instrument.opening` opens it."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np

from calibration.arrays import Floats
from calibration.branches import (
    USUAL_BITS,
    BranchCalibration,
    RowsRead,
    characterize,
    choose_settle_time,
    is_calibrated_board,
)
from calibration.converters import (
    Converters,
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
from drivers import CrossbarBoard, InstrumentError, SpentSeconds
from instrument.arguments import file_path, positive_number
from instrument.board_calibration import (
    BoardIdentity,
    Calibration,
    identity_of,
    require_valid,
    why_expired,
)
from instrument.clocks import ClockReading
from instrument.config import BenchConfig
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
from instrument.summary import as_html, as_text

Part: TypeAlias = Converters | RowsRead | BranchCalibration
"""What of a calibration is there before it is whole."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class Bench:
    """An open bench. Made by `open_bench`, usable until it is closed: at the end of `with`, by
    `close()`, or when Python ends.
    """

    board: CrossbarBoard
    config: BenchConfig
    name: str
    """What the person called it: a file, or sim:PRESET."""
    opened_at: SpentSeconds
    """Where the board's time had gone before."""
    way_out: ExitStack
    """Makes the board safe and takes down what was set up to reach it."""

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
        """Switch the outputs off, open every switch, close what was opened. May be called again.

        Raises InstrumentError where the board could not be brought into its safe state.
        """
        self.__exit__(None, None, None)

    def close_at_exit(self, process_id: int) -> None:
        """Close a bench that was left open when Python ends; not in a fork of the process that
        opened it.
        """
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
        """Which board this is."""
        return identity_of(self.board)

    @property
    def row_volts(self) -> float:
        """Row voltage of the largest input, volts."""
        return self.config.board.row_volts or measuring_volts(self.board.row_volts_limit)

    def spent_seconds(self) -> SpentSeconds:
        """Return where the board's time has gone since the bench was opened."""
        return self.board.spent_seconds().since(self.opened_at)

    def calibrate(
        self,
        progress: Progress | None = None,
        tell: Callable[[Part], None] = lambda _part: None,
    ) -> Calibration:
        """Measure the converters of the board, every branch, the gains of the ranges, the noise.

        Branches are read with apertures of whole line cycles, which no mains pickup passes,
        whatever products use. `progress` hears of converters, branches and ranges, a third each;
        `tell` is given what was measured, as it comes.
        """
        with self._at_work(), shown("calibrate", progress) as watched:
            return self._calibrate(watched, tell)

    def _calibrate(self, progress: Progress, tell: Callable[[Part], None]) -> Calibration:
        started, began = time.perf_counter(), self.board.seconds()
        moved = self.board.bytes_moved
        # A board that is read before it has settled looks as if nothing on it worked.
        settling = choose_settle_time(self.board, self.config.board.fixed_settle_seconds)
        if settling.too_short:
            _log.warning("%s", settling.in_words)
        of_all = partial(of_one_among, progress, count=3)
        dac_bits = find_dac_bits(self.board, self.board.dac_bits)
        converters = measure_converters(self.board, dac_bits=dac_bits, progress=of_all(0))
        tell(converters)
        straight = CorrectedCrossbar(self.board, converters)
        converters_done = self.board.seconds()
        aperture_seconds = self.board.aperture_seconds
        cycles = max(1, round(aperture_seconds * self.board.line_hertz))
        self.board.configure(aperture_seconds=cycles / self.board.line_hertz)
        measured = characterize(straight, progress=of_all(1), tell=tell)
        tell(measured)
        self.board.configure(aperture_seconds=aperture_seconds)
        branches_done = self.board.seconds()
        gains = measure_ranges(straight, converters.columns, measured, progress=of_all(2))
        ranges_done = self.board.seconds()
        # The noise is that of the board itself, before anything is corrected.
        settings = usual_settings(
            self.board,
            measured,
            aperture_seconds=self.board.aperture_seconds,
            delay_seconds=self.board.delay_seconds,
            line_hertz=self.board.line_hertz,
        )
        noise = survey_noise(self.board, measured, settings, self.board.adc_bits)
        measured, coefficients = with_earlier(measured, [], noise.warming)
        ended = ClockReading.now(self.board.seconds())
        return Calibration(
            board=self.identity,
            branches=measured,
            converters=converters,
            ranges=gains,
            noise=noise,
            settling=settling,
            temperature=coefficients,
            nominal_ohms=self.board.nominal_ohms,
            converter_seconds=converters_done - began + ranges_done - branches_done,
            bytes_moved=self.board.bytes_moved - moved,
            bench_seconds=ended.board_seconds - began,
            board_kelvin=self.board.temperature_kelvin(),
            wall_seconds=time.perf_counter() - started,
            made_at=ended.date,
            ended=ended,
            versions={"ohmsum": ohmsum_version(), "firmware": self.board.identity.firmware},
        )

    def require(self, calibration: Calibration) -> None:
        """Raise UsageError unless this is a calibration of this board.

        A board that tells no serial number is known by its branches, a few of which are measured.
        """
        calibration.require(self.identity)
        self._require_branches(calibration.branches, calibration.source)

    def _require_branches(self, measured: BranchCalibration, source: str) -> None:
        """Raise UsageError that begins with `source` where a board that tells no serial number has
        other branches.
        """
        if self.identity.serial or is_calibrated_board(self.board, measured):
            return
        raise UsageError(
            f"{source}: not of the board on the bench: it tells no serial number, and its branches "
            "are not those that were measured"
        )

    def why_expired(self, calibration: Calibration) -> str | None:
        """Return why a calibration no longer holds for this board, None while it does."""
        _require_calibration(calibration)
        seconds, kelvin = self.board.moment()
        return why_expired(calibration, ClockReading.now(seconds), kelvin, self.config.calibration)

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
        """Program a signed matrix (rows, outputs); multiply with `program @ x`.

        One that is larger than the board is cut into tiles, which are programmed one after another
        and take turns for products. `calibration` is measured first if none is given; its branches
        are taken for what their temperature coefficients and their age make of them by then.
        `input_full_scale` is the largest |x| that will be asked for. More `wanted_bits` than the
        usual let products wait longer for currents to settle, unless bench.toml fixes the time.
        `progress` hears of rounds; `keep` is given each tile as soon as it is programmed.

        Raises UsageError where the calibration is of another board or has expired (unless that is
        allowed), at whichever tile; MatrixError where the matrix would take too many tiles, or
        cannot be programmed.
        """
        # What cannot be programmed is refused before anything is measured, and before the first of
        # many tiles is.
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
        require_valid(calibration, ClockReading.now(seconds), kelvin, self.config.calibration)

    def load_program(self, path: str | Path) -> TiledMatrix:
        """Read a matrix that this board was programmed with, by `program.save` or in a run, and let
        it stand again: its pattern is set, and sentinels tell its gain by now.

        Raises UsageError that names the file where it is none, was altered or is of another board;
        GainError where the board no longer reads anything like what it did.
        """
        program = load_program(file_path(path), self.board)
        with self._at_work():
            self._require_branches(program.tiles[0].matrix.programmed.estimate.branches, str(path))
            return program.watched()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Keep the board to this thread; where the work fails nothing stands ready, and the outputs
        go off.
        """
        with self.board.lock:
            try:
                yield
            except BaseException:
                with suppress(InstrumentError):
                    self.board.rest()
                raise

    def _branches_now(self, calibration: Calibration) -> BranchCalibration:
        """Return the branches as they should be at the board's temperature and age of now."""
        now = KnownMoment(*self.board.moment())
        return moved_to(now, calibration.branches, calibration.temperature)


def _require_calibration(calibration: object) -> None:
    """Raise UsageError for what is no calibration."""
    if not isinstance(calibration, Calibration):
        raise UsageError(
            "a calibration is what bench.calibrate() or Calibration.load(path) returns, not a "
            f"{type(calibration).__name__}"
        )


def _targets(matrix: Floats, tile: Tile, branches: BranchCalibration) -> Targets:
    """Choose the targets of a tile, at the scale that is its own."""
    try:
        return choose_targets(matrix[tile.block], branches)
    except MatrixError as error:
        raise MatrixError(f"{tile}: {error}") from error
