"""A fault plan: what goes wrong on a simulated bench, where and when; read from TOML, checked."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.files import read_text
from simulator.preset import Shape


class PlanError(ValueError):
    """A fault plan that cannot be used: the message names the file and the key."""


Place = Annotated[int | None, Field(default=None, ge=1)]
Count = Annotated[int | None, Field(default=None, ge=1)]
Fraction = Annotated[float | None, Field(default=None, gt=0, le=1)]
Seconds = Annotated[float | None, Field(default=None, ge=0)]
Operation = Annotated[int | None, Field(default=None, ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Fault(_Section):
    """When a fault begins: at a second of the bench's clock, or with the nth program message."""

    at_seconds: Seconds
    at_operation: Operation

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.at_seconds is not None and self.at_operation is not None:
            raise ValueError("at_seconds and at_operation exclude each other")
        return self


class Lasting(_Fault):
    """A fault that is there from its beginning (the start if none is given) to its end (never)."""

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
    """Strikes the branches of this row, column and number, or some drawn from among them."""

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
    kind: Literal["open", "short", "stuck_on", "stuck_off"]


class DriftingBranches(OnBranches):
    kind: Literal["drifting"]
    ppm_per_hour: float


class IntermittentBranches(OnBranches):
    kind: Literal["intermittent"]
    mean_closed_seconds: float = Field(ge=1e-3)
    mean_open_seconds: float = Field(ge=1e-3)


class DeadRow(Lasting):
    kind: Literal["dead_row"]
    row: int = Field(ge=1)


class DeadColumn(Lasting):
    kind: Literal["dead_column"]
    column: int = Field(ge=1)


class AdcStuck(Lasting):
    kind: Literal["adc_stuck"]
    column: int = Field(ge=1)
    code: int


class TemperatureStep(Lasting):
    kind: Literal["temperature_step"]
    kelvin: float = Field(ge=-100, le=100)


class _Striking(Lasting):
    """A fault of single replies: each with a probability while it lasts, or else the first one."""

    probability: Annotated[float | None, Field(default=None, gt=0, le=1)]
    every_operations: Operation

    @model_validator(mode="after")
    def _chance_or_moment(self) -> Self:
        if self.probability is not None and self.every_operations is not None:
            raise ValueError("probability and every_operations exclude each other")
        return self


class LateReply(_Striking):
    kind: Literal["reply_delayed"]
    delay_seconds: float = Field(gt=0, le=60)


class TornReply(_Striking):
    kind: Literal["reply_torn"]
    delay_seconds: Annotated[float | None, Field(default=None, gt=0, le=60)]


class SpoiledReply(_Striking):
    kind: Literal["reply_garbled", "reply_dropped", "reply_duplicated", "connection_reset"]


class PowerCycle(_Fault):
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
    """What goes wrong. `seed` is that of everything which the plan leaves to chance."""

    seed: int = Field(default=1, ge=0)
    fault: tuple[Fault, ...] = ()

    def streams(self) -> list[str]:
        """Return the name of each fault's own stream of random numbers: its kind, and which of
        that kind it is, so that one fault more shifts no other's draws.
        """
        kinds = [fault.kind for fault in self.fault]
        return [f"{kind} {kinds[:index].count(kind)}" for index, kind in enumerate(kinds)]


def load_plan(path: Path, shape: Shape, adc_bits: int) -> FaultPlan:
    """Return the fault plan in this TOML file, for a board of this shape.

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
        said = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].lower()
        said = said.removeprefix("value error, ")  # of pydantic
        raise PlanError(f"{path}: {_key(first['loc'])}: {said}") from error
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error
    return plan


def check_places(plan: FaultPlan, shape: Shape, adc_bits: int) -> None:
    """Raise PlanError that names the key of a fault which a board of this shape cannot have."""
    limits = {"row": shape.rows, "column": shape.columns, "branch": shape.branches}
    for index, fault in enumerate(plan.fault):
        for name, limit in limits.items():
            if (getattr(fault, name, None) or 0) > limit:
                raise PlanError(f"{_key(('fault', index, fault.kind, name))}: at most {limit}")
        if isinstance(fault, OnBranches) and fault.count is not None:
            there = math.prod(
                limit for name, limit in limits.items() if getattr(fault, name) is None
            )
            if fault.count > there:
                raise PlanError(
                    f"{_key(('fault', index, fault.kind, 'count'))}: {fault.count} of {there} "
                    "branches that are there"
                )
        if isinstance(fault, AdcStuck) and not -(2**adc_bits) <= 2 * fault.code < 2**adc_bits:
            raise PlanError(f"{_key(('fault', index, fault.kind, 'code'))}: beyond {adc_bits} bits")


def _key(location: tuple[int | str, ...]) -> str:
    """Return a key as a person finds it: faults count from 1, and go by their kind."""
    if len(location) < 2 or location[0] != "fault":
        return ".".join(map(str, location)) or "fault plan"
    number, *rest = location[1:]
    name = f"fault {int(number) + 1}"
    if rest:
        name += f" ({rest[0]})"
    return ".".join([name, *map(str, rest[1:])])
