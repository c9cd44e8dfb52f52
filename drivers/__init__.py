"""Instrument drivers: wires and dialects, nothing of resistor selection."""

from drivers.crossbar_board import CrossbarBoard, SpentSeconds
from drivers.errors import InstrumentError, OutputsUnproved, WatchdogExpired
from drivers.patterns import pattern_crc
from drivers.resource_names import parse_resource

__all__ = [
    "CrossbarBoard",
    "InstrumentError",
    "OutputsUnproved",
    "SpentSeconds",
    "WatchdogExpired",
    "parse_resource",
    "pattern_crc",
]
