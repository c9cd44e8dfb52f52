"""SCPI-1999 and IEEE 488.2 for a simulated instrument: framing, commands, parameters, status."""

from simulator.scpi.answers import format_real
from simulator.scpi.blocks import encode_block
from simulator.scpi.commands import Answer, Command
from simulator.scpi.engine import Engine
from simulator.scpi.errors import ScpiError
from simulator.scpi.framing import MESSAGE_LIMIT_BYTES, Framer, Overrun
from simulator.scpi.parameters import Block, Boolean, Choice, Integer, Parameter, Real, Text
from simulator.scpi.status import Status

__all__ = [
    "MESSAGE_LIMIT_BYTES",
    "Answer",
    "Block",
    "Boolean",
    "Choice",
    "Command",
    "Engine",
    "Framer",
    "Integer",
    "Overrun",
    "Parameter",
    "Real",
    "ScpiError",
    "Status",
    "Text",
    "encode_block",
    "format_real",
]
