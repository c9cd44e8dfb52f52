"""Page of the report: the values that the template needs of a run, and the filled template."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined, Template
from numpy.typing import NDArray

from calibration.arrays import Bools
from calibration.branches import BranchCalibration, BranchStatus
from calibration.converters import CLASS_RATIO, ChannelStatus, Converters, Largest
from calibration.statistics import as_finite_bits
from instrument import wording
from instrument.board_calibration import Calibration
from instrument.budget import MAX_ERROR_RATIO, unforeseen_in_words
from instrument.digits import Classification
from instrument.drawing import READER_FONTS
from instrument.pipeline import Run
from instrument.report import pictures, validation_pictures
from instrument.report import validation as tables
from instrument.report.budget import waterfall
from instrument.report.noise import noise_rows
from instrument.results import Specification, unforeseen_of
from instrument.validation import (
    CONFIDENCE_LEVEL,
    Validation,
    by_output,
    worst_vectors,
    worst_weights,
)

MAX_FAULTS_LISTED = 60
"""Entries of a list of faults that are printed; the rest is counted."""


@dataclass(frozen=True)
class Circumstances:
    """Facts of a run beyond what was measured."""

    title: str
    seed: int | None = None
    """Seed of the simulated bench; None for a real one."""
    wall_seconds: float | None = None
    about: Mapping[str, Any] | None = None
    """The `run` of the result document: id, times, command, versions, files. Without it the page
    depends on nothing but what was measured.
    """


@dataclass(frozen=True)
class Precision:
    """The headline figures."""

    relative_error: float
    bits: float
    worst_bits: float
    rms_of_full_scale: float
    worst_of_full_scale: float


@dataclass(frozen=True)
class Criterion:
    """One demand of the specification."""

    name: str
    required: str
    reached: str
    met: bool


@dataclass(frozen=True)
class Round:
    """One round of refinement."""

    number: int
    residual: float
    bits: float


@dataclass(frozen=True)
class ConverterFigures:
    """Figures of the converters."""

    dac: Largest
    """Largest deviation of a DAC, volts."""
    adc: Largest
    """Largest deviation of an ADC, as a fraction of the range."""
    step_volts: float
    offset_volts: float
    """Offset of the DACs, rms."""
    offset_uncertainty_volts: float
    gain_spread: float
    """Spread of the gains of the compared ranges, rms."""
    gain_uncertainty: float | None
    """Relative uncertainty of the widest range that was compared; None if none was."""
    readings: int
    left_out: int


@dataclass(frozen=True)
class Listing:
    """The first entries of a list of faults, and the number of the others."""

    entries: list[str]
    more: int


def render(
    run: Run,
    specification: Specification,
    classification: Classification | None,
    circumstances: Circumstances,
) -> str:
    """Return the page as HTML."""
    precision = _precision(run)
    branches = run.calibration.branches
    return _template().render(
        run=run,
        circumstances=circumstances,
        classification=classification,
        met=specification.met(run, classification),
        criteria=_criteria(run, specification, classification),
        precision=precision,
        per_output=specification.scope == "output",
        output_rows=tables.output_rows(run),
        worst_vectors=worst_vectors(run.validation),
        worst_weights=worst_weights(run.program),
        not_foreseen=_not_foreseen(run),
        branch_uncertainty=_branch_uncertainty(branches),
        faults=_faults(branches),
        dead=_places(branches.dead_crosspoints),
        wild=_places(branches.wild_readings),
        converters=_converters(run.calibration),
        noise_rows=noise_rows(run.calibration.noise),
        idle=_idle(run.calibration.converters),
        rounds=_rounds(run),
        one_shot_rows=tables.one_shot_rows(run.validation, run.checks),
        not_one_shot_rows=tables.not_one_shot_rows(run.checks),
        shares=tables.shares(run.checks),
        confidence_level=CONFIDENCE_LEVEL,
        interval=tables.interval_in_words(run.validation.bits_interval),
        scales=tables.scales_in_words(run.program.tiles[0].matrix.programmed),
        measuring_noise=pictures.measuring_noise(run.program.tiles[0].matrix.programmed),
        tile_rows=tables.tile_rows(run),
        unreachable=_weights(run, run.program.unreachable & ~run.program.lost),
        coarse=_weights(run, run.program.coarse),
        lost=_lost(run),
        recoveries=wording.recoveries(run.recovery),
        fonts=READER_FONTS,
        pictures={
            name: "data:image/svg+xml;base64," + b64encode(svg.encode()).decode("ascii")
            for name, svg in _pictures(run).items()
        },
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        bits=wording.bits,
        count=wording.count,
        duration=wording.duration,
        measured=wording.measured,
        percent=wording.percent,
        ppm=wording.ppm,
        quantity=wording.quantity,
        scientific=wording.scientific,
    )
    text = (resources.files("instrument.report") / "template.html").read_text("utf-8")
    return environment.from_string(text)


def _pictures(run: Run) -> dict[str, str]:
    checks, stated = run.checks, _of_outputs_left(run)
    drawn = {
        "predicted": pictures.predicted_against_measured(stated),
        "histogram": pictures.error_histogram(stated),
        "map": pictures.error_map(run.program),
        "branches": pictures.bits_against_branches(run.coverage, run.validation.bits),
        "convergence": pictures.convergence(run.program),
        "converters": pictures.converter_curves(run.calibration.converters),
        "budget": waterfall(run.budgets.whole, run.validation.bits),
        "averaging": validation_pictures.averaging(run.validation, checks),
    }
    if checks.intermediate_precision:
        drawn["hours"] = validation_pictures.over_hours(checks.intermediate_precision)
    return drawn


def _of_outputs_left(run: Run) -> Validation:
    """Return the products of the outputs that are not lost."""
    left, products = ~run.program.lost, run.validation
    return replace(products, exact=products.exact[:, left], answered=products.answered[:, left])


def _precision(run: Run) -> Precision:
    validation = _of_outputs_left(run)
    of_full_scale = validation.error / validation.full_scale
    return Precision(
        relative_error=validation.relative_error,
        bits=validation.bits,
        worst_bits=validation.worst_bits,
        rms_of_full_scale=float(np.sqrt((of_full_scale**2).mean())),
        worst_of_full_scale=float(np.abs(of_full_scale).max()),
    )


def _criteria(
    run: Run, specification: Specification, classification: Classification | None
) -> list[Criterion]:
    interval = run.validation.bits_interval
    criteria = [
        Criterion(
            "Bits of relative error of all outputs, worse end of the interval",
            f"at least {specification.bits:g}",
            wording.NONE if interval is None else wording.bits(interval.low),
            run.validation.meets(specification.bits),
        )
    ]
    if specification.scope == "output":
        criteria.append(_of_every_output(run, specification))
    if deviating := unforeseen_of(run):
        factor = max((products.factor for products in deviating), key=_distance_from_one)
        criteria.append(
            Criterion(
                "Error measured, over that of the budget",
                f"at most {MAX_ERROR_RATIO:g}",
                f"{factor:.3g}",
                met=not any(products.worse for products in deviating),
            )
        )
    if lost := int(run.program.lost.sum()):
        criteria.append(Criterion("Outputs lost", "none", str(lost), met=False))
    if specification.agreement is not None and classification is not None:
        criteria.append(
            Criterion(
                "Decisions equal to the digital ones",
                f"at least {wording.percent(specification.agreement)}",
                wording.percent(classification.agreement),
                classification.agreement >= specification.agreement,
            )
        )
    return criteria


def _distance_from_one(factor: float) -> float:
    return abs(math.log(factor or 1e-9))


def _not_foreseen(run: Run) -> str | None:
    """Describe the products that were not foreseen; None if all were."""
    deviating = unforeseen_of(run)
    if not deviating:
        return None
    return unforeseen_in_words([asdict(products) for products in deviating])


def _of_every_output(run: Run, specification: Specification) -> Criterion:
    """Return the demand that each output with nonzero weights reaches the bits by itself."""
    outputs = by_output(run.program, run.validation)
    intervals = [
        outputs[output].bits_interval for output in np.flatnonzero(run.program.weights.any(axis=0))
    ]
    worst = min((ends.low for ends in intervals if ends), default=math.nan)
    unstated = sum(ends is None for ends in intervals)
    return Criterion(
        "The same of every output, the worst of them",
        f"at least {specification.bits:g}",
        wording.bits(worst) + (f"; {unstated} without an interval" if unstated else ""),
        met=not unstated and worst >= specification.bits,
    )


def _branch_uncertainty(branches: BranchCalibration) -> tuple[float, float] | None:
    """Return the median standard uncertainty of a working branch: siemens, and relative to it.

    None if no branch works.
    """
    usable = branches.usable
    if not usable.any():
        return None
    uncertainty, siemens = branches.uncertainty_siemens[usable], branches.branch_siemens[usable]
    return float(np.median(uncertainty)), float(np.median(uncertainty / siemens))


def _places(counts: NDArray[np.generic]) -> Listing:
    """List the crosspoints where counts (rows, columns) are not zero, with their counts."""
    places = np.argwhere(counts)
    entries = [
        f"{row + 1}, {column + 1}" + (f": {counts[row, column]}" if counts.dtype != bool else "")
        for row, column in places[:MAX_FAULTS_LISTED].tolist()
    ]
    return Listing(entries, len(places) - len(entries))


def _faults(branches: BranchCalibration) -> Listing:
    places = np.argwhere(~branches.usable)
    entries = []
    for row, column, branch in places[:MAX_FAULTS_LISTED].tolist():
        status = BranchStatus(branches.status[row, column, branch])
        entries.append(f"{row + 1}, {column + 1}, {branch + 1}: {status.name.lower()}")
    return Listing(entries, len(places) - len(entries))


def _converters(calibration: Calibration) -> ConverterFigures:
    converters, gains = calibration.converters, calibration.ranges
    offsets = converters.offsets
    typical = np.median(gains.uncertainty, axis=1)
    compared = np.flatnonzero((typical > 0) & (typical < CLASS_RATIO))
    return ConverterFigures(
        dac=converters.rows.largest(),
        adc=converters.columns.largest(),
        step_volts=converters.step_volts,
        offset_volts=float(np.sqrt((offsets.row_volts**2).mean())),
        offset_uncertainty_volts=float(np.median(offsets.row_uncertainty_volts)),
        gain_spread=float(gains.factors[compared].std()) if len(compared) else 0.0,
        gain_uncertainty=float(typical[compared[-1]]) if len(compared) else None,
        readings=converters.readings + gains.readings,
        left_out=converters.left_out,
    )


def _idle(converters: Converters) -> Listing:
    """List the rows and columns whose converters do not work."""
    entries = [
        f"{kind} {channel}: {ChannelStatus(status).name.lower()}"
        for kind, statuses in (("row", converters.row_status), ("column", converters.column_status))
        for channel, status in enumerate(statuses, start=1)
        if status != ChannelStatus.OK
    ]
    return Listing(entries[:MAX_FAULTS_LISTED], max(len(entries) - MAX_FAULTS_LISTED, 0))


def _weights(run: Run, listed: Bools) -> Listing:
    """List the marked weights (rows, outputs), as wanted and as they are."""
    program, weights = run.program, run.program.weights
    has = weights + program.residual_weights
    places = np.argwhere(listed)
    entries = [
        f"{row + 1}, {output + 1}: {weights[row, output]:.4g}, is {has[row, output]:.4g}"
        for row, output in places[:MAX_FAULTS_LISTED].tolist()
    ]
    return Listing(entries, len(places) - len(entries))


def _lost(run: Run) -> Listing:
    places = np.flatnonzero(run.program.lost)
    return Listing(
        [str(output + 1) for output in places[:MAX_FAULTS_LISTED]],
        max(len(places) - MAX_FAULTS_LISTED, 0),
    )


def _rounds(run: Run) -> list[Round]:
    """List the rounds of refinement of a matrix of one tile."""
    residuals = np.array(run.program.tiles[0].matrix.programmed.round_residuals)
    bits = as_finite_bits(residuals)
    return [
        Round(index + 1, float(residual), float(bits[index]))
        for index, residual in enumerate(residuals)
    ]
