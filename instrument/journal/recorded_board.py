"""A board whose exchanges a journal holds; what is kept and compared of each of its methods."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.arrays import Bools, Floats
from drivers import CrossbarBoard, Identity, SpentSeconds, scan_parts, vector_parts
from instrument.clocks import ClockReading
from instrument.journal.exchanges import (
    CLOCKS,
    SPENT,
    Gap,
    RecordedExchanges,
    array_in,
    number_in,
)
from instrument.journal.facts import BoardFacts
from instrument.journal.file import Journal, State
from instrument.journal.packed import Values


class RecordedBoard:
    """A `Board` between a run and its journal; `source` is the open board, None for a replay.

    With `begun_anew`, the source is a simulated board that was just made: all recorded exchanges
    are carried out on it as well, which brings it to where it stood, and must answer the same.
    """

    def __init__(
        self,
        journal: Journal,
        facts: BoardFacts,
        initial: State,
        source: CrossbarBoard | None,
        *,
        watchdog_seconds: float,
        begun_anew: bool = False,
    ) -> None:
        self._exchanges = RecordedExchanges(journal, initial, source, begun_anew=begun_anew)
        self._watchdog_seconds = watchdog_seconds
        # As Crossbar and Board have them.
        self.identity: Identity = facts.identity
        self.type = facts.type
        self.rows, self.columns, self.branches = facts.rows, facts.columns, facts.branches
        self.nominal_ohms = facts.nominal_ohms
        self.row_volts_limit = facts.row_volts_limit
        self.ranges_amperes = facts.ranges_amperes
        self.line_hertz = facts.line_hertz
        self.dac_bits, self.adc_bits = facts.dac_bits, facts.adc_bits

    @property
    def lock(self) -> threading.RLock:
        """Lock of the board: while a thread holds it, other threads wait for the board."""
        return self._exchanges.lock

    @property
    def range_amperes(self) -> float:
        """The range in use, A."""
        return self._exchanges.state.range_amperes

    @property
    def aperture_seconds(self) -> float:
        """The integration time in use, s."""
        return self._exchanges.state.aperture_seconds

    @property
    def delay_seconds(self) -> float:
        """The settling time in use, s."""
        return self._exchanges.state.delay_seconds

    @property
    def held_crc(self) -> int | None:
        """CRC-32 of the pattern that this host has set on the board; None if it is unknown."""
        return self._exchanges.state.pattern_crc

    @property
    def bytes_moved(self) -> int:
        """Bytes that the exchanges of the run have moved so far."""
        return self._exchanges.state.bytes_moved

    @property
    def gaps(self) -> list[Gap]:
        """Gaps of the run so far."""
        return self._exchanges.gaps

    @property
    def recovery(self) -> Mapping[str, int]:
        """Number of recoveries from faults of the wire so far, by kind."""
        return dict(self._exchanges.recovery)

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Set range, A, integration time and settling time, s; None leaves a setting as it is."""
        settings = {
            "range_amperes": _plain(range_amperes),
            "aperture_seconds": _plain(aperture_seconds),
            "delay_seconds": _plain(delay_seconds),
        }

        def perform(board: CrossbarBoard) -> Values:
            board.configure(**settings)
            return {}

        self._exchanges.exchange("configure", settings, perform)

    def apply(self, pattern: Bools) -> None:
        """Set every switch from a pattern (rows, columns, branches)."""

        def perform(board: CrossbarBoard) -> Values:
            board.apply(pattern)
            return {}

        self._exchanges.exchange("apply", {"pattern": np.asarray(pattern)}, perform)
        self._exchanges.pattern = np.array(pattern, dtype=bool)

    def column_currents(self, row_volts: ArrayLike) -> Floats:
        """Drive vectors (vectors, rows), V, in turn; return one reading of each.

        Returns (vectors, columns), A.
        """
        volts = np.asarray(row_volts, dtype=np.float64)
        amperes = np.empty((len(volts), self.columns))
        for part in vector_parts(len(volts), self.rows, self.columns, **self._timing):
            amperes[part] = self._column_currents(volts[part])
        return amperes

    def _column_currents(self, volts: Floats) -> Floats:
        answer = self._exchanges.exchange(
            "column_currents",
            {"row_volts": _as_sent(volts)},
            lambda board: {"amperes": board.column_currents(volts)},
            points=len(volts),
        )
        return array_in(answer, "amperes", (len(volts), self.columns))

    def scan(
        self,
        rows: NDArray[np.int_],
        branches: NDArray[np.int_],
        row_volts: Floats,
        readings: int = 1,
    ) -> Floats:
        """Probe points (row, branch or NO_BRANCH, V) in turn: (points, readings, columns), A."""
        rows, branches = np.asarray(rows), np.asarray(branches)
        volts = np.asarray(row_volts, dtype=np.float64)
        amperes = np.empty((len(volts), readings, self.columns))
        for part in scan_parts(len(volts), self.columns, readings=readings, **self._timing):
            amperes[part] = self._scan(rows[part], branches[part], volts[part], readings)
        return amperes

    def _scan(
        self, rows: NDArray[np.int_], branches: NDArray[np.int_], volts: Floats, readings: int
    ) -> Floats:
        answer = self._exchanges.exchange(
            "scan",
            {
                "rows": rows,
                "branches": branches,
                "row_volts": _as_sent(volts),
                "readings": int(readings),
            },
            lambda board: {"amperes": board.scan(rows, branches, volts, readings)},
            points=len(volts),
            readings=readings,
        )
        self._exchanges.pattern = np.zeros((self.rows, self.columns, self.branches), dtype=bool)
        return array_in(answer, "amperes", (len(volts), readings, self.columns))

    def moment(self) -> tuple[float, float]:
        """Return the time on the board's clock, s, and its temperature sensor's reading, K."""

        def perform(board: CrossbarBoard) -> Values:
            seconds, kelvin = board.moment()
            return {"seconds": seconds + self._exchanges.clock_offset_seconds, "kelvin": kelvin}

        answer = self._exchanges.exchange("moment", {}, perform)
        return number_in(answer, "seconds"), number_in(answer, "kelvin")

    def seconds(self) -> float:
        """Return the time on the board's own clock, s."""

        def perform(board: CrossbarBoard) -> Values:
            return {"seconds": board.seconds() + self._exchanges.clock_offset_seconds}

        return number_in(self._exchanges.exchange("seconds", {}, perform), "seconds")

    def temperature_kelvin(self) -> float:
        """Return the reading of the board's temperature sensor, K."""

        def perform(board: CrossbarBoard) -> Values:
            return {"kelvin": board.temperature_kelvin()}

        return number_in(self._exchanges.exchange("temperature_kelvin", {}, perform), "kelvin")

    def spent_seconds(self) -> SpentSeconds:
        """Return the time the board has spent since power-on, s, by purpose."""

        def perform(board: CrossbarBoard) -> Values:
            return board.spent_seconds().plus(self._exchanges.spent_offset)._asdict()

        answer = self._exchanges.exchange(SPENT, {}, perform)
        spent = SpentSeconds(*(number_in(answer, name) for name in SpentSeconds._fields))
        self._exchanges.spent = spent
        return spent

    def clocks(self, board_seconds: float) -> ClockReading:
        """Return what the host's clocks show, or showed when this was recorded."""

        def perform(_board: CrossbarBoard) -> Values:
            now = ClockReading.now(board_seconds)
            return {"date": now.date.isoformat(), "host_seconds": now.host_seconds}

        answer = self._exchanges.exchange(CLOCKS, {"board_seconds": board_seconds}, perform)
        try:
            date = datetime.fromisoformat(str(answer.get("date")))
        except ValueError as error:
            raise self._exchanges.unreadable(error) from error
        return ClockReading(date, number_in(answer, "host_seconds"), board_seconds)

    @property
    def _timing(self) -> dict[str, float]:
        return {
            "delay_seconds": self.delay_seconds,
            "aperture_seconds": self.aperture_seconds,
            "watchdog_seconds": self._watchdog_seconds,
        }

    def rest(self) -> None:
        """Stop driving the rows. Nothing that is recorded depends on it."""
        self._exchanges.rest()


def _plain(value: float | None) -> float | None:
    return None if value is None else float(value)


def _as_sent(volts: Floats) -> Floats:
    """Return voltages as binary32, which is what is sent: smaller differences reach no board."""
    return volts.astype(np.float32).astype(np.float64)
