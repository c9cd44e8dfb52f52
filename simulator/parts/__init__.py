"""The physical parts of a simulated board, each with its law, its units and its source.

Read `resistors.py` first (the branches), then `wire_network.py` (their currents), `converters.py`
(DACs, amplifiers, ADCs) and `noise.py` (with `flicker.py` and `mains.py`). `environment.py` is the
ambient temperature, `settling.py` what is left of earlier changes.
"""

from simulator.parts.converters import draw_dacs, draw_readers
from simulator.parts.environment import Ambient
from simulator.parts.noise import ReadingNoise
from simulator.parts.resistors import (
    Branches,
    Conductances,
    choose,
    closed_branches,
    combine,
    draw_branches,
    nominal_ohms,
    open_branches,
    preferred_values,
)
from simulator.parts.settling import Residue
from simulator.parts.wire_network import Network

__all__ = [
    "Ambient",
    "Branches",
    "Conductances",
    "Network",
    "ReadingNoise",
    "Residue",
    "choose",
    "closed_branches",
    "combine",
    "draw_branches",
    "draw_dacs",
    "draw_readers",
    "nominal_ohms",
    "open_branches",
    "preferred_values",
]
