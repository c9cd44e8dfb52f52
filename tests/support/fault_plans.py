"""Fault plans for tests."""

from typing import Any

from simulator.faults.plan import FaultPlan


def plan_of(*faults: dict[str, Any], seed: int = 1) -> FaultPlan:
    """Return a plan of these faults, checked as one that is read from a file."""
    return FaultPlan.model_validate({"seed": seed, "fault": faults})
