"""Exchanges with a board: answered from the journal first, then by the board itself.

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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.arrays import Bools, Floats
from drivers import CrossbarBoard, SpentSeconds, pattern_crc
from instrument.errors import UsageError
from instrument.journal.file import Exchange, Journal, State
from instrument.journal.packed import Values, difference, pack, same, unpack

CLOCK_TOLERANCE_SECONDS = 1.0
"""Time by which a board's clock may lag behind what was reckoned, before it counts as restarted."""
CLOCKS, SPENT = "clocks", "spent_seconds"
_HOST_ALONE = CLOCKS, SPENT
"""Kinds whose answers depend on the host's time or talk, and differ each time."""
_RESUMED = "resumed"
_NO_TIME = SpentSeconds(0.0, 0.0, 0.0)
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


class RecordedExchanges:
    """The exchanges of a run with a board; `source` is the open board, None for a replay.

    With `begun_anew`, the source is a simulated board that was just made: all recorded exchanges
    are carried out on it as well, which brings it to where it stood, and must answer the same.
    """

    def __init__(
        self, journal: Journal, initial: State, source: CrossbarBoard | None, *, begun_anew: bool
    ) -> None:
        self.lock = threading.RLock() if source is None else source.lock
        """Held by one exchange at a time; that of the board, where there is one."""
        self.state = initial
        """The board as it stands."""
        self.gaps: list[Gap] = []
        """Gaps of the run so far."""
        self.recovery: Counter[str] = Counter()
        """Recoveries from faults of the wire so far, by kind."""
        self.pattern: Bools | None = None
        """The pattern (rows, columns, branches) that was set last; None if none was."""
        self.spent = _NO_TIME
        """What the board had spent when it was asked last, and has measured since, s."""
        self.clock_offset_seconds = 0.0
        self.spent_offset = _NO_TIME
        self._journal = journal
        self._source = source
        self._begun_anew = begun_anew and source is not None
        self._host_time: float | None = None
        self._is_live = False
        self._moved_before = 0

    def rest(self) -> None:
        """Stop driving the rows. Nothing that is recorded depends on it."""
        with self.lock:
            if self._source is not None and (self._is_live or self._begun_anew):
                self._source.rest()

    def exchange(
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
        request = pack(values)
        with self.lock:
            settling = points * self.state.delay_seconds
            integrating = points * readings * self.state.aperture_seconds
            recorded = self._next_recorded()
            if recorded is not None:
                answer = self._recorded_answer(recorded, kind, request, perform)
            else:
                answer = self._live_answer(kind, request, perform, settling + integrating)
            self.spent = self.spent.plus(SpentSeconds(settling, integrating, 0.0))
            return answer

    def _next_recorded(self) -> Exchange | None:
        while (recorded := self._journal.next()) is not None:
            self._host_time = recorded.host_time
            if recorded.kind != _RESUMED:
                return recorded
            gap = self._gap_of(self._unpacked(recorded.answer))
            self.gaps.append(gap)
            self.clock_offset_seconds = gap.clock_offset_seconds
            self.spent_offset = gap.spent_offset
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
        self.state = recorded.state
        try:
            self.recovery.update(json.loads(recorded.recovery))
        except (ValueError, TypeError) as error:
            raise self.unreadable(error) from error
        return answer

    def _live_answer(
        self,
        kind: str,
        request: bytes,
        perform: Callable[[CrossbarBoard], Values],
        measuring_seconds: float,
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
        self.state = self._state_after(self._source, answer, measuring_seconds)
        self._host_time = time.time()
        recovery = Counter(self._source.recovery) - recovered
        self.recovery.update(recovery)
        self._journal.add(
            Exchange(
                kind,
                request,
                packed,
                self._host_time,
                time.monotonic() - began,
                self.state,
                json.dumps(recovery),
            )
        )
        return answer

    def _state_after(
        self, source: CrossbarBoard, answer: Values, measuring_seconds: float
    ) -> State:
        """Return how the board stands after an exchange."""
        before = self.state
        return State(
            range_amperes=source.range_amperes,
            aperture_seconds=source.aperture_seconds,
            delay_seconds=source.delay_seconds,
            pattern_crc=source.held_crc,
            bytes_moved=self._moved_before + source.bytes_moved,
            board_seconds=number_in(answer, "seconds")
            if "seconds" in answer
            else before.board_seconds + measuring_seconds,
            board_kelvin=number_in(answer, "kelvin") if "kelvin" in answer else before.board_kelvin,
        )

    def _go_live(self, source: CrossbarBoard) -> None:
        """Bring the board to where the recording ends, and note the gap."""
        self._is_live = True
        if self._journal.position and not self._begun_anew:
            self._restore(source)
            gap = self._measured_gap(source)
            self.gaps.append(gap)
            self.clock_offset_seconds = gap.clock_offset_seconds
            self.spent_offset = gap.spent_offset
            _log.info("gone on behind exchange %d: %s", gap.exchange, gap)
            document = {**vars(gap), "spent_offset": np.array(gap.spent_offset)}
            self._host_time = time.time()
            self._journal.add(
                Exchange(_RESUMED, pack({}), pack(document), self._host_time, 0.0, self.state)
            )
        # What it took to get here is no part of the run.
        self._moved_before = self.state.bytes_moved - source.bytes_moved

    def _restore(self, source: CrossbarBoard) -> None:
        state = self.state
        source.configure(
            range_amperes=state.range_amperes,
            aperture_seconds=state.aperture_seconds,
            delay_seconds=state.delay_seconds,
        )
        if self.pattern is not None and source.held_crc != pattern_crc(self.pattern):
            source.apply(self.pattern)

    def _measured_gap(self, source: CrossbarBoard) -> Gap:
        seconds, kelvin = source.moment()
        host_seconds = 0.0 if self._host_time is None else max(0.0, time.time() - self._host_time)
        was_seconds, was_kelvin = self.state.board_seconds, self.state.board_kelvin
        offset, spent_offset = self.clock_offset_seconds, self.spent_offset
        restarted = seconds + offset < was_seconds - CLOCK_TOLERANCE_SECONDS
        if restarted:
            offset = was_seconds + host_seconds - seconds
            spent_offset = self.spent.since(source.spent_seconds())
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
            exchange=int(number_in(answer, "exchange")),
            host_seconds=number_in(answer, "host_seconds"),
            board_seconds=number_in(answer, "board_seconds"),
            kelvin=None if kelvin is None else number_in(answer, "kelvin"),
            restarted=answer.get("restarted") is True,
            clock_offset_seconds=number_in(answer, "clock_offset_seconds"),
            spent_offset=SpentSeconds(*array_in(answer, "spent_offset", (3,)).tolist()),
        )

    def _unpacked(self, data: bytes) -> Values:
        try:
            return unpack(data)
        except ValueError as error:
            raise self.unreadable(error) from error

    def unreadable(self, error: Exception) -> UsageError:
        """Return the error for an exchange of a journal that is damaged."""
        return UsageError(
            f"{self._journal.path}: damaged: exchange {self._journal.position} cannot be read "
            f"({error})"
        )


def _words(recorded_kind: str, kind: str, now: Values, then: Values) -> str:
    if recorded_kind != kind:
        return f"the run asks for {kind} where {recorded_kind} is recorded"
    return f"{kind}: {difference(now, then)}"


def array_in(answer: Values, name: str, shape: tuple[int, ...]) -> Floats:
    """Return an array of this shape in an answer. Raises UsageError where there is none."""
    value = answer.get(name)
    if not isinstance(value, np.ndarray) or value.dtype != np.float64 or value.shape != shape:
        raise UsageError(f"the journal is damaged: no {name} of the shape {shape}")
    return value.astype(np.float64)


def number_in(answer: Values, name: str) -> float:
    """Return a number in an answer. Raises UsageError where there is none."""
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"the journal is damaged: no number of {name}")
    return float(value)
