"""The crossbar test board, as docs/board-protocol.md describes it.

Rows, columns and branches count from 0 here and from 1 on the wire. A reading beyond the range of
its amplifier is NaN in every array.
"""

import math
import zlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers import scpi
from drivers.errors import (
    CommandRefused,
    InstrumentError,
    LinkGarbled,
    LinkLost,
    LinkTimeout,
    WrongInstrument,
)
from drivers.link import Link, Trace

_MANUFACTURER = "OHMSUM"
_MODEL_START = "CROSSBAR "
_LARGEST_SIDE = 65_535
_LARGEST_SWITCHES = 1 << 26
_OVERLOAD_AMPERES = np.float32(9.9e37)
# The converter ends at 1.05 ranges; binary32 may round that up.
_LARGEST_READING_RANGES = 1.05 * (1 + 1e-6)
# One exchange stays short enough for Ctrl-C to be answered soon and for slow wires.
_EXCHANGE_BYTES = 2 << 20
_EXCHANGE_SECONDS = 10.0
_EXCHANGE_POINTS = 65_535
# Board time may be wall time, and a USB full-speed port moves about 0.5 MB/s.
_TIME_MARGIN = 1.5
_SLOW_WIRE_BYTES_PER_SECOND = 500_000.0
_POINT = np.dtype([("row", "<u2"), ("branch", "<u2"), ("volts", "<f4")])


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
    `line_hertz`. Read back after every change: `range_amperes`, `aperture_seconds`,
    `delay_seconds`.

    Every method raises LinkTimeout, LinkLost, LinkGarbled for a fault of the wire and
    CommandRefused for what the board refuses; ValueError is raised before anything is sent.
    """

    def __init__(self, link: Link, identity: scpi.Identity) -> None:
        """Reads what the board is. CrossbarBoard.open makes sure that it is one."""
        self._link = link
        self._closed = False
        self.identity = identity
        self.type = identity.model.removeprefix(_MODEL_START)
        self.rows, self.columns, self.branches = self._read_shape()
        self.nominal_ohms = self._read_nominal_ohms()
        limit, catalog, hertz = self._texts(":SOUR:VOLT:RANG?;:CURR:RANG:CAT?;:SYST:LFR?", 3)
        self.row_volts_limit = self._positive(limit)
        self.ranges_amperes = np.array([self._positive(text) for text in catalog.split(",")])
        if not (np.diff(self.ranges_amperes) > 0).all():
            raise link.garbled(f"ranges that do not ascend: {catalog[:80]!r}")
        self.line_hertz = self._positive(hertz)
        self._read_settings()

    @classmethod
    def open(
        cls,
        resource: str,
        *,
        timeout_seconds: float = 5.0,
        trace: Trace | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Self:
        """Opens the board behind a VISA resource; changes nothing on it but its error queue.

        `check` is called before every exchange; what it raises ends it.

        Raises WrongInstrument if something else answers *IDN?.
        """
        link = Link(resource, timeout_seconds=timeout_seconds, trace=trace, check=check)
        try:
            identity = scpi.identity(link)
            kind = identity.model.removeprefix(_MODEL_START)
            if identity.manufacturer != _MANUFACTURER or kind in ("", identity.model):
                said = f"{identity.manufacturer},{identity.model}"
                wanted = f"{_MANUFACTURER},{_MODEL_START}<type>"
                raise WrongInstrument(resource, said, wanted)
            scpi.checked_write(link, "*CLS")
            return cls(link, identity)
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
    def bytes_moved(self) -> int:
        """Bytes sent and received so far."""
        return self._link.bytes_sent + self._link.bytes_received

    def configure(
        self,
        *,
        range_amperes: float | None = None,
        aperture_seconds: float | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        """Sets the amplifiers' range, the aperture and the settling delay; reads back all three.

        The board takes the smallest range that is not below `range_amperes`.
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
            try:
                if units:
                    scpi.checked_write(self._link, ";".join(units))
            except CommandRefused:
                self._read_settings()
                raise
            self._read_settings()

    def outputs_on(self, *, watchdog_seconds: float) -> None:
        """Arms the watchdog, then connects the row drivers."""
        if not 0 < watchdog_seconds <= 3600:
            raise ValueError(f"a watchdog takes up to 3600 s, more than 0, not {watchdog_seconds}")
        with self._link.lock:
            scpi.checked_write(self._link, f":SYST:WATC {float(watchdog_seconds)!r}")
            scpi.checked_write(self._link, ":OUTP ON")

    def outputs_off(self) -> None:
        """Disconnects the row drivers, then disarms the watchdog."""
        scpi.checked_write(self._link, ":OUTP OFF;:SYST:WATC 0")

    def apply(self, pattern: NDArray[np.bool_]) -> None:
        """Sets all switches; `pattern` is bool, (rows, columns, branches), True closes.

        The block's CRC-32 goes with it and is asked back. Raises InstrumentError if the board then
        holds another pattern.
        """
        pattern = np.asarray(pattern)
        shape = (self.rows, self.columns, self.branches)
        if pattern.dtype != np.bool_ or pattern.shape != shape:
            raise ValueError(
                f"a pattern is bool, {shape}; this one is {pattern.dtype}, {pattern.shape}"
            )
        data = pack_pattern(pattern)
        sent = zlib.crc32(data)
        with self._link.lock:
            command = b":ROUT:PATT %s,%d;:ROUT:PATT:CRC?" % (scpi.encode_block(data), sent)
            answers = scpi.checked_query(
                self._link, command, timeout_seconds=self._allow(0.0, len(data))
            )
            held = scpi.integer(self._link, answers[0] if len(answers) == 1 else b"")
        if held != sent:
            raise InstrumentError(
                self._link.resource, f"holds a pattern of CRC {held}, {sent} was sent"
            )

    def pattern(self) -> NDArray[np.bool_]:
        """Reads back all switches: bool, (rows, columns, branches), True is closed."""
        shape = (self.rows, self.columns, self.branches)
        with self._link.lock:
            data = scpi.checked_query_block(
                self._link, ":ROUT:PATT?", timeout_seconds=self._allow(0.0, math.prod(shape) // 8)
            )
            try:
                return unpack_pattern(data, shape)
            except ValueError as error:
                raise self._link.garbled(str(error)) from error

    def column_currents(self, row_volts: ArrayLike) -> NDArray[np.float64]:
        """Multiplies: for every vector sets the rows, waits the delay, reads all columns once.

        `row_volts` (vectors, rows), V; returns (vectors, columns), A, NaN where a reading
        overloaded. The outputs must be on. Afterwards the rows are at 0 V.
        """
        volts = _finite("row_volts", row_volts, 2)
        if volts.shape[1] != self.rows:
            raise ValueError(f"row_volts has {volts.shape[1]} rows, the board has {self.rows}")
        data = self._within_limit(volts, np.arange(self.rows))
        amperes = np.empty((len(data), self.columns))
        vector_bytes = 4 * (self.rows + self.columns)
        vector_seconds = self.delay_seconds + self.aperture_seconds
        for part in _parts(len(data), vector_bytes, vector_seconds):
            vectors = part.stop - part.start
            amperes[part] = self._read_currents(
                b":MEAS:MVM? " + scpi.encode_block(data[part].tobytes()),
                vectors,
                self._allow(vectors * vector_seconds, vectors * vector_bytes),
            )
        return amperes

    def scan(
        self, rows: ArrayLike, branches: ArrayLike, row_volts: ArrayLike, readings: int = 1
    ) -> NDArray[np.float64]:
        """Probes one branch of one row in every column, point by point.

        `rows`, `branches`: (points,) whole numbers from 0, branch -1 closes none; `row_volts`
        (points,), V, on that row, the others at 0 V. Returns (points, readings, columns), A, NaN
        where a reading overloaded. The outputs must be on. Afterwards all switches are open and the
        rows at 0 V.
        """
        volts = _finite("row_volts", row_volts, 1)
        rows = _whole("rows", rows, len(volts), 0, self.rows)
        branches = _whole("branches", branches, len(volts), -1, self.branches)
        if not 1 <= readings <= 10_000:
            raise ValueError(f"a point takes 1 to 10000 readings, not {readings}")
        points = np.empty(len(volts), _POINT)
        points["row"], points["branch"] = rows + 1, branches + 1
        points["volts"] = self._within_limit(volts, rows)

        amperes = np.empty((len(points), readings, self.columns))
        point_bytes = _POINT.itemsize + 4 * readings * self.columns
        point_seconds = self.delay_seconds + readings * self.aperture_seconds
        for part in _parts(len(points), point_bytes, point_seconds):
            count = part.stop - part.start
            allowed = self._allow(count * point_seconds, count * point_bytes)
            stored = b":ROUT:SCAN " + scpi.encode_block(points[part].tobytes())
            with self._link.lock:
                scpi.checked_write(self._link, stored, timeout_seconds=allowed)
                read = self._read_currents(b":MEAS:SCAN? %d" % readings, count * readings, allowed)
            amperes[part] = read.reshape(count, readings, self.columns)
        return amperes

    def seconds(self) -> float:
        """Time on the board's own clock, s."""
        return scpi.real(self._link, scpi.checked_query_text(self._link, ":SYST:TIME?"))

    def spent_seconds(self) -> SpentSeconds:
        """Where the board's time has gone since power-on, s."""
        texts = self._texts(":SYST:TIME:SETT?;:SYST:TIME:INT?;:SYST:TIME:TALK?", 3)
        return SpentSeconds(*(scpi.real(self._link, text) for text in texts))

    def temperature_kelvin(self) -> float:
        """Reading of the board's temperature sensor, K."""
        return scpi.real(self._link, scpi.checked_query_text(self._link, ":SYST:TEMP?"))

    def moment(self) -> tuple[float, float]:
        """Time on the board's own clock, s, and reading of its temperature sensor, K."""
        seconds, kelvin = self._texts(":SYST:TIME?;:SYST:TEMP?", 2)
        return scpi.real(self._link, seconds), scpi.real(self._link, kelvin)

    def safe(self) -> None:
        """Switches the outputs off, opens all switches, disarms the watchdog, clears the errors.

        Works whatever was under way: a link that is dirty recovers first, and what fails once is
        tried again. Raises LinkTimeout, LinkLost, LinkGarbled if the board cannot be reached, and
        InstrumentError if it says that its outputs stayed on.
        """
        with self._link.lock:
            try:
                state = self._switch_off()
            except (LinkTimeout, LinkLost, LinkGarbled):
                state = self._switch_off()
        if state != "0":
            raise InstrumentError(self._link.resource, f"outputs are not off: {state[:80]!r}")

    def close(self) -> None:
        """Makes the board safe and closes the link. May be called again."""
        if self._closed:
            return
        self._closed = True
        try:
            self.safe()
        finally:
            self._link.close()

    def _switch_off(self) -> str:
        state = self._link.query(":OUTP OFF;:ROUT:OPEN:ALL;:SYST:WATC 0;:OUTP?")
        scpi.drain(self._link)
        return state.strip()

    def _read_shape(self) -> tuple[int, int, int]:
        answer = scpi.checked_query_text(self._link, ":SYST:BOAR:SHAP?")
        sides = [scpi.integer(self._link, text) for text in answer.split(",")]
        sound = len(sides) == 3 and all(1 <= side <= _LARGEST_SIDE for side in sides)
        if not sound or math.prod(sides) > _LARGEST_SWITCHES:
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

    def _read_settings(self) -> None:
        texts = self._texts(":CURR:RANG?;:CURR:APER?;:TRIG:DEL?", 3)
        self.range_amperes = self._positive(texts[0])
        self.aperture_seconds = self._positive(texts[1])
        self.delay_seconds = scpi.real(self._link, texts[2])

    def _texts(self, command: str, count: int) -> list[str]:
        """Asks for `count` texts."""
        answers = scpi.checked_query(self._link, command)
        texts = [answer for answer in answers if isinstance(answer, str)]
        if not len(texts) == len(answers) == count:
            raise self._link.garbled(f"{len(answers)} answers to {command}")
        return texts

    def _positive(self, text: str) -> float:
        number = scpi.real(self._link, text)
        if number <= 0:
            raise self._link.garbled(f"not a positive number: {text[:80]!r}")
        return number

    def _read_currents(
        self, command: bytes, readings: int, timeout_seconds: float
    ) -> NDArray[np.float64]:
        """Asks for (readings, columns) currents, A; NaN where a reading overloaded."""
        with self._link.lock:
            data = scpi.checked_query_block(self._link, command, timeout_seconds=timeout_seconds)
            if len(data) != 4 * readings * self.columns:
                raise self._link.garbled(
                    f"{len(data)} bytes for {readings} readings of {self.columns} columns"
                )
            read = np.frombuffer(data, "<f4").reshape(readings, self.columns)
            overloaded = read == _OVERLOAD_AMPERES
            amperes = np.where(overloaded, np.nan, read.astype(np.float64))
            largest = _LARGEST_READING_RANGES * self.ranges_amperes[-1]
            if not (overloaded | (np.abs(amperes) <= largest)).all():
                raise self._link.garbled("currents that no range of the board can read")
            return amperes

    def _allow(self, board_seconds: float, moved_bytes: int) -> float:
        """Wall time for an exchange, s."""
        waiting = _TIME_MARGIN * board_seconds + moved_bytes / _SLOW_WIRE_BYTES_PER_SECOND
        return self._link.timeout_seconds + waiting

    def _within_limit(
        self, volts: NDArray[np.float64], rows: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Checks voltages of `rows` (along the last axis), V, and rounds them to binary32."""
        beyond = np.argwhere(np.abs(volts) > self.row_volts_limit)
        if len(beyond):
            first = tuple(beyond[0])
            raise ValueError(
                f"row {rows[first[-1]]}: {volts[first]:g} V is beyond the limit of "
                f"{self.row_volts_limit:g} V"
            )
        # Rounding must not carry a voltage over the limit.
        limit = np.float32(self.row_volts_limit)
        if float(limit) > self.row_volts_limit:
            limit = np.nextafter(limit, np.float32(0))
        rounded: NDArray[np.float32] = np.clip(volts.astype("<f4"), -limit, limit)
        return rounded


def pack_pattern(pattern: NDArray[np.bool_]) -> bytes:
    """The pattern block: one bit a switch, branch fastest, most significant bit first."""
    return np.packbits(pattern.reshape(-1)).tobytes()


def unpack_pattern(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """The pattern of `shape` (rows, columns, branches) that a block holds. Raises ValueError."""
    switches = math.prod(shape)
    if len(data) != (switches + 7) // 8:
        raise ValueError(f"a pattern of {len(data)} bytes for {switches} switches")
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).astype(np.bool_)
    if bits[switches:].any():
        raise ValueError("a pattern with bits behind its last switch")
    return bits[:switches].reshape(shape)


def _parts(count: int, item_bytes: int, item_seconds: float) -> Iterator[slice]:
    """Splits `count` items so that each part is one exchange of bounded size and duration."""
    at_once = min(_EXCHANGE_BYTES // item_bytes, _EXCHANGE_POINTS)
    if item_seconds > 0:
        at_once = min(at_once, int(_EXCHANGE_SECONDS / item_seconds))
    at_once = max(1, at_once)
    for start in range(0, count, at_once):
        yield slice(start, min(start + at_once, count))


def _finite(name: str, values: ArrayLike, dimensions: int) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.ndim != dimensions:
        raise ValueError(
            f"{name} holds real numbers in {dimensions} dimensions, not {array.dtype} in "
            f"{array.ndim}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return array.astype(np.float64)


def _whole(name: str, values: ArrayLike, count: int, low: int, end: int) -> NDArray[np.intp]:
    array = np.asarray(values)
    if array.shape != (count,) or (count and array.dtype.kind not in "iu"):
        raise ValueError(
            f"{name} holds {count} whole numbers, not {array.dtype} of shape {array.shape}"
        )
    if count and not (array.min() >= low and array.max() < end):
        raise ValueError(f"{name} are from {low} to {end - 1}")
    return array.astype(np.intp)
