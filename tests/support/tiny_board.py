"""A board of a few rows that answers the commands that the driver sends."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

ERRORS = {
    -222: "Data out of range",
    -113: "Undefined header",
    101: "Interlock open",
    102: "Watchdog expired",
    103: "Pattern CRC mismatch",
    104: "Outputs are off",
}
RANGES = [1e-6, 1e-3, 1e-2]
APERTURE_SECONDS = 1e-3
OVERLOAD_AMPERES = 9.9e37


class TinyBoard:
    """A board of 1 µS per closed branch: column current = Σ over rows of volts times closed µS.

    `replies` overrides the answer to a header, `corrupt_pattern` flips a switch of every pattern
    that is set, `log` lists the headers of all units.
    """

    def __init__(self, rows: int = 4, columns: int = 3, branches: int = 2) -> None:
        self.rows, self.columns, self.branches = rows, columns, branches
        self.pattern: NDArray[np.bool_] = np.zeros((rows, columns, branches), np.bool_)
        self.seconds = 12.5
        self.errors: list[int] = []
        self.events = 1 << 7
        self.on = False
        self.watchdog = 0.0
        self.interlock_closed = True
        self.questionable = 0
        self.range = 1e-2
        self.aperture = APERTURE_SECONDS
        self.delay = 1e-3
        self.points: list[tuple[int, int, float]] = []
        self.replies: dict[bytes, bytes] = {}
        self.corrupt_pattern = False
        self.log: list[bytes] = []

    def power_cycle(self) -> None:
        """Lose what power-on resets, as section 7 of the protocol says; the clock begins anew."""
        self.expire()
        self.watchdog, self.questionable, self.seconds = 0.0, 0, 0.25
        self.range, self.aperture, self.delay = RANGES[-1], 0.02, 1e-3
        self.points, self.errors, self.events = [], [], 1 << 7

    def expire(self) -> None:
        """Let the watchdog open everything."""
        self.on, self.questionable = False, 1 << 10
        self.pattern[:] = False
        self.errors.append(102)

    def handle(self, message: bytes) -> bytes | None:
        """Execute a program message; return the response without its line feed."""
        answers = []
        for unit in _units(message):
            header, _, parameters = unit.partition(b" ")
            self.log.append(header)
            if header in self.replies:
                answers.append(self.replies[header])
                continue
            try:
                answer = self._unit(header.removeprefix(b":"), parameters)
            except Refused as refused:
                self.errors.append(refused.number)
                continue
            if answer is not None:
                answers.append(answer)
        return b";".join(answers) if answers else None

    def _unit(self, header: bytes, parameters: bytes) -> bytes | None:  # noqa: PLR0912
        answer: bytes | None = None
        match header:
            case b"*IDN?":
                shape = b"%dx%d" % (self.rows, self.columns)
                answer = b"OHMSUM,CROSSBAR %s,B000001,1.0" % shape
            case b"*CLS":
                self.errors.clear()
                self.events = 0
            case b"SYST:ERR?":
                number = self.errors.pop(0) if self.errors else 0
                answer = f'{number},"{ERRORS.get(number, "No error")}"'.encode()
            case b"SYST:BOAR:SHAP?":
                answer = b"%d,%d,%d" % (self.rows, self.columns, self.branches)
            case b"SYST:BOAR:NOM?":
                answer = block(struct.pack(f"<{self.branches}f", *range(1, self.branches + 1)))
            case b"SYST:LFR?":
                answer = b"50"
            case b"SYST:TIME?":
                answer = b"%g" % self.seconds
            case b"SYST:TIME:SETT?":
                answer = b"2.5"
            case b"SYST:TIME:INT?":
                answer = b"10"
            case b"SYST:TIME:TALK?":
                answer = b"0.25"
            case b"SYST:TEMP?":
                answer = b"296.5"
            case b"SYST:WATC":
                self.watchdog = float(parameters)
            case b"SYST:WATC?":
                answer = b"%g" % self.watchdog
            case b"*ESR?":
                answer, self.events = b"%d" % self.events, 0
            case b"STAT:QUES:COND?" | b"STAT:QUES?":
                answer = b"%d" % self.questionable
            case b"OUTP:INT?":
                answer = b"%d" % self.interlock_closed
            case b"SOUR:VOLT:RANG?":
                answer = b"1.0"
            case b"CURR:RANG:CAT?":
                answer = b",".join(b"%g" % value for value in RANGES)
            case b"CURR:RANG":
                above = [value for value in RANGES if value >= float(parameters)]
                if not above:
                    raise Refused(-222)
                self.range = above[0]
            case b"CURR:APER":
                self.aperture = float(parameters)
            case b"TRIG:DEL":
                self.delay = float(parameters)
            case b"CURR:RANG?":
                answer = b"%g" % self.range
            case b"CURR:APER?":
                answer = b"%g" % self.aperture
            case b"TRIG:DEL?":
                answer = b"%g" % self.delay
            case b"OUTP":
                if parameters == b"ON" and not self.interlock_closed:
                    raise Refused(101)
                self.on = parameters == b"ON"
                if self.on:
                    self.questionable = 0
            case b"OUTP?":
                answer = b"%d" % self.on
            case b"ROUT:OPEN:ALL":
                self.pattern[:] = False
            case b"ROUT:PATT":
                self._set_pattern(parameters)
            case b"ROUT:PATT?":
                answer = block(self._packed())
            case b"ROUT:PATT:CRC?":
                answer = b"%d" % zlib.crc32(self._packed())
            case b"MEAS:MVM?":
                answer = self._multiply(unblock(parameters))
            case b"ROUT:SCAN":
                self.points = list(struct.iter_unpack("<HHf", unblock(parameters)))
            case b"ROUT:SCAN:POIN?":
                answer = b"%d" % len(self.points)
            case b"MEAS:SCAN?":
                answer = self._scan(int(parameters))
            case _:
                raise Refused(-113)
        return answer

    def _packed(self) -> bytes:
        bits = "".join("01"[bit] for bit in self.pattern.reshape(-1).tolist())
        bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))

    def _set_pattern(self, parameters: bytes) -> None:
        data, crc = parameters.rsplit(b",", 1)
        data = unblock(data)
        if zlib.crc32(data) != int(crc):
            raise Refused(103)
        switches = [bool(data[k // 8] >> (7 - k % 8) & 1) for k in range(self.pattern.size)]
        self.pattern = np.array(switches).reshape(self.pattern.shape)
        if self.corrupt_pattern:
            self.pattern[0, 0, 0] ^= True

    def _multiply(self, data: bytes) -> bytes:
        if not self.on:
            raise Refused(104)
        volts = np.frombuffer(data, "<f4").reshape(-1, self.rows)
        return self._currents(volts @ (1e-6 * self.pattern.sum(axis=2)))

    def _scan(self, readings: int) -> bytes:
        if not self.on:
            raise Refused(104)
        # Each current identifies its row, branch and column.
        currents = [
            [volts * (row + 100 * branch) * 1e-6 + column * 1e-9 for column in range(self.columns)]
            for row, branch, volts in self.points
            for _ in range(readings)
        ]
        self.pattern[:] = False
        return self._currents(np.array(currents))

    def _currents(self, amperes: NDArray[np.float64]) -> bytes:
        read = np.where(np.abs(amperes) > 1.05 * self.range, OVERLOAD_AMPERES, amperes)
        return block(read.astype("<f4").tobytes())


class Refused(Exception):
    """A command that the board refuses with an error number."""

    def __init__(self, number: int) -> None:
        self.number = number


def block(data: bytes) -> bytes:
    """Return bytes as a definite-length block of nine digits of length."""
    return b"#9%09d" % len(data) + data


def unblock(data: bytes) -> bytes:
    """Return the bytes of a definite-length block."""
    assert data[:1] == b"#"
    digits = int(data[1:2])
    length = int(data[2 : 2 + digits])
    assert len(data) == 2 + digits + length
    return data[2 + digits :]


def _units(message: bytes) -> list[bytes]:
    units, start, at = [], 0, 0
    while at < len(message):
        if message[at] == ord("#"):
            digits = int(message[at + 1 : at + 2])
            at += 2 + digits + int(message[at + 2 : at + 2 + digits])
        elif message[at] == ord(";"):
            units.append(message[start:at])
            at = start = at + 1
        else:
            at += 1
    return [*units, message[start:]]
