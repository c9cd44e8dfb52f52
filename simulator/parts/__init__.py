"""The physical parts of a simulated board: each its law, its units and where they come from."""

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
