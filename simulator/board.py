"""The test board's command set, written from docs/board-protocol.md: SCPI in front of the
electronics.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulator.clock import Purpose
from simulator.crossbar import PowerLost, SimulatedCrossbar
from simulator.scpi import Block, Boolean, Command, Engine, Integer, Real, ScpiError, Status
from simulator.scpi.parser import is_blank

FIRMWARE = "1.0"
ANSWER_LIMIT_BYTES = 16 * 2**20
APERTURE_SECONDS = (10e-6, 10.0)
DEVICE_ERRORS = {
    101: "Interlock open",
    102: "Watchdog expired",
    103: "Pattern CRC mismatch",
    104: "Outputs are off",
}
OVERLOAD_AMPERES = 9.9e37
"""What SCPI-1999 (volume 1, 7.2.1.5) has an instrument answer for a reading beyond its range
(positive infinity).
"""
OVERLOAD_BIT, INTERLOCK_BIT, WATCHDOG_BIT = 1, 9, 10
MEASURING_BIT = 4
SCAN_POINT = np.dtype([("row", "<u2"), ("branch", "<u2"), ("volts", "<f4")])
MAX_SCAN_POINTS = 65_535


class SimulatedBoard:
    """A board on the wire: executes program messages, keeps the watchdog."""

    def __init__(self, crossbar: SimulatedCrossbar, serial: str) -> None:
        self.crossbar = crossbar
        self._serial = serial
        self.when_powered_on: list[Callable[[], None]] = []
        """Called after every power cycle."""
        self.power_ons = 0
        self._last_heard = time.monotonic()
        self.status = Status(DEVICE_ERRORS)
        self._engine = Engine(self.commands(), self.status)
        self._power_on()

    def execute(self, message: bytes) -> bytes:
        """Execute one program message; return its response message, empty where it asks nothing,
        and where the power fails before it is answered.
        """
        self.watch()
        self._last_heard = time.monotonic()
        if not is_blank(message):
            self.crossbar.faults.operations += 1
        try:
            answer = self._engine.execute(message)
            self.crossbar.suffer()  # what is due, and no reading has brought about
        except PowerLost:
            self._power_on()
            return b""
        link = self.crossbar.preset.host_link
        moved = len(message) + 1 + len(answer)
        self._talked_seconds += link.message_seconds + moved / link.bytes_per_second
        self._last_heard = time.monotonic()
        return answer

    def _power_on(self) -> None:
        """Begin as after power-on: the host's state has gone, what the world is like has not."""
        self.power_ons += 1
        self._reset()
        self.status.power_on()
        self.status.set_questionable(INTERLOCK_BIT, not self.crossbar.interlock_closed)
        clock = self.crossbar.clock
        self._on_since_seconds, self._spent_before = clock.seconds, dict(clock.spent_seconds)
        self._talked_seconds = 0.0
        for tell in self.when_powered_on:
            tell()

    def _spent_seconds(self, purpose: Purpose) -> float:
        return self.crossbar.clock.spent_seconds[purpose] - self._spent_before[purpose]

    def overrun(self) -> None:
        """Note a program message that was too long to be taken in."""
        self.status.report(ScpiError(-363))

    def watch(self) -> None:
        """Open everything if the host has been silent for longer than the watchdog's interval."""
        if (
            self._watchdog_seconds > 0
            and time.monotonic() - self._last_heard > self._watchdog_seconds
            and self.crossbar.outputs_on
        ):
            self._open_everything()
            self.status.set_questionable(WATCHDOG_BIT, True)
            self.status.report(ScpiError(102))

    def set_interlock(self, closed: bool) -> None:
        """Close or open the interlock, as the lid of the fixture does."""
        self.crossbar.interlock_closed = closed
        self.status.set_questionable(INTERLOCK_BIT, not closed)
        if not closed:
            self._open_everything()

    def _open_everything(self) -> None:
        self.crossbar.switch_outputs(False)
        self.crossbar.open_all()

    def commands(self) -> list[Command]:
        """Return what the board understands, beside what every SCPI instrument does."""
        board = self.crossbar
        row, branch = Integer(1, board.rows), Integer(1, board.branches)
        switch = row, Integer(1, board.columns), branch
        limit = board.row_volts_limit
        hertz = board.preset.environment.line_hertz
        rows = ((1, board.rows),)
        level = "SOURce<n>[:VOLTage][:LEVel]"
        sense = "[SENSe:]CURRent"
        lowest, highest = APERTURE_SECONDS
        return [
            Command("*IDN?", self._identity),
            Command("*RST", self._reset),
            Command("*TST?", lambda: 0),
            Command("SYSTem:TIME?", lambda: board.clock.seconds - self._on_since_seconds),
            Command("SYSTem:TIME:SETTling?", lambda: self._spent_seconds("settling")),
            Command("SYSTem:TIME:INTegrating?", lambda: self._spent_seconds("integrating")),
            Command("SYSTem:TIME:TALKing?", lambda: self._talked_seconds),
            Command("SYSTem:TEMPerature?", board.temperature_kelvin),
            Command("SYSTem:LFRequency?", lambda: hertz),
            Command("SYSTem:BOARd:SHAPe?", lambda: (board.rows, board.columns, board.branches)),
            Command("SYSTem:BOARd:NOMinal?", lambda: _floats(board.nominal_ohms)),
            Command("SYSTem:WATChdog", self._set_watchdog, (Real("S", 0, 3600, 0),)),
            Command("SYSTem:WATChdog?", lambda: self._watchdog_seconds),
            Command("OUTPut[:STATe]", self._set_outputs, (Boolean(),)),
            Command("OUTPut[:STATe]?", lambda: board.outputs_on),
            Command("OUTPut:INTerlock?", lambda: board.interlock_closed),
            Command(level, self._set_row, (Real("V", -limit, limit, 0),), rows),
            Command(f"{level}?", lambda row: float(board.row_volts[row - 1]), (), rows),
            Command("SOURce:VOLTage:ALL", self._set_rows, (Block(),)),
            Command("SOURce:VOLTage:ALL?", lambda: _floats(board.row_volts)),
            Command("SOURce:VOLTage:RANGe?", lambda: limit),
            Command("ROUTe:OPEN:ALL", board.open_all),
            Command("ROUTe:PROBe", self._probe, (row, Integer(0, board.branches))),
            Command("ROUTe:CLOSe", lambda *at: self._switch(at, True), switch),
            Command("ROUTe:OPEN", lambda *at: self._switch(at, False), switch),
            Command("ROUTe:CLOSe?", lambda *at: bool(board.pattern[_from_one(at)]), switch),
            Command("ROUTe:PATTern", self._set_pattern, (Block(), Integer(0, 2**32 - 1))),
            Command("ROUTe:PATTern?", self._packed_pattern),
            Command("ROUTe:PATTern:CRC?", lambda: zlib.crc32(self._packed_pattern())),
            Command(
                f"{sense}:RANGe",
                lambda amperes: board.configure(range_amperes=amperes),
                (Real("A", 0, board.ranges_amperes[-1], board.ranges_amperes[-1]),),
            ),
            Command(f"{sense}:RANGe?", lambda: board.range_amperes),
            Command(
                f"{sense}:RANGe:CATalog?", lambda: tuple(float(a) for a in board.ranges_amperes)
            ),
            Command(
                f"{sense}:APERture",
                lambda seconds: board.configure(aperture_seconds=seconds),
                (Real("S", lowest, highest, 1 / hertz),),
            ),
            Command(f"{sense}:APERture?", lambda: board.aperture_seconds),
            Command(
                f"{sense}:NPLC",
                lambda cycles: board.configure(aperture_seconds=cycles / hertz),
                (Real("", lowest * hertz, highest * hertz, 1),),
            ),
            Command(f"{sense}:NPLC?", lambda: board.aperture_seconds * hertz),
            Command(
                "TRIGger:DELay",
                lambda seconds: board.configure(delay_seconds=seconds),
                (Real("S", 0, 10, 1e-3),),
            ),
            Command("TRIGger:DELay?", lambda: board.delay_seconds),
            Command("READ?", self._read, (Integer(1, 10_000, optional=True),)),
            Command("MEASure:MVM?", self._mvm, (Block(),)),
            Command("ROUTe:SCAN", self._store_scan, (Block(),)),
            Command("ROUTe:SCAN:POINts?", lambda: len(self._scan)),
            Command("MEASure:SCAN?", self._run_scan, (Integer(1, 10_000, optional=True),)),
        ]

    def _identity(self) -> str:
        return f"OHMSUM,CROSSBAR {self.crossbar.preset.name},{self._serial},{FIRMWARE}"

    def _reset(self) -> None:
        self.crossbar.reset()
        self._scan = np.zeros(0, SCAN_POINT)
        self._watchdog_seconds = 0.0

    def _set_watchdog(self, seconds: float) -> None:
        self._watchdog_seconds = seconds

    def _set_outputs(self, on: bool) -> None:
        if on and not self.crossbar.interlock_closed:
            raise ScpiError(101)
        if on:
            self.status.set_questionable(WATCHDOG_BIT, False)
        self.crossbar.switch_outputs(on)

    def _set_row(self, row: int, volts: float) -> None:
        rows = self.crossbar.row_volts.copy()
        rows[row - 1] = volts
        self.crossbar.set_row_volts(rows)

    def _set_rows(self, block: bytes) -> None:
        self.crossbar.set_row_volts(self._vectors(block, count=1)[0])

    def _vectors(self, block: bytes, count: int | None = None) -> NDArray[np.float64]:
        """Return the voltages (vectors, rows) of a block, or refuse it."""
        size = 4 * self.crossbar.rows
        if len(block) % size or not block or (count is not None and len(block) != count * size):
            raise ScpiError(-222, f"a vector has {self.crossbar.rows} voltages, {size} bytes")
        volts = np.frombuffer(block, "<f4").astype(np.float64).reshape(-1, self.crossbar.rows)
        self._check_volts(volts)
        return volts

    def _check_volts(self, volts: NDArray[np.float64]) -> None:
        # Negated, so that a NaN is refused as well.
        if not (np.abs(volts) <= self.crossbar.row_volts_limit).all():
            raise ScpiError(-222, f"voltage beyond {self.crossbar.row_volts_limit:g} V")

    def _probe(self, row: int, branch: int) -> None:
        self.crossbar.probe(row - 1, branch - 1)

    def _switch(self, at: tuple[int, ...], closed: bool) -> None:
        pattern = self.crossbar.pattern.copy()
        pattern[_from_one(at)] = closed
        self.crossbar.apply(pattern)

    def _packed_pattern(self) -> bytes:
        return np.packbits(self.crossbar.pattern).tobytes()

    def _set_pattern(self, block: bytes, crc: int) -> None:
        pattern = self.crossbar.pattern
        if len(block) != (pattern.size + 7) // 8:
            raise ScpiError(-222, f"a pattern has {(pattern.size + 7) // 8} bytes")
        if zlib.crc32(block) != crc:
            raise ScpiError(103)
        bits = np.unpackbits(np.frombuffer(block, np.uint8), count=pattern.size)
        self.crossbar.apply(bits.astype(bool).reshape(pattern.shape))

    def _read(self, count: int | None) -> bytes:
        return self._measure(count or 1, lambda: self.crossbar.read(count or 1))

    def _mvm(self, block: bytes) -> bytes:
        self._require_outputs()
        vectors = self._vectors(block)
        return self._measure(len(vectors), lambda: self.crossbar.column_currents(vectors))

    def _store_scan(self, block: bytes) -> None:
        if len(block) % SCAN_POINT.itemsize:
            raise ScpiError(-222, f"a scan point has {SCAN_POINT.itemsize} bytes")
        points = np.frombuffer(block, SCAN_POINT)
        if len(points) > MAX_SCAN_POINTS:
            raise ScpiError(-223, f"a scan list holds {MAX_SCAN_POINTS} points")
        if ((points["row"] < 1) | (points["row"] > self.crossbar.rows)).any():
            raise ScpiError(-222, f"rows are 1 to {self.crossbar.rows}")
        if (points["branch"] > self.crossbar.branches).any():
            raise ScpiError(-222, f"branches are 0 to {self.crossbar.branches}")
        self._check_volts(points["volts"].astype(np.float64))
        self._scan = points

    def _run_scan(self, count: int | None) -> bytes:
        self._require_outputs()
        points, readings = self._scan, count or 1
        return self._measure(
            len(points) * readings,
            lambda: self.crossbar.scan(
                points["row"].astype(np.int_) - 1,
                points["branch"].astype(np.int_) - 1,
                points["volts"].astype(np.float64),
                readings,
            ),
        )

    def _require_outputs(self) -> None:
        if not self.crossbar.outputs_on:
            raise ScpiError(104)

    def _measure(self, readings: int, run: Callable[[], NDArray[np.float64]]) -> bytes:
        if 4 * readings * self.crossbar.columns > ANSWER_LIMIT_BYTES:
            raise ScpiError(-223, f"{readings} readings in one answer")
        self.status.set_operation(MEASURING_BIT, True)
        amperes = run()
        self.status.set_operation(MEASURING_BIT, False)
        overloaded = np.isnan(amperes)
        self.status.set_questionable(OVERLOAD_BIT, bool(overloaded.any()))
        return _floats(np.where(overloaded, OVERLOAD_AMPERES, amperes))


def _floats(values: NDArray[np.float64]) -> bytes:
    return values.astype("<f4").tobytes()


def _from_one(at: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(number - 1 for number in at)
