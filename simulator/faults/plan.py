"""The fault plan: kinds, places and times of faults, read from TOML and checked."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.files import read_text
from simulator.preset import Shape


class PlanError(ValueError):
    """A fault plan that cannot be used; the message names the file and the key."""


Place = Annotated[int | None, Field(default=None, ge=1)]
Count = Annotated[int | None, Field(default=None, ge=1)]
Fraction = Annotated[float | None, Field(default=None, gt=0, le=1)]
Seconds = Annotated[float | None, Field(default=None, ge=0)]
Operation = Annotated[int | None, Field(default=None, ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Fault(_Section):
    """A fault that begins at a time of the bench's clock, s, or with the nth program message."""

    at_seconds: Seconds
    at_operation: Operation

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.at_seconds is not None and self.at_operation is not None:
            raise ValueError("at_seconds and at_operation exclude each other")
        return self


class Lasting(_Fault):
    """A fault with a beginning (by default the start) and an end (by default never)."""

    until_seconds: Seconds
    until_operation: Operation

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.until_seconds is not None and self.until_seconds <= (self.at_seconds or 0.0):
            raise ValueError("until_seconds must come after the beginning")
        if self.until_operation is not None and self.until_operation <= (self.at_operation or 1):
            raise ValueError("until_operation must come after the beginning")
        return self


class OnBranches(Lasting):
    """A fault of the branches of a row, column and number, or of some drawn from these."""

    row: Place
    column: Place
    branch: Place
    count: Count
    fraction: Fraction

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.count is not None and self.fraction is not None:
            raise ValueError("count and fraction exclude each other")
        if not {"row", "column", "branch", "count", "fraction"} & self.model_fields_set:
            raise ValueError("say where: row, column, branch, count or fraction")
        return self


class BrokenBranches(OnBranches):
    """Branches that are open, short, stuck on or stuck off."""

    kind: Literal["open", "short", "stuck_on", "stuck_off"]


class DriftingBranches(OnBranches):
    """Branches whose closed conductance drifts linearly in time."""

    kind: Literal["drifting"]
    ppm_per_hour: float


class IntermittentBranches(OnBranches):
    """Branches that lose contact for random times, exponentially distributed."""

    kind: Literal["intermittent"]
    mean_closed_seconds: float = Field(ge=1e-3)
    mean_open_seconds: float = Field(ge=1e-3)


class DeadRow(Lasting):
    """A row whose driver puts out 0 V."""

    kind: Literal["dead_row"]
    row: int = Field(ge=1)


class DeadColumn(Lasting):
    """A column without a current."""

    kind: Literal["dead_column"]
    column: int = Field(ge=1)


class AdcStuck(Lasting):
    """A column whose ADC answers one code."""

    kind: Literal["adc_stuck"]
    column: int = Field(ge=1)
    code: int


class TemperatureStep(Lasting):
    """A step of the ambient temperature, K."""

    kind: Literal["temperature_step"]
    kelvin: float = Field(ge=-100, le=100)


class _Striking(Lasting):
    """A fault of single replies: each with a probability, every nth message, or the first one."""

    probability: Annotated[float | None, Field(default=None, gt=0, le=1)]
    every_operations: Operation

    @model_validator(mode="after")
    def _chance_or_moment(self) -> Self:
        if self.probability is not None and self.every_operations is not None:
            raise ValueError("probability and every_operations exclude each other")
        return self


class LateReply(_Striking):
    """A reply that is sent late, by so many seconds of wall time."""

    kind: Literal["reply_delayed"]
    delay_seconds: float = Field(gt=0, le=60)


class TornReply(_Striking):
    """A reply that is cut at a random byte; its rest is sent late, or never."""

    kind: Literal["reply_torn"]
    delay_seconds: Annotated[float | None, Field(default=None, gt=0, le=60)]


class SpoiledReply(_Striking):
    """A reply that is garbled, dropped, sent twice, or replaced by a reset connection."""

    kind: Literal["reply_garbled", "reply_dropped", "reply_duplicated", "connection_reset"]


class PowerCycle(_Fault):
    """A failure of the board's power, which returns at once."""

    kind: Literal["power_cycle"]

    @model_validator(mode="after")
    def _sometime(self) -> Self:
        if self.at_seconds is None and self.at_operation is None:
            raise ValueError("say when: at_seconds or at_operation")
        return self


ReplyFault = LateReply | TornReply | SpoiledReply
BranchFault = BrokenBranches | DriftingBranches | IntermittentBranches
Fault = Annotated[
    BranchFault
    | DeadRow
    | DeadColumn
    | AdcStuck
    | TemperatureStep
    | LateReply
    | TornReply
    | SpoiledReply
    | PowerCycle,
    Field(discriminator="kind"),
]


class FaultPlan(_Section):
    """All faults of a bench. `seed` is that of everything that the plan leaves to chance."""

    seed: int = Field(default=1, ge=0)
    fault: tuple[Fault, ...] = ()

    def stream_names(self) -> list[str]:
        """Return the name of each fault's own random stream: its kind, and its number in that kind.

        A fault appended to the plan leaves the draws of all others as they were.
        """
        kinds = [fault.kind for fault in self.fault]
        return [f"{kind} {kinds[:index].count(kind)}" for index, kind in enumerate(kinds)]


def load_plan(path: Path, shape: Shape, adc_bits: int) -> FaultPlan:
    """Return the fault plan in a TOML file, checked for a board of this shape.

    Raises PlanError that names the file and the key: unreadable TOML, unknown, missing or
    impossible keys, places that the board does not have.
    """
    try:
        plan = FaultPlan.model_validate(tomllib.loads(read_text(path)))
        check_places(plan, shape, adc_bits)
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: not a text file ({error.reason})") from error
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        reason = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].lower()
        reason = reason.removeprefix("value error, ")  # of pydantic
        raise PlanError(f"{path}: {_key(first['loc'])}: {reason}") from error
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error
    return plan


def check_places(plan: FaultPlan, shape: Shape, adc_bits: int) -> None:
    """Raise PlanError, which names the key, for a fault that a board of this shape cannot have."""
    limits = {"row": shape.rows, "column": shape.columns, "branch": shape.branches}
    for index, fault in enumerate(plan.fault):
        for name, limit in limits.items():
            if (getattr(fault, name, None) or 0) > limit:
                raise PlanError(f"{_key(('fault', index, fault.kind, name))}: at most {limit}")
        if isinstance(fault, OnBranches) and fault.count is not None:
            candidates = math.prod(
                limit for name, limit in limits.items() if getattr(fault, name) is None
            )
            if fault.count > candidates:
                raise PlanError(
                    f"{_key(('fault', index, fault.kind, 'count'))}: {fault.count} of {candidates} "
                    "branches that are there"
                )
        if isinstance(fault, AdcStuck) and not -(2**adc_bits) <= 2 * fault.code < 2**adc_bits:
            raise PlanError(f"{_key(('fault', index, fault.kind, 'code'))}: beyond {adc_bits} bits")


def _key(location: tuple[int | str, ...]) -> str:
    """Return a key as a person finds it in the file: faults count from 1, with their kind."""
    if len(location) < 2 or location[0] != "fault":
        return ".".join(map(str, location)) or "fault plan"
    number, *rest = location[1:]
    name = f"fault {int(number) + 1}"
    if rest:
        name += f" ({rest[0]})"
    return ".".join([name, *map(str, rest[1:])])
