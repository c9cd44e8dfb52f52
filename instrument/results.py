"""The result document: what `--json` prints and result.json keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from instrument.digits import Classification
from instrument.pipeline import Run


@dataclass(frozen=True)
class Specification:
    """What a run must reach to be called good."""

    bits: float
    agreement: float | None = None
    """Least fraction of equal decisions, where something is classified."""

    def met(self, run: Run, classification: Classification | None) -> bool:
        """Say whether a run reaches it."""
        decisions = (
            self.agreement is None
            or classification is None
            or classification.agreement >= self.agreement
        )
        return run.validation.bits >= self.bits and decisions


def result_document(
    run: Run,
    specification: Specification,
    classification: Classification | None,
    *,
    report: Path,
) -> dict[str, Any]:
    """Return the result of a run as one JSON document.

    The same board and seed give the same document, but for `links` and `wall_seconds`.
    """
    calibration, programmed, validation = run.calibration, run.program.programmed, run.validation
    document: dict[str, Any] = {
        "ok": specification.met(run, classification),
        "specification": asdict(specification),
        "board": {
            "preset": run.board.type,
            "serial": run.board.serial,
            "rows": run.board.rows,
            "columns": run.board.columns,
            "branches": calibration.branches.status.size,
        },
        "links": {"board": run.resource},
        "calibration": {
            "branches": calibration.branches.status.size,
            "readings": calibration.branches.readings,
            "bytes": calibration.bytes_moved,
            "bench_seconds": calibration.bench_seconds,
            "board_kelvin": calibration.board_kelvin,
            "wall_seconds": calibration.wall_seconds,
            "design": calibration.branches.design,
            "delay_seconds": calibration.branches.delay_seconds,
            "wild_readings": int(calibration.branches.wild_readings.sum()),
            "drift_ppm": calibration.branches.drift_ppm,
            "kelvin_range": calibration.branches.kelvin_range.tolist(),
            "statuses": calibration.branches.status_counts(),
            "relative_to": "the board's own converters",
            "versions": calibration.versions,
            "expired": run.calibration_expired,
        },
        "program": {
            "rows": run.program.weights.shape[0],
            "outputs": run.program.weights.shape[1],
            "cells": run.program.weights.size,
            "unreachable": int(programmed.unreachable.sum()),
            "rounds": len(programmed.round_residuals),
            "round_residuals": list(programmed.round_residuals),
            "residual_rms": programmed.residual_rms,
            "scale_siemens": programmed.targets.scale_siemens,
            "range_amperes": programmed.range_amperes,
            "wire_ohms": asdict(programmed.wire.wire),
            "wire_uncertainty_ohms": asdict(programmed.wire.uncertainty),
        },
        "validation": {
            "vectors": len(validation.inputs),
            "relative_error": validation.relative_error,
            "bits": validation.bits,
            "worst_bits": validation.worst_bits,
        },
        "bench_seconds": run.spent._asdict(),
        "report": str(report),
    }
    if classification is not None:
        document["classification"] = asdict(classification)
    return document
