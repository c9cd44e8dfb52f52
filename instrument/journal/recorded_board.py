"""A board whose exchanges are kept: answered from the journal first, then by the board itself.

A run that is begun anew asks the same, in the same order, as long as it computes the same. Each
request is compared with the recorded one; only then is the recorded answer given. Behind the last
recorded exchange the board is brought to where it stood, and answers.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.arrays import Bools, Floats
from drivers import CrossbarBoard, Identity, SpentSeconds, pattern_crc, scan_parts, vector_parts
from instrument.clocks import ClockReading
from instrument.errors import UsageError
from instrument.journal.facts import BoardFacts
from instrument.journal.file import Exchange, Journal, State
from instrument.journal.packed import Values, difference, pack, same, unpack

CLOCK_TOLERANCE_SECONDS = 1.0
"""Time by which a board's clock may lag behind what was reckoned, before it counts as restarted."""
_RESUMED, _CLOCKS, _SPENT = "resumed", "clocks", "spent_seconds"
_HOST_ALONE = _CLOCKS, _SPENT
"""Exchanges whose answers depend on the host's time or talk, and differ each time."""
_log = logging.getLogger(__name__)


class RunDiffers(UsageError):
    """The run asks the board for something else than it did when it was recorded."""


class RecordingEnds(UsageError):
    """A run that is replayed asks for more than was recorded: it was cut short."""


@dataclass(frozen=True)
class Gap:
    """The time between the last recorded exchange and the first after a run was resumed."""

    exchange: int
    """Number of exchanges before it."""
    host_seconds: float
    """Time that passed on the host, s."""
    board_seconds: float
    """Time that passed on the board's clock, s; the host's where the board was restarted."""
    kelvin: float | None
    """Change of the board's temperature, K; None where it was not read before."""
    restarted: bool
    """Whether the board's clock had begun anew."""
    clock_offset_seconds: float
    """Time that is added to the board's clock from now on, s."""
    spent_offset: SpentSeconds
    """Time that is added to what the board says it has spent, s."""

    def document(self) -> dict[str, Any]:
        """Return the gap as results state it."""
        return {
            "exchange": self.exchange,
            "host_seconds": self.host_seconds,
            "board_seconds": self.board_seconds,
            "kelvin": self.kelvin,
            "restarted": self.restarted,
        }


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
        self.facts = facts
        self.gaps: list[Gap] = []
        """Gaps of the run so far."""
        self._journal = journal
        self._source = source
        self._begun_anew = begun_anew and source is not None
        self._state = initial
        self._watchdog_seconds = watchdog_seconds
        self._pattern: Bools | None = None
        self._host_time: float | None = None
        self._spent = SpentSeconds(0.0, 0.0, 0.0)
        self._recovery: Counter[str] = Counter()
        self._clock_offset_seconds = 0.0
        self._spent_offset = SpentSeconds(0.0, 0.0, 0.0)
        self._is_live = False
        self._moved_before = 0
        self._lock = threading.RLock() if source is None else source.lock
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
        return self._lock

    @property
    def range_amperes(self) -> float:
        """The range in use, A."""
        return self._state.range_amperes

    @property
    def aperture_seconds(self) -> float:
        """The integration time in use, s."""
        return self._state.aperture_seconds

    @property
    def delay_seconds(self) -> float:
        """The settling time in use, s."""
        return self._state.delay_seconds

    @property
    def held_crc(self) -> int | None:
        """CRC-32 of the pattern that this host has set on the board; None if it is unknown."""
        return self._state.pattern_crc

    @property
    def bytes_moved(self) -> int:
        """Bytes that the exchanges of the run have moved so far."""
        return self._state.bytes_moved

    @property
    def recovery(self) -> Mapping[str, int]:
        """Number of recoveries from faults of the wire so far, by kind."""
        return dict(self._recovery)

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

        self._exchange("configure", settings, perform)

    def apply(self, pattern: Bools) -> None:
        """Set every switch from a pattern (rows, columns, branches)."""

        def perform(board: CrossbarBoard) -> Values:
            board.apply(pattern)
            return {}

        self._exchange("apply", {"pattern": np.asarray(pattern)}, perform)
        self._pattern = np.array(pattern, dtype=bool)

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
        answer = self._exchange(
            "column_currents",
            {"row_volts": _as_sent(volts)},
            lambda board: {"amperes": board.column_currents(volts)},
            points=len(volts),
        )
        return _array(answer, "amperes", (len(volts), self.columns))

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
        answer = self._exchange(
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
        self._pattern = np.zeros((self.rows, self.columns, self.branches), dtype=bool)
        return _array(answer, "amperes", (len(volts), readings, self.columns))

    def moment(self) -> tuple[float, float]:
        """Return the time on the board's clock, s, and its temperature sensor's reading, K."""

        def perform(board: CrossbarBoard) -> Values:
            seconds, kelvin = board.moment()
            return {"seconds": seconds + self._clock_offset_seconds, "kelvin": kelvin}

        answer = self._exchange("moment", {}, perform)
        return _number(answer, "seconds"), _number(answer, "kelvin")

    def seconds(self) -> float:
        """Return the time on the board's own clock, s."""

        def perform(board: CrossbarBoard) -> Values:
            return {"seconds": board.seconds() + self._clock_offset_seconds}

        return _number(self._exchange("seconds", {}, perform), "seconds")

    def temperature_kelvin(self) -> float:
        """Return the reading of the board's temperature sensor, K."""

        def perform(board: CrossbarBoard) -> Values:
            return {"kelvin": board.temperature_kelvin()}

        return _number(self._exchange("temperature_kelvin", {}, perform), "kelvin")

    def spent_seconds(self) -> SpentSeconds:
        """Return the time the board has spent since power-on, s, by purpose."""

        def perform(board: CrossbarBoard) -> Values:
            return board.spent_seconds().plus(self._spent_offset)._asdict()

        answer = self._exchange(_SPENT, {}, perform)
        self._spent = SpentSeconds(*(_number(answer, name) for name in SpentSeconds._fields))
        return self._spent

    def clocks(self, board_seconds: float) -> ClockReading:
        """Return what the host's clocks show, or showed when this was recorded."""

        def perform(_board: CrossbarBoard) -> Values:
            now = ClockReading.now(board_seconds)
            return {"date": now.date.isoformat(), "host_seconds": now.host_seconds}

        answer = self._exchange(_CLOCKS, {"board_seconds": board_seconds}, perform)
        try:
            date = datetime.fromisoformat(str(answer.get("date")))
        except ValueError as error:
            raise self._unreadable(error) from error
        return ClockReading(date, _number(answer, "host_seconds"), board_seconds)

    @property
    def _timing(self) -> dict[str, float]:
        return {
            "delay_seconds": self.delay_seconds,
            "aperture_seconds": self.aperture_seconds,
            "watchdog_seconds": self._watchdog_seconds,
        }

    def rest(self) -> None:
        """Stop driving the rows. Nothing that is recorded depends on it."""
        if self._source is not None and (self._is_live or self._begun_anew):
            self._source.rest()

    def _exchange(
        self,
        kind: str,
        values: Values,
        perform: Callable[[CrossbarBoard], Values],
        *,
        points: int = 0,
        readings: int = 1,
    ) -> Values:
        """Answer from the journal, or let the board answer and keep that.

        `points` is the number of times that the board waits and measures, `readings` of each.
        """
        with self._lock:
            request = pack(values)
            recorded = self._next_recorded()
            if recorded is not None:
                answer = self._recorded_answer(recorded, kind, request, perform)
            else:
                answer = self._live_answer(kind, request, perform, points, readings)
            settling = points * self.delay_seconds
            integrating = points * readings * self.aperture_seconds
            self._spent = self._spent.plus(SpentSeconds(settling, integrating, 0.0))
            return answer

    def _next_recorded(self) -> Exchange | None:
        while (recorded := self._journal.next()) is not None:
            self._host_time = recorded.host_time
            if recorded.kind != _RESUMED:
                return recorded
            gap = self._gap_of(self._unpacked(recorded.answer))
            self.gaps.append(gap)
            self._clock_offset_seconds = gap.clock_offset_seconds
            self._spent_offset = gap.spent_offset
        return None

    def _recorded_answer(
        self,
        recorded: Exchange,
        kind: str,
        request: bytes,
        perform: Callable[[CrossbarBoard], Values],
    ) -> Values:
        number = self._journal.position
        if recorded.kind != kind or recorded.request != request:
            now, then = unpack(request), self._unpacked(recorded.request)
            if recorded.kind != kind or not same(now, then):
                raise RunDiffers(
                    f"{self._journal.path}: exchange {number} of {self._journal.count} differs: "
                    + _words(recorded.kind, kind, now, then)
                )
        answer = self._unpacked(recorded.answer)
        if self._begun_anew and self._source is not None:
            again = unpack(pack(perform(self._source)))
            if kind not in _HOST_ALONE and not same(again, answer):
                raise RunDiffers(
                    f"{self._journal.path}: the simulated board answers exchange {number} of "
                    f"{self._journal.count} ({kind}) otherwise: " + difference(again, answer)
                )
        self._state = recorded.state
        try:
            self._recovery.update(json.loads(recorded.recovery))
        except (ValueError, TypeError) as error:
            raise self._unreadable(error) from error
        return answer

    def _live_answer(
        self,
        kind: str,
        request: bytes,
        perform: Callable[[CrossbarBoard], Values],
        points: int,
        readings: int,
    ) -> Values:
        if self._source is None:
            raise RecordingEnds(
                f"{self._journal.path}: the recording ends behind exchange {self._journal.count}, "
                f"and the run asks for more ({kind}): it was cut short there"
            )
        if not self._is_live:
            self._go_live(self._source)
        began, recovered = time.monotonic(), Counter(self._source.recovery)
        # What crossed the wire and what is kept must be the same numbers.
        answer = unpack(packed := pack(perform(self._source), deflated=False))
        self._note(answer, points * (self.delay_seconds + readings * self.aperture_seconds))
        self._host_time = time.time()
        recovery = Counter(self._source.recovery) - recovered
        self._recovery.update(recovery)
        self._journal.add(
            Exchange(
                kind,
                request,
                packed,
                self._host_time,
                time.monotonic() - began,
                self._state,
                json.dumps(recovery),
            )
        )
        return answer

    def _note(self, answer: Values, measuring_seconds: float) -> None:
        """Note how the board stands after an exchange."""
        source, state = self._source, self._state
        assert source is not None
        seconds, kelvin = answer.get("seconds"), answer.get("kelvin")
        self._state = State(
            range_amperes=source.range_amperes,
            aperture_seconds=source.aperture_seconds,
            delay_seconds=source.delay_seconds,
            pattern_crc=source.held_crc,
            bytes_moved=self._moved_before + source.bytes_moved,
            board_seconds=state.board_seconds + measuring_seconds
            if seconds is None
            else _number(answer, "seconds"),
            board_kelvin=state.board_kelvin if kelvin is None else _number(answer, "kelvin"),
        )

    def _go_live(self, source: CrossbarBoard) -> None:
        """Bring the board to where the recording ends, and note the gap."""
        self._is_live = True
        if self._journal.position and not self._begun_anew:
            self._restore(source)
            gap = self._measured_gap(source)
            self.gaps.append(gap)
            self._clock_offset_seconds = gap.clock_offset_seconds
            self._spent_offset = gap.spent_offset
            _log.info("gone on behind exchange %d: %s", gap.exchange, gap)
            document = {**vars(gap), "spent_offset": np.array(gap.spent_offset)}
            self._host_time = time.time()
            self._journal.add(
                Exchange(_RESUMED, pack({}), pack(document), self._host_time, 0.0, self._state)
            )
        # What it took to get here is no part of the run.
        self._moved_before = self._state.bytes_moved - source.bytes_moved

    def _restore(self, source: CrossbarBoard) -> None:
        state = self._state
        source.configure(
            range_amperes=state.range_amperes,
            aperture_seconds=state.aperture_seconds,
            delay_seconds=state.delay_seconds,
        )
        if self._pattern is not None and source.held_crc != pattern_crc(self._pattern):
            source.apply(self._pattern)

    def _measured_gap(self, source: CrossbarBoard) -> Gap:
        seconds, kelvin = source.moment()
        host_seconds = 0.0 if self._host_time is None else max(0.0, time.time() - self._host_time)
        was_seconds, was_kelvin = self._state.board_seconds, self._state.board_kelvin
        offset, spent_offset = self._clock_offset_seconds, self._spent_offset
        restarted = seconds + offset < was_seconds - CLOCK_TOLERANCE_SECONDS
        if restarted:
            offset = was_seconds + host_seconds - seconds
            spent_offset = self._spent.since(source.spent_seconds())
        return Gap(
            exchange=self._journal.position,
            host_seconds=host_seconds,
            board_seconds=seconds + offset - was_seconds,
            kelvin=None if was_kelvin is None else kelvin - was_kelvin,
            restarted=restarted,
            clock_offset_seconds=offset,
            spent_offset=spent_offset,
        )

    def _gap_of(self, answer: Values) -> Gap:
        kelvin = answer.get("kelvin")
        return Gap(
            exchange=int(_number(answer, "exchange")),
            host_seconds=_number(answer, "host_seconds"),
            board_seconds=_number(answer, "board_seconds"),
            kelvin=None if kelvin is None else _number(answer, "kelvin"),
            restarted=answer.get("restarted") is True,
            clock_offset_seconds=_number(answer, "clock_offset_seconds"),
            spent_offset=SpentSeconds(*_array(answer, "spent_offset", (3,)).tolist()),
        )

    def _unpacked(self, data: bytes) -> Values:
        try:
            return unpack(data)
        except ValueError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> UsageError:
        return UsageError(
            f"{self._journal.path}: damaged: exchange {self._journal.position} cannot be read "
            f"({error})"
        )


def _words(recorded_kind: str, kind: str, now: Values, then: Values) -> str:
    if recorded_kind != kind:
        return f"the run asks for {kind} where {recorded_kind} is recorded"
    return f"{kind}: {difference(now, then)}"


def _plain(value: float | None) -> float | None:
    return None if value is None else float(value)


def _as_sent(volts: Floats) -> Floats:
    """Return voltages as binary32, which is what is sent: smaller differences reach no board."""
    return volts.astype(np.float32).astype(np.float64)


def _array(answer: Values, name: str, shape: tuple[int, ...]) -> Floats:
    value = answer.get(name)
    if not isinstance(value, np.ndarray) or value.dtype != np.float64 or value.shape != shape:
        raise UsageError(f"the journal is damaged: no {name} of the shape {shape}")
    return value.astype(np.float64)


def _number(answer: Values, name: str) -> float:
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"the journal is damaged: no number of {name}")
    return float(value)
