"""The driver of the crossbar test board, which speaks docs/board-protocol.md.

Rows, columns and branches count from 0 here, from 1 on the wire and in messages. A reading beyond
the range of its amplifier is NaN in every array.
"""

import math
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers import scpi
from drivers.arguments import finite, whole, within_limit
from drivers.board_description import read_description
from drivers.board_memory import Settings
from drivers.board_settings import Asked, configure, settings_in
from drivers.board_state import BoardState
from drivers.board_time import SpentSeconds
from drivers.errors import PowerCycled, WatchdogExpired
from drivers.exchange_sizes import POINT, allowed_seconds, scan_parts, vector_parts
from drivers.host_session import HostSession
from drivers.link import Link, Trace
from drivers.patterns import pack_pattern, pattern_crc, unpack_pattern
from drivers.recognition import recognized, recognizer, type_of
from drivers.recovery import Kind

_MAX_WATCHDOG_SECONDS = 3600
_MAX_READINGS = 10_000
_OVERLOAD_AMPERES = np.float32(9.9e37)
# The converter ends at 1.05 ranges; binary32 may round that up.
_MAX_READING_RANGES = 1.05 * (1 + 1e-6)
_DELAY_AFTER_POWER_ON_SECONDS = 1e-3


class CrossbarBoard:
    """A crossbar board on a link.

    Read once, when the board is opened: `identity`, `type` (for instance "64x16"), `protocol`, and
    the fields of BoardDescription: `rows`, `columns`, `branches`, `nominal_ohms` (branches,),
    `row_volts_limit`, `ranges_amperes` (ranges,) ascending, `line_hertz`, `dac_bits`, `adc_bits`.
    Read back after every change: `range_amperes`, `aperture_seconds`, `delay_seconds`.

    While the board is open its watchdog is armed and a thread keeps it fed. The first measurement
    that needs the outputs switches them on; `rest` switches them off. Every measurement asks back
    the settings that it depends on, in its own message.

    A fault of the wire, a failure of the board's power and an expired watchdog end nothing: the
    board is brought back to what this host had set, and the exchange is repeated (`recovery`
    counts). Only where that is in vain, every method raises LinkTimeout, LinkLost, LinkGarbled,
    PowerCycled or WatchdogExpired. Every method raises CommandRefused where the board refuses,
    BoardChanged, InterlockOpen or WrongInstrument where the board is not as this host set it or not
    the same, and ValueError for a bad argument, before anything is sent.
    """

    def __init__(
        self,
        link: Link,
        identity: scpi.Identity,
        watchdog_seconds: float,
        *,
        retries: int,
        reconnect_seconds: float,
    ) -> None:
        """Read the board's description; CrossbarBoard.open checks first that a board answers."""
        self._link = link
        self._session = HostSession(
            link, watchdog_seconds, retries=retries, reconnect_seconds=reconnect_seconds
        )
        self._run = self._session.recovery.run
        self._memory = self._session.memory
        self._closed = False
        self.identity = identity
        self.type = type_of(identity)
        self.protocol = self._session.protocol
        description = self._run(":SYST:BOAR:SHAP?", lambda _: read_description(self._session))
        self.dac_bits, self.adc_bits = description.dac_bits, description.adc_bits
        self.rows, self.columns = description.rows, description.columns
        self.branches = description.branches
        self.nominal_ohms = description.nominal_ohms
        self.row_volts_limit = description.row_volts_limit
        self.ranges_amperes = description.ranges_amperes
        self.line_hertz = description.line_hertz
        self._memory.power_on = Settings(
            float(self.ranges_amperes[-1]), 1 / self.line_hertz, _DELAY_AFTER_POWER_ON_SECONDS
        )
        self._memory.settings = self._run(
            ":CURR:RANG?",
            lambda _: settings_in(link, self._session.settings_texts(), self.ranges_amperes),
        )
        self._all_open = pack_pattern(np.zeros(self._shape, np.bool_))

    @classmethod
    def open(
        cls,
        resource: str,
        *,
        timeout_seconds: float = 5.0,
        watchdog_seconds: float = 60.0,
        retries: int = 3,
        reconnect_seconds: float = 30.0,
        take_over: bool = False,
        left_on: bool = False,
        trace: Trace | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Self:
        """Open the board behind a VISA resource, arm its watchdog and keep it fed.

        `timeout_seconds` is the time the board has for an answer, beyond the board time of what it
        is asked. `watchdog_seconds`, more than 0 and at most 3600, is the silence of this host
        after which the board opens everything. An exchange that a fault of the wire, of the power
        or of the watchdog has ended is repeated up to `retries` times, and the board is sought for
        `reconnect_seconds` after each fault; with 0 retries the first fault is raised. `check` is
        called before every exchange that does not feed the watchdog, and during a recovery; an
        exception that it raises ends both.

        With `left_on`, outputs that are on do not mean another host, but an earlier process of this
        one that has died. Raises LinkLost where nobody answers, BoardInUse where another host works
        with the board, which is left as it is; `take_over` switches its outputs off instead. Raises
        WrongInstrument where another instrument answers *IDN?, and ValueError for a watchdog,
        retries or seconds beyond their limits.
        """
        if not 0 < watchdog_seconds <= _MAX_WATCHDOG_SECONDS:
            raise ValueError(f"a watchdog takes up to 3600 s, more than 0, not {watchdog_seconds}")
        if not (retries >= 0 and 0 <= reconnect_seconds < math.inf):
            raise ValueError(
                f"{retries} retries within {reconnect_seconds} s: neither can be below 0"
            )
        link = Link(resource, timeout_seconds=timeout_seconds, trace=trace, check=check)
        try:
            identity = recognized(link, retries)
            link.recognize = recognizer(link, identity)
            board = cls(
                link,
                identity,
                watchdog_seconds,
                retries=retries,
                reconnect_seconds=reconnect_seconds,
            )
            board._session.claim(take_over=take_over, left_on=left_on)
            return board
        except BaseException:
            link.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def lock(self) -> "threading.RLock":
        """The lock of the link: while a thread holds it, other threads wait for the board."""
        return self._link.lock

    @property
    def timeout_seconds(self) -> float:
        """Time the board has for an answer, s, beyond the board time of what it is asked."""
        return self._link.timeout_seconds

    @timeout_seconds.setter
    def timeout_seconds(self, seconds: float) -> None:
        self._link.timeout_seconds = seconds

    @property
    def held_crc(self) -> int | None:
        """CRC-32 of the pattern that this host has set on the board; None if it is unknown."""
        return self._memory.held_crc

    @property
    def range_amperes(self) -> float:
        """The range in force, A."""
        return self._memory.settings.range_amperes

    @property
    def aperture_seconds(self) -> float:
        """The integration time in force, s."""
        return self._memory.settings.aperture_seconds

    @property
    def delay_seconds(self) -> float:
        """The settling delay in force, s."""
        return self._memory.settings.delay_seconds

    @property
    def recovery(self) -> Mapping[str, int]:
        """Number of recoveries since the board was opened, by kind.

        Kinds: timeout, lost, garbled, power_on, watchdog; one that did not occur is not there.
        """
        return dict(sorted(self._session.recovery.counts.items()))

    @property
    def bytes_moved(self) -> int:
        """Bytes sent and received so far, without those that fed the watchdog."""
        return self._link.bytes_sent + self._link.bytes_received

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Set the amplifiers' range, the aperture and the settling delay; read back all three.

        The board takes the smallest range that is not below `range_amperes`. A setting of None
        stays as it is. Raises SettingDiffers where the board then holds another value.
        """
        asked = Asked(range_amperes, aperture_seconds, delay_seconds)
        units = asked.units()
        self._run(
            units[0] if units else ":CURR:RANG?",
            lambda kind: configure(
                self._session, self.ranges_amperes, asked, unless_set=kind is not None
            ),
        )

    def rest(self) -> None:
        """Switch the outputs off while the host computes, if they are on.

        Switches and settings stay. The next measurement switches the outputs on again.
        """
        self._run(":OUTP OFF", lambda _: self._session.rest())

    def apply(self, pattern: NDArray[np.bool_]) -> None:
        """Set all switches from a pattern (rows, columns, branches), bool; True closes a switch.

        The CRC-32 of the pattern block is sent with it and asked back. Raises InstrumentError where
        the board then holds another pattern.
        """
        pattern = np.asarray(pattern)
        if pattern.dtype != np.bool_ or pattern.shape != self._shape:
            raise ValueError(
                f"a pattern is bool, {self._shape}; this one is {pattern.dtype}, {pattern.shape}"
            )
        block, crc = pack_pattern(pattern), pattern_crc(pattern)

        def set_it(kind: Kind | None) -> None:
            self._session.hold()
            self._session.set_pattern(block, crc, unless_held=kind is not None)

        self._run(":ROUT:PATT", set_it)

    def pattern(self) -> NDArray[np.bool_]:
        """Read back all switches: bool, (rows, columns, branches), True where one is closed.

        The pattern block is checked against the CRC-32 that the board computes of it.
        """
        return self._run(":ROUT:PATT?", lambda _: self._read_pattern())

    def _read_pattern(self) -> NDArray[np.bool_]:
        answers = self._session.ask(
            b":ROUT:PATT?;:ROUT:PATT:CRC?",
            timeout_seconds=self._allow(0.0, math.prod(self._shape) // 8),
        )
        if len(answers) != 2 or not isinstance(answers[0], bytes):
            raise self._link.garbled("no block in answer to :ROUT:PATT?")
        try:
            pattern = unpack_pattern(answers[0], self._shape)
        except ValueError as error:
            raise self._link.garbled(str(error)) from error
        if scpi.integer(self._link, answers[1]) != pattern_crc(pattern):
            raise self._link.garbled("a pattern that does not have its CRC")
        return pattern

    def column_currents(self, row_volts: ArrayLike) -> NDArray[np.float64]:
        """Multiply: for each vector set the rows, wait the delay, read all columns once.

        `row_volts` is (vectors, rows), V. Returns (vectors, columns), A, NaN where a reading
        overloaded. Afterwards the rows are at 0 V.
        """
        volts = finite("row_volts", row_volts, 2)
        if volts.shape[1] != self.rows:
            raise ValueError(f"row_volts has {volts.shape[1]} rows, the board has {self.rows}")
        data = within_limit(volts, np.arange(self.rows), self.row_volts_limit)
        amperes = np.empty((len(data), self.columns))
        with self._link.lock:
            for part in vector_parts(len(data), self.rows, self.columns, **self._timing):
                multiply = partial(self._multiply, data[part].tobytes(), part.stop - part.start)
                amperes[part] = self._run(":MEAS:MVM?", multiply)
        return amperes

    def _multiply(self, volts: bytes, vectors: int, kind: Kind | None) -> NDArray[np.float64]:
        self._session.hold()
        if self.held_crc is None:
            # A pattern that this host has not set cannot be set again.
            if kind == "power_on":
                raise PowerCycled(self._link.resource)
            if kind == "watchdog":
                raise WatchdogExpired(self._link.resource, self._session.watchdog_seconds)
        vector_bytes = 4 * (self.rows + self.columns)
        vector_seconds = self.delay_seconds + self.aperture_seconds
        return self._measure(
            b":MEAS:MVM? " + scpi.encode_block(volts),
            vectors,
            vectors,
            self._allow(vectors * vector_seconds, vectors * vector_bytes),
            BoardState(pattern_crc=self.held_crc),
        )

    def scan(
        self, rows: ArrayLike, branches: ArrayLike, row_volts: ArrayLike, readings: int = 1
    ) -> NDArray[np.float64]:
        """Probe one branch of one row in every column, point by point.

        `rows` and `branches` are (points,), whole numbers from 0; branch -1 closes none.
        `row_volts` is (points,), V, on the point's row; the other rows are at 0 V. `readings`, 1 to
        10,000, are taken of each point. Returns (points, readings, columns), A, NaN where a reading
        overloaded. Afterwards all switches are open and the rows at 0 V.
        """
        volts = finite("row_volts", row_volts, 1)
        rows = whole("rows", rows, len(volts), 0, self.rows)
        branches = whole("branches", branches, len(volts), -1, self.branches)
        if not 1 <= readings <= _MAX_READINGS:
            raise ValueError(f"a point takes 1 to 10000 readings, not {readings}")
        points = np.empty(len(volts), POINT)
        points["row"], points["branch"] = rows + 1, branches + 1
        points["volts"] = within_limit(volts, rows, self.row_volts_limit)

        amperes = np.empty((len(points), readings, self.columns))
        with self._link.lock:
            for part in scan_parts(len(points), self.columns, readings=readings, **self._timing):
                read = self._run(":MEAS:SCAN?", partial(self._scan, points[part], readings))
                amperes[part] = read.reshape(-1, readings, self.columns)
        return amperes

    def _scan(
        self, points: NDArray[np.void], readings: int, _kind: Kind | None
    ) -> NDArray[np.float64]:
        count = len(points)
        point_bytes = POINT.itemsize + 4 * readings * self.columns
        point_seconds = self.delay_seconds + readings * self.aperture_seconds
        self._memory.hold_pattern(None)
        # In one message: no other host can store its own points in between.
        read = self._measure(
            b":ROUT:SCAN %s;:MEAS:SCAN? %d" % (scpi.encode_block(points.tobytes()), readings),
            count,
            count * readings,
            self._allow(count * point_seconds, count * point_bytes),
            BoardState(scan_points=count),
        )
        self._memory.hold_pattern(self._all_open)
        return read

    def seconds(self) -> float:
        """Return the time on the board's own clock, s.

        Over failures of the board's power it goes on by the host's clock.
        """
        return self._run(":SYST:TIME?", lambda _: self._read_seconds())

    def spent_seconds(self) -> SpentSeconds:
        """Return the time the board has spent since power-on, s, by purpose.

        Over failures of the board's power it goes on; talk that was not asked for before is lost.
        """
        return self._run(":SYST:TIME:SETT?", lambda _: self._read_spent_seconds())

    def temperature_kelvin(self) -> float:
        """Return the reading of the board's temperature sensor, K."""
        return self._run(":SYST:TEMP?", lambda _: self._read_number(":SYST:TEMP?"))

    def moment(self) -> tuple[float, float]:
        """Return the time on the board's clock, s, and its temperature sensor's reading, K."""
        return self._run(":SYST:TIME?", lambda _: self._read_moment())

    def _read_number(self, query: str) -> float:
        return scpi.real(self._link, self._session.texts(query, 1)[0])

    def _read_seconds(self) -> float:
        return self._session.note_time(self._read_number(":SYST:TIME?"))

    def _read_moment(self) -> tuple[float, float]:
        seconds, kelvin = self._session.texts(":SYST:TIME?;:SYST:TEMP?", 2)
        told_seconds, told_kelvin = scpi.real(self._link, seconds), scpi.real(self._link, kelvin)
        return self._session.note_time(told_seconds), told_kelvin

    def _read_spent_seconds(self) -> SpentSeconds:
        texts = self._session.texts(":SYST:TIME:SETT?;:SYST:TIME:INT?;:SYST:TIME:TALK?", 3)
        told = SpentSeconds(*(scpi.real(self._link, text) for text in texts))
        if self._session.time.spent_ran_backwards(told):
            self._read_seconds()  # whose clock began anew as well
        return self._session.time.spent(told)

    def safe(self) -> None:
        """Switch the outputs off and open all switches, with proof.

        Once that is proved, the watchdog is disarmed and the errors are cleared. Works whatever was
        under way: a dirty link recovers first, and a step that fails is tried again until the board
        has had its time to answer. Raises OutputsUnproved where nothing proves the outputs off, and
        LinkTimeout, LinkLost or LinkGarbled where the board cannot be reached and its outputs were
        off already.
        """
        self._session.make_safe(self._all_open)

    def close(self) -> bool:
        """Make the board safe and close the link; return whether the board was made safe.

        A board that another host has taken over meanwhile is left to that host. May be called
        again.
        """
        if self._closed:
            return True
        self._closed = True
        return self._session.close(self._all_open)

    def _measure(
        self,
        command: bytes,
        points: int,
        readings: int,
        timeout_seconds: float,
        expected: BoardState,
    ) -> NDArray[np.float64]:
        """Ask for currents (readings, columns), A; NaN where a reading overloaded."""
        data = self._session.measure(command, expected, timeout_seconds)
        if len(data) != 4 * readings * self.columns:
            raise self._link.garbled(
                f"{len(data)} bytes for {readings} readings of {self.columns} columns"
            )
        read = np.frombuffer(data, "<f4").reshape(readings, self.columns)
        overloaded = read == _OVERLOAD_AMPERES
        amperes = np.where(overloaded, np.nan, read.astype(np.float64))
        max_amperes = _MAX_READING_RANGES * self.ranges_amperes[-1]
        if not (overloaded | (np.abs(amperes) <= max_amperes)).all():
            raise self._link.garbled("currents that no range of the board can read")
        self._session.time.note_readings(
            points * self.delay_seconds, readings * self.aperture_seconds
        )
        return amperes

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.rows, self.columns, self.branches

    def _allow(self, board_seconds: float, moved_bytes: int) -> float:
        return allowed_seconds(self._link.timeout_seconds, board_seconds, moved_bytes)

    @property
    def _timing(self) -> dict[str, float]:
        """What the size of an exchange depends on, s."""
        return {
            "delay_seconds": self.delay_seconds,
            "aperture_seconds": self.aperture_seconds,
            "watchdog_seconds": self._session.watchdog_seconds,
        }
