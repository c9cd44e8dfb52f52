"""The figures that matter of one run, as a document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from instrument.history.documents import Result
from instrument.history.folders import KeptRun, files_of
from instrument.history.listing import summary

WORST_OUTPUTS = 3
"""Outputs that are listed, the one with the fewest bits first."""


def figures_of(run: KeptRun) -> dict[str, Any]:
    """Return the figures of a finished run.

    Outputs count from 0. A section is None where the run has no such step. Raises UsageError where
    the run has no result.
    """
    result = run.finished_result()
    about, claim, calibration = result.run, run.claim, result.calibration
    return {
        **summary(run),
        "predicted_bits": None if result.budget is None else result.budget.predicted_bits,
        "title": about.title,
        "note": about.note,
        "bench": about.bench,
        "host": claim.host,
        "versions": claim.versions,
        "firmware": firmware_of(result),
        "shape": _dumped(result.board),
        "operands": {"matrix": _dumped(about.matrix), "inputs": _dumped(about.inputs)},
        "calibration": None
        if calibration is None
        else {
            **(_dumped(about.calibration) or {}),
            **calibration.model_dump(mode="json", exclude={"versions"}),
        },
        "program": _dumped(result.program),
        "specification": _dumped(result.specification),
        "validation": _validation(result),
        "budget": _dumped(result.budget),
        "recovery": result.recovery,
        "wall_seconds": result.wall_seconds,
        "files": [{"name": file.name, "bytes": file.bytes} for file in files_of(run.path)],
    }


def firmware_of(result: Result) -> str | None:
    """Return the version of the board's firmware, as its calibration noted it."""
    return None if result.calibration is None else result.calibration.versions.get("firmware")


def _validation(result: Result) -> dict[str, Any] | None:
    validation = result.validation
    if validation is None:
        return None
    stated = [output for output in validation.outputs if output.bits is not None]
    worst = sorted(stated, key=lambda output: output.bits or 0.0)[:WORST_OUTPUTS]
    return {
        **validation.model_dump(mode="json", exclude={"outputs"}),
        "worst_outputs": [_dumped(output) for output in worst],
    }


def _dumped(section: BaseModel | None) -> dict[str, Any] | None:
    return None if section is None else section.model_dump(mode="json")
