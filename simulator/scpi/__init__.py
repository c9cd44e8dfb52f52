"""SCPI-1999 and IEEE 488.2 for a simulated instrument: framing, commands, parameters, status.

Read `engine.py` first: it executes a program message. On the way there `framing.py` cuts the byte
stream into messages, `parser.py` a message into units, headers and parameters, `commands.py` finds
the header in the tree of commands, `parameters.py` converts its parameters; then `answers.py`
formats the answer and `status.py` keeps the errors and registers.
"""

from simulator.scpi.commands import Command, Handler
from simulator.scpi.engine import Engine
from simulator.scpi.errors import ScpiError
from simulator.scpi.framing import Framer, Overrun
from simulator.scpi.parameters import Block, Boolean, Integer, Real
from simulator.scpi.parser import is_blank
from simulator.scpi.status import Status

__all__ = [
    "Block",
    "Boolean",
    "Command",
    "Engine",
    "Framer",
    "Handler",
    "Integer",
    "Overrun",
    "Real",
    "ScpiError",
    "Status",
    "is_blank",
]
