"""Faults of a simulated bench, as a plan lists them: of branches, of the board, of replies.

Read `plan.py` first: the kinds of faults, their places and their times, as the TOML file names
them. `board.py` lets them strike, `branches.py` applies them to conductances, `replies.py` to the
answers on the wire, `timing.py` says when.
"""

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
