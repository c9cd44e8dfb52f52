"""The SCPI command set of the test board, written from docs/board-protocol.md.

BoardSession is one host's session: it executes program messages on the board's electronics.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

from simulator.arrays import Floats
from simulator.electronics import Opened, PowerLost, SimulatedCrossbar
from simulator.scpi import (
    Block,
    Boolean,
    Command,
    Engine,
    Handler,
    Integer,
    Real,
    ScpiError,
    Status,
    is_blank,
)
from simulator.steps import Steps, finish

if TYPE_CHECKING:
    from simulator.board import SimulatedBoard

PROTOCOL = "1.1"
FIRMWARE = "1.0"
MAX_ANSWER_BYTES = 16 * 2**20
APERTURE_SECONDS = (10e-6, 10.0)
RANGE_TOLERANCE = 1e-6
"""Relative excess up to which a value counts as a range: a printed range selects itself."""
DEVICE_ERRORS = {
    101: "Interlock open",
    102: "Watchdog expired",
    103: "Pattern CRC mismatch",
    104: "Outputs are off",
}
OVERLOAD_AMPERES = 9.9e37
"""Answer for a reading beyond its range: positive infinity (SCPI-1999, volume 1, 7.2.1.5)."""
OVERLOAD_BIT, WATCHDOG_BIT = 1, 10
SCAN_POINT = np.dtype([("row", "<u2"), ("branch", "<u2"), ("volts", "<f4")])
MAX_SCAN_POINTS = 65_535
MAX_UNDIVIDED_READINGS = 10_000
"""Readings of one message after which other sessions go first before it measures again."""
_KEEP_ALIVE = re.compile(rb"[\x00-\x20]*:?SYST(?:EM)?:WATC(?:HDOG)?:FEED\?[\x00-\x20]*", re.I)


def is_keep_alive(message: bytes) -> bool:
    """Return whether a message does nothing but feed the watchdog; no count includes it."""
    return _KEEP_ALIVE.fullmatch(message) is not None


class BoardSession:
    """One host's session with a board, with an error queue and event registers of its own."""

    def __init__(self, board: SimulatedBoard) -> None:
        """Begin as after power-on; SimulatedBoard.open_session also registers the session."""
        self.board = board
        self.status = Status(DEVICE_ERRORS)
        self._engine = Engine(self.commands(), self.status)
        self._ended = False
        self._readings = 0
        """Readings that the present message has taken."""

    def execute(self, message: bytes) -> bytes:
        """Execute one program message and return its response message.

        The response is empty for a message without a query, and where the power fails before it is
        answered.
        """
        self.message_came()
        return finish(self.steps(message))

    def message_came(self) -> None:
        """Note that a message has arrived; its steps follow when it has its turn."""
        self.board.watch()
        self.board.watchdog.message_came(self)

    def steps(self, message: bytes) -> Steps[bytes]:
        """Execute one program message in steps."""
        board = self.board
        board.watch()
        counts = not (is_blank(message) or is_keep_alive(message))
        board.crossbar.faults.operations += counts
        self._readings = 0
        try:
            answer = yield from self._engine.steps(message)
            if counts:
                board.crossbar.strike_due_faults()  # those that no reading has triggered
                board.note_talk(len(message) + 1 + len(answer))
        except PowerLost:
            board.power_on()
            return b""
        finally:
            board.watchdog.message_done(self)
        return answer

    def needs_turn(self, message: bytes) -> bool:
        """Return whether a message must wait until no other message is being executed."""
        return not self._engine.may_be_executed_at_any_time(message)

    def overrun(self) -> None:
        """Report a program message that was too long to be received (-363)."""
        self.status.report(ScpiError(-363))

    def end(self) -> None:
        """Note that the host sends nothing more: its messages feed the watchdog no more."""
        self._ended = True
        self.board.watchdog.session_ended(self)

    def close(self) -> None:
        """End the session and drop it from the board."""
        self.end()
        self.board.forget(self)

    def commands(self) -> list[Command]:
        """Return the board's own commands, without those of every SCPI instrument."""
        shared, board = self.board, self.board.crossbar
        row, branch = Integer(1, board.rows), Integer(1, board.branches)
        switch = row, Integer(1, board.columns), branch
        limit = board.row_volts_limit
        hertz = board.preset.environment.line_hertz
        bits = board.preset.dac.bits, board.preset.adc.bits
        rows = ((1, board.rows),)
        widest = float(board.ranges_amperes[-1])
        level = "SOURce<n>[:VOLTage][:LEVel]"
        sense = "[SENSe:]CURRent"
        lowest, highest = APERTURE_SECONDS
        return [
            _free_query("*IDN?", self._identity),
            Command("*RST", shared.reset),
            Command("*TST?", lambda: 0),
            Command("SYSTem:TIME?", shared.seconds),
            Command("SYSTem:TIME:SETTling?", lambda: shared.spent_seconds("settling")),
            Command("SYSTem:TIME:INTegrating?", lambda: shared.spent_seconds("integrating")),
            Command("SYSTem:TIME:TALKing?", lambda: shared.talked_seconds),
            Command("SYSTem:TEMPerature?", board.sensed_kelvin),
            _free_query("SYSTem:LFRequency?", lambda: int(hertz) if hertz.is_integer() else hertz),
            _free_query("SYSTem:BOARd:SHAPe?", lambda: (board.rows, board.columns, board.branches)),
            _free_query("SYSTem:BOARd:NOMinal?", lambda: _floats(board.nominal_ohms)),
            _free_query("SYSTem:BOARd:PROTocol?", lambda: PROTOCOL),
            _free_query("SYSTem:BOARd:CONVerter?", lambda: bits),
            Command("SYSTem:WATChdog", self._arm, (Real("S", 0, 3600, 0),)),
            _free_query("SYSTem:WATChdog?", lambda: shared.watchdog.seconds),
            _free_query("SYSTem:WATChdog:OWNer?", self._owner),
            _free_query("SYSTem:WATChdog:FEED?", self._feeds),
            Command("OUTPut[:STATe]", self._set_outputs, (Boolean(),)),
            _free_query("OUTPut[:STATe]?", lambda: board.outputs_on),
            _free_query("OUTPut:INTerlock?", lambda: board.interlock_closed),
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
                lambda amperes: board.configure(range_amperes=amperes * (1 - RANGE_TOLERANCE)),
                (Real("A", 0, widest * (1 + RANGE_TOLERANCE), widest),),
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
            Command("ROUTe:SCAN:POINts?", lambda: len(shared.scan_points)),
            Command("MEASure:SCAN?", self._run_scan, (Integer(1, 10_000, optional=True),)),
        ]

    def _identity(self) -> str:
        return f"OHMSUM,CROSSBAR {self._crossbar.preset.name},{self.board.serial},{FIRMWARE}"

    @property
    def _crossbar(self) -> SimulatedCrossbar:
        return self.board.crossbar

    def _arm(self, seconds: float) -> None:
        self.board.watchdog.arm(seconds, self, heard=not self._ended)

    def _owner(self) -> str:
        watchdog = self.board.watchdog
        if watchdog.belongs_to(self):
            return "OWN"
        return "OTH" if watchdog.owner_lives and not watchdog.expired else "NOB"

    def _feeds(self) -> bool:
        return self.board.watchdog.belongs_to(self) and not self.board.watchdog_fired

    def _set_outputs(self, on: bool) -> None:
        if on and not self._crossbar.interlock_closed:
            raise ScpiError(101)
        if on:
            self.board.set_questionable(WATCHDOG_BIT, False)
        self._crossbar.switch_outputs(on)

    def _set_row(self, row: int, volts: float) -> None:
        rows = self._crossbar.row_volts.copy()
        rows[row - 1] = volts
        self._crossbar.set_row_volts(rows)

    def _set_rows(self, block: bytes) -> None:
        self._crossbar.set_row_volts(self._vectors(block, count=1)[0])

    def _vectors(self, block: bytes, count: int | None = None) -> Floats:
        """Return the voltages (vectors, rows), V, of a block. Raises ScpiError -222."""
        size = 4 * self._crossbar.rows
        if len(block) % size or not block or (count is not None and len(block) != count * size):
            raise ScpiError(-222, f"a vector has {self._crossbar.rows} voltages, {size} bytes")
        volts = np.frombuffer(block, "<f4").astype(np.float64).reshape(-1, self._crossbar.rows)
        self._check_volts(volts)
        return volts

    def _check_volts(self, volts: Floats) -> None:
        # Negated, so that NaN is refused as well.
        if not (np.abs(volts) <= self._crossbar.row_volts_limit).all():
            raise ScpiError(-222, f"voltage beyond {self._crossbar.row_volts_limit:g} V")

    def _probe(self, row: int, branch: int) -> None:
        self._crossbar.probe(row - 1, branch - 1)

    def _switch(self, at: tuple[int, ...], closed: bool) -> None:
        pattern = self._crossbar.pattern.copy()
        pattern[_from_one(at)] = closed
        self._crossbar.apply(pattern)

    def _packed_pattern(self) -> bytes:
        return np.packbits(self._crossbar.pattern).tobytes()

    def _set_pattern(self, block: bytes, crc: int) -> None:
        pattern = self._crossbar.pattern
        if len(block) != (pattern.size + 7) // 8:
            raise ScpiError(-222, f"a pattern has {(pattern.size + 7) // 8} bytes")
        if zlib.crc32(block) != crc:
            raise ScpiError(103)
        bits = np.unpackbits(np.frombuffer(block, np.uint8)).astype(bool)
        if bits[pattern.size :].any():
            raise ScpiError(-222, f"a pattern has {pattern.size} switches")
        self._crossbar.apply(bits[: pattern.size].reshape(pattern.shape))

    def _read(self, count: int | None) -> Steps[bytes]:
        return self._measure(count or 1, self._crossbar.read_steps(count or 1))

    def _mvm(self, block: bytes) -> Steps[bytes]:
        self._require_outputs()
        vectors = self._vectors(block)
        return self._measure(len(vectors), self._crossbar.column_currents_steps(vectors))

    def _store_scan(self, block: bytes) -> None:
        if len(block) % SCAN_POINT.itemsize:
            raise ScpiError(-222, f"a scan point has {SCAN_POINT.itemsize} bytes")
        points = np.frombuffer(block, SCAN_POINT)
        if len(points) > MAX_SCAN_POINTS:
            raise ScpiError(-223, f"a scan list holds {MAX_SCAN_POINTS} points")
        if ((points["row"] < 1) | (points["row"] > self._crossbar.rows)).any():
            raise ScpiError(-222, f"rows are 1 to {self._crossbar.rows}")
        if (points["branch"] > self._crossbar.branches).any():
            raise ScpiError(-222, f"branches are 0 to {self._crossbar.branches}")
        self._check_volts(points["volts"].astype(np.float64))
        self.board.scan_points = points

    def _run_scan(self, count: int | None) -> Steps[bytes]:
        self._require_outputs()
        points, readings = self.board.scan_points, count or 1
        return self._measure(
            len(points) * readings,
            self._crossbar.scan_steps(
                points["row"].astype(np.int_) - 1,
                points["branch"].astype(np.int_) - 1,
                points["volts"].astype(np.float64),
                readings,
            ),
        )

    def _require_outputs(self) -> None:
        if not self._crossbar.outputs_on:
            raise ScpiError(104)

    def _measure(self, readings: int, run: Steps[Floats]) -> Steps[bytes]:
        if 4 * readings * self._crossbar.columns > MAX_ANSWER_BYTES:
            raise ScpiError(-223, f"{readings} readings in one answer")
        if self._readings >= MAX_UNDIVIDED_READINGS:
            yield None
        self._readings += readings
        self.board.set_measuring(self)
        try:
            amperes = yield from run
        except Opened:
            raise ScpiError(self.board.opened_by, "in the middle of a measurement") from None
        finally:
            self.board.set_measuring(None)
        overloaded = np.isnan(amperes)
        self.board.set_questionable(OVERLOAD_BIT, bool(overloaded.any()))
        return _floats(np.where(overloaded, OVERLOAD_AMPERES, amperes))


def _free_query(header: str, handler: Handler) -> Command:
    """Return a query that needs no turn: it may be answered while another session measures."""
    return Command(header, handler, at_any_time=True)


def _floats(values: Floats) -> bytes:
    return values.astype("<f4").tobytes()


def _from_one(at: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(number - 1 for number in at)
