"""The crossbar test board, as docs/board-protocol.md describes it.

Rows, columns and branches count from 0 here, from 1 on the wire and in messages. A reading beyond
the range of its amplifier is NaN in every array.
"""

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers import scpi
from drivers.arguments import finite, whole, within_limit
from drivers.board_state import BoardState, is_printed
from drivers.errors import (
    CommandRefused,
    InstrumentError,
    SettingDiffers,
    WrongInstrument,
)
from drivers.host_session import HostSession
from drivers.link import Link, Trace
from drivers.patterns import pack_pattern, pattern_crc, unpack_pattern

_MANUFACTURER = "OHMSUM"
_MODEL_START = "CROSSBAR "
_MAX_SIDE = 65_535
_MAX_SWITCHES = 1 << 26
_OVERLOAD_AMPERES = np.float32(9.9e37)
# The converter ends at 1.05 ranges; binary32 may round that up.
_MAX_READING_RANGES = 1.05 * (1 + 1e-6)
# One exchange stays short enough for Ctrl-C to be answered soon and for slow wires.
_MAX_EXCHANGE_BYTES = 2 << 20
_MAX_EXCHANGE_SECONDS = 10.0
_MAX_EXCHANGE_ITEMS = 65_535
# Board time may be wall time, and a USB full-speed port moves about 0.5 MB/s.
_TIME_MARGIN = 1.5
_SLOW_WIRE_BYTES_PER_SECOND = 500_000.0
_POINT = np.dtype([("row", "<u2"), ("branch", "<u2"), ("volts", "<f4")])
_SETTINGS = ":CURR:RANG?;:CURR:APER?;:TRIG:DEL?"


class SpentSeconds(NamedTuple):
    """What a board's time went into, s."""

    settling: float
    """Waiting for currents to settle after a switch or a row moved."""
    integrating: float
    """Apertures."""
    talking: float
    """Messages, at the nominal rate of the interface; beside the board's clock, not on it."""

    def since(self, earlier: "SpentSeconds") -> "SpentSeconds":
        """What was spent since then."""
        return SpentSeconds(*(now - then for now, then in zip(self, earlier, strict=True)))

    def plus(self, other: "SpentSeconds") -> "SpentSeconds":
        """Return what was spent on both."""
        return SpentSeconds(*(one + more for one, more in zip(self, other, strict=True)))


class CrossbarBoard:
    """A crossbar board on a link.

    Read once, when it is opened: `identity`, `type` (for instance "64x16"), `rows`, `columns`,
    `branches`, `nominal_ohms` (branches,), `row_volts_limit`, `ranges_amperes` (ranges,) ascending,
    `line_hertz`, `protocol`, `dac_bits`, `adc_bits`. Read back after every change:
    `range_amperes`, `aperture_seconds`, `delay_seconds`.

    As long as it is open its watchdog is armed and a thread keeps it fed. The outputs are switched
    on by the first measurement that needs them, and off by `rest`. Every measurement asks back what
    it depends on, in its own message.

    Every method raises LinkTimeout, LinkLost, LinkGarbled for a fault of the wire and
    CommandRefused for what the board refuses; BoardChanged, WatchdogExpired or InterlockOpen where
    the board is not as it was left; ValueError before anything is sent.
    """

    def __init__(self, link: Link, identity: scpi.Identity, watchdog_seconds: float) -> None:
        """Reads what the board is. CrossbarBoard.open makes sure that it is one."""
        self._link = link
        self._session = HostSession(link, watchdog_seconds)
        self._texts = self._session.texts
        self._closed = False
        self.identity = identity
        self.type = identity.model.removeprefix(_MODEL_START)
        self.protocol = self._session.protocol
        self.dac_bits, self.adc_bits = self._read_converter_bits()
        self.rows, self.columns, self.branches = self._read_shape()
        self.nominal_ohms = self._read_nominal_ohms()
        limit, catalog, hertz = self._texts(":SOUR:VOLT:RANG?;:CURR:RANG:CAT?;:SYST:LFR?", 3)
        self.row_volts_limit = self._positive(limit)
        self.ranges_amperes = np.array([self._positive(text) for text in catalog.split(",")])
        if not (np.diff(self.ranges_amperes) > 0).all():
            raise link.garbled(f"ranges that do not ascend: {catalog[:80]!r}")
        self.line_hertz = self._positive(hertz)
        self._hold_settings(self._texts(_SETTINGS, 3))
        self._all_open_crc = pattern_crc(np.zeros(self._shape, np.bool_))

    @classmethod
    def open(
        cls,
        resource: str,
        *,
        timeout_seconds: float = 5.0,
        watchdog_seconds: float = 60.0,
        take_over: bool = False,
        trace: Trace | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Self:
        """Opens the board behind a VISA resource, arms its watchdog and keeps it fed.

        `check` is called before every exchange but those that feed; what it raises ends it.

        A board that another host works with is left as it is: BoardInUse, unless `take_over` is
        set, which switches its outputs off. Raises WrongInstrument if something else answers *IDN?.
        """
        if not 0 < watchdog_seconds <= 3600:
            raise ValueError(f"a watchdog takes up to 3600 s, more than 0, not {watchdog_seconds}")
        link = Link(resource, timeout_seconds=timeout_seconds, trace=trace, check=check)
        try:
            identity = scpi.identity(link)
            kind = identity.model.removeprefix(_MODEL_START)
            if identity.manufacturer != _MANUFACTURER or kind in ("", identity.model):
                said = f"{identity.manufacturer},{identity.model}"
                wanted = f"{_MANUFACTURER},{_MODEL_START}<type>"
                raise WrongInstrument(resource, said, wanted)
            scpi.checked_write(link, "*CLS")
            board = cls(link, identity, watchdog_seconds)
            board._session.claim(take_over=take_over)
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
        """Held by a thread, keeps the board as it is for as long: other threads wait."""
        return self._link.lock

    @property
    def held_crc(self) -> int | None:
        """CRC-32 of the pattern that the board holds because this host set it; None if unknown."""
        return self._session.held_crc

    @property
    def bytes_moved(self) -> int:
        """Bytes sent and received so far, but for what kept the watchdog fed."""
        return self._link.bytes_sent + self._link.bytes_received

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Sets the amplifiers' range, the aperture and the settling delay; reads back all three.

        The board takes the smallest range that is not below `range_amperes`. Raises SettingDiffers
        if it then holds something else.
        """
        wanted = {
            ":CURR:RANG": range_amperes,
            ":CURR:APER": aperture_seconds,
            ":TRIG:DEL": delay_seconds,
        }
        units = []
        for header, value in wanted.items():
            if value is None:
                continue
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{header} cannot be {value}")
            units.append(f"{header} {float(value)!r}")
        with self._link.lock:
            self._session.hold()
            try:
                texts = self._texts(";".join([*units, _SETTINGS]), 3)
            except CommandRefused:
                self._hold_settings(self._texts(_SETTINGS, 3))
                raise
            self._hold_settings(texts)
            if range_amperes is not None:
                below = self.ranges_amperes[self.ranges_amperes < self.range_amperes]
                if (range_amperes > self.range_amperes * (1 + 1e-6)) or (
                    len(below) and range_amperes <= below[-1]
                ):
                    raise SettingDiffers.of(
                        self._link.resource, "range (A)", texts[0], range_amperes
                    )
            for name, text, value in (
                ("aperture (s)", texts[1], aperture_seconds),
                ("settling delay (s)", texts[2], delay_seconds),
            ):
                if value is not None and not is_printed(value, text):
                    raise SettingDiffers.of(self._link.resource, name, text, value)

    def rest(self) -> None:
        """Switches the outputs off, if they are on: what comes next is computed, not measured.

        Switches and settings stay. The next measurement switches on again.
        """
        self._session.rest()

    def apply(self, pattern: NDArray[np.bool_]) -> None:
        """Sets all switches; `pattern` is bool, (rows, columns, branches), True closes.

        The block's CRC-32 goes with it and is asked back. Raises InstrumentError if the board then
        holds another pattern.
        """
        pattern = np.asarray(pattern)
        if pattern.dtype != np.bool_ or pattern.shape != self._shape:
            raise ValueError(
                f"a pattern is bool, {self._shape}; this one is {pattern.dtype}, {pattern.shape}"
            )
        data, sent = pack_pattern(pattern), pattern_crc(pattern)
        with self._link.lock:
            self._session.hold()
            self._session.held_crc = None
            command = b":ROUT:PATT %s,%d;:ROUT:PATT:CRC?" % (scpi.encode_block(data), sent)
            answers = self._session.ask(command, timeout_seconds=self._allow(0.0, len(data)))
            held = scpi.integer(self._link, answers[0] if len(answers) == 1 else b"")
            if held != sent:
                raise InstrumentError(
                    self._link.resource, f"holds a pattern of CRC {held}, {sent} was sent"
                )
            self._session.held_crc = sent

    def pattern(self) -> NDArray[np.bool_]:
        """Reads back all switches: bool, (rows, columns, branches), True is closed.

        The block is checked against the CRC-32 that the board has of it.
        """
        with self._link.lock:
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
        """Multiplies: for every vector sets the rows, waits the delay, reads all columns once.

        `row_volts` (vectors, rows), V; returns (vectors, columns), A, NaN where a reading
        overloaded. Afterwards the rows are at 0 V.
        """
        volts = finite("row_volts", row_volts, 2)
        if volts.shape[1] != self.rows:
            raise ValueError(f"row_volts has {volts.shape[1]} rows, the board has {self.rows}")
        data = within_limit(volts, np.arange(self.rows), self.row_volts_limit)
        amperes = np.empty((len(data), self.columns))
        vector_bytes = 4 * (self.rows + self.columns)
        vector_seconds = self.delay_seconds + self.aperture_seconds
        with self._link.lock:
            for part in self._parts(len(data), vector_bytes, vector_seconds):
                vectors = part.stop - part.start
                amperes[part] = self._measure(
                    b":MEAS:MVM? " + scpi.encode_block(data[part].tobytes()),
                    vectors,
                    self._allow(vectors * vector_seconds, vectors * vector_bytes),
                    BoardState(pattern_crc=self.held_crc),
                )
        return amperes

    def scan(
        self, rows: ArrayLike, branches: ArrayLike, row_volts: ArrayLike, readings: int = 1
    ) -> NDArray[np.float64]:
        """Probes one branch of one row in every column, point by point.

        `rows`, `branches`: (points,) whole numbers from 0, branch -1 closes none; `row_volts`
        (points,), V, on that row, the others at 0 V. Returns (points, readings, columns), A, NaN
        where a reading overloaded. Afterwards all switches are open and the rows at 0 V.
        """
        volts = finite("row_volts", row_volts, 1)
        rows = whole("rows", rows, len(volts), 0, self.rows)
        branches = whole("branches", branches, len(volts), -1, self.branches)
        if not 1 <= readings <= 10_000:
            raise ValueError(f"a point takes 1 to 10000 readings, not {readings}")
        points = np.empty(len(volts), _POINT)
        points["row"], points["branch"] = rows + 1, branches + 1
        points["volts"] = within_limit(volts, rows, self.row_volts_limit)

        amperes = np.empty((len(points), readings, self.columns))
        point_bytes = _POINT.itemsize + 4 * readings * self.columns
        point_seconds = self.delay_seconds + readings * self.aperture_seconds
        with self._link.lock:
            for part in self._parts(len(points), point_bytes, point_seconds):
                count = part.stop - part.start
                self._session.held_crc = None
                # In one message: no other host can store its own points in between.
                read = self._measure(
                    b":ROUT:SCAN %s;:MEAS:SCAN? %d"
                    % (scpi.encode_block(points[part].tobytes()), readings),
                    count * readings,
                    self._allow(count * point_seconds, count * point_bytes),
                    BoardState(scan_points=count),
                )
                self._session.held_crc = self._all_open_crc
                amperes[part] = read.reshape(count, readings, self.columns)
        return amperes

    def seconds(self) -> float:
        """Time on the board's own clock, s."""
        return scpi.real(self._link, self._texts(":SYST:TIME?", 1)[0])

    def spent_seconds(self) -> SpentSeconds:
        """Where the board's time has gone since power-on, s."""
        texts = self._texts(":SYST:TIME:SETT?;:SYST:TIME:INT?;:SYST:TIME:TALK?", 3)
        return SpentSeconds(*(scpi.real(self._link, text) for text in texts))

    def temperature_kelvin(self) -> float:
        """Reading of the board's temperature sensor, K."""
        return scpi.real(self._link, self._texts(":SYST:TEMP?", 1)[0])

    def moment(self) -> tuple[float, float]:
        """Time on the board's own clock, s, and reading of its temperature sensor, K."""
        seconds, kelvin = self._texts(":SYST:TIME?;:SYST:TEMP?", 2)
        return scpi.real(self._link, seconds), scpi.real(self._link, kelvin)

    def safe(self) -> None:
        """Switches the outputs off, opens all switches, and once that is proved, disarms the
        watchdog and clears the errors.

        Works whatever was under way: a link that is dirty recovers first, and what fails is tried
        again until the board has had its time to answer. Raises OutputsUnproved where nothing
        proves the outputs off, and LinkTimeout, LinkLost, LinkGarbled where the board cannot be
        reached and its outputs were off already.
        """
        self._session.make_safe(self._all_open_crc)

    def close(self) -> bool:
        """Makes the board safe and closes the link. May be called again.

        A board that another host has taken over meanwhile is left to it: returns whether it was
        made safe.
        """
        if self._closed:
            return True
        self._closed = True
        return self._session.close(self._all_open_crc)

    def _measure(
        self, command: bytes, readings: int, timeout_seconds: float, expected: BoardState
    ) -> NDArray[np.float64]:
        """Asks for (readings, columns) currents, A; NaN where a reading overloaded."""
        expected = replace(
            expected,
            range_amperes=self.range_amperes,
            aperture_seconds=self.aperture_seconds,
            delay_seconds=self.delay_seconds,
        )
        data = self._session.measure(command, expected, timeout_seconds)
        if len(data) != 4 * readings * self.columns:
            raise self._link.garbled(
                f"{len(data)} bytes for {readings} readings of {self.columns} columns"
            )
        read = np.frombuffer(data, "<f4").reshape(readings, self.columns)
        overloaded = read == _OVERLOAD_AMPERES
        amperes = np.where(overloaded, np.nan, read.astype(np.float64))
        largest = _MAX_READING_RANGES * self.ranges_amperes[-1]
        if not (overloaded | (np.abs(amperes) <= largest)).all():
            raise self._link.garbled("currents that no range of the board can read")
        return amperes

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.rows, self.columns, self.branches

    def _read_converter_bits(self) -> tuple[int, int]:
        """Reads the converters' resolution; a board of protocol 1.0 has 16 and 24 bits."""
        if self.protocol < (1, 1):
            return 16, 24
        (text,) = self._texts(":SYST:BOAR:CONV?", 1)
        bits = [scpi.integer(self._link, number) for number in text.split(",")]
        if len(bits) != 2 or not all(1 <= number <= 64 for number in bits):
            raise self._link.garbled(f"no resolutions of converters: {text[:80]!r}")
        return bits[0], bits[1]

    def _read_shape(self) -> tuple[int, int, int]:
        answer = self._texts(":SYST:BOAR:SHAP?", 1)[0]
        sides = [scpi.integer(self._link, text) for text in answer.split(",")]
        sound = len(sides) == 3 and all(1 <= side <= _MAX_SIDE for side in sides)
        if not sound or math.prod(sides) > _MAX_SWITCHES:
            raise self._link.garbled(f"not the shape of a board: {answer[:80]!r}")
        rows, columns, branches = sides
        return rows, columns, branches

    def _read_nominal_ohms(self) -> NDArray[np.float64]:
        data = scpi.checked_query_block(self._link, ":SYST:BOAR:NOM?")
        if len(data) != 4 * self.branches:
            raise self._link.garbled(f"{len(data)} bytes of nominals for {self.branches} branches")
        ohms = np.frombuffer(data, "<f4").astype(np.float64)
        if not (np.isfinite(ohms) & (ohms > 0)).all():
            raise self._link.garbled("a nominal resistance that is none")
        return ohms

    def _hold_settings(self, texts: list[str]) -> None:
        """Holds the answers to _SETTINGS. Raises LinkGarbled for a range that is not there."""
        amperes = self._positive(texts[0])
        nearest = self.ranges_amperes[np.abs(self.ranges_amperes - amperes).argmin()]
        if not math.isclose(amperes, nearest, rel_tol=1e-5):
            raise self._link.garbled(f"a range that the board does not have: {texts[0][:80]!r}")
        self.range_amperes = amperes
        self.aperture_seconds = self._positive(texts[1])
        self.delay_seconds = scpi.real(self._link, texts[2])

    def _positive(self, text: str) -> float:
        number = scpi.real(self._link, text)
        if number <= 0:
            raise self._link.garbled(f"not a positive number: {text[:80]!r}")
        return number

    def _allow(self, board_seconds: float, moved_bytes: int) -> float:
        """Wall time for an exchange, s."""
        waiting = _TIME_MARGIN * board_seconds + moved_bytes / _SLOW_WIRE_BYTES_PER_SECOND
        return self._link.timeout_seconds + waiting

    def _parts(self, count: int, item_bytes: int, item_seconds: float) -> Iterator[slice]:
        """Splits `count` items so that each part is one exchange of bounded size and duration."""
        at_once = min(_MAX_EXCHANGE_BYTES // item_bytes, _MAX_EXCHANGE_ITEMS)
        if item_seconds > 0:
            # The board may count its own work as silence.
            seconds = min(_MAX_EXCHANGE_SECONDS, self._session.watchdog_seconds / 2)
            at_once = min(at_once, int(seconds / item_seconds))
        at_once = max(1, at_once)
        for start in range(0, count, at_once):
            yield slice(start, min(start + at_once, count))
