"""Faults that a plan lays on a simulated bench: of branches, of the board, of the wire."""

from simulator.faults.board import BoardFaults
from simulator.faults.plan import FaultPlan, PlanError, load_plan
from simulator.faults.replies import FaultyReplies

__all__ = [
    "BoardFaults",
    "FaultPlan",
    "FaultyReplies",
    "PlanError",
    "load_plan",
]
