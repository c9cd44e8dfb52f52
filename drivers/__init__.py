"""Instrument drivers: byte streams, messages and dialects; nothing of resistor selection.

A driver turns calls with arrays in SI units into messages of docs/board-protocol.md, keeps the
board's watchdog fed, and raises an InstrumentError that names the resource where anything fails.
Read `crossbar_board.py` first (the board's driver); below it are `host_session.py` (ownership,
outputs, watchdog, way out), `recovery.py` (which faults end nothing), `scpi.py` (dialect),
`link.py` (whole exchanges) and `byte_streams.py` (sockets and serial ports).
"""

from drivers.board_time import SpentSeconds
from drivers.crossbar_board import CrossbarBoard
from drivers.errors import (
    BoardChanged,
    BoardInUse,
    CommandRefused,
    InstrumentError,
    InterlockOpen,
    LinkGarbled,
    LinkLost,
    LinkTimeout,
    OutputsUnproved,
    PowerCycled,
    SettingDiffers,
    WatchdogExpired,
    WrongInstrument,
)
from drivers.exchange_sizes import scan_parts, vector_parts
from drivers.link import Trace
from drivers.patterns import pattern_crc
from drivers.resource_names import parse_resource
from drivers.scpi import Identity

__all__ = [
    "BoardChanged",
    "BoardInUse",
    "CommandRefused",
    "CrossbarBoard",
    "Identity",
    "InstrumentError",
    "InterlockOpen",
    "LinkGarbled",
    "LinkLost",
    "LinkTimeout",
    "OutputsUnproved",
    "PowerCycled",
    "SettingDiffers",
    "SpentSeconds",
    "Trace",
    "WatchdogExpired",
    "WrongInstrument",
    "parse_resource",
    "pattern_crc",
    "scan_parts",
    "vector_parts",
]
