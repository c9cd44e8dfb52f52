"""A board preset: what a simulated board is made of, read from TOML and checked."""

from __future__ import annotations

import tomllib
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator


class PresetError(ValueError):
    """A preset that cannot be used: the message names the file and the key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Shape(_Section):
    rows: int = Field(ge=1, le=512)
    columns: int = Field(ge=1, le=512)
    branches: int = Field(ge=1, le=32)


class Population(_Section):
    base_ohms: float = Field(gt=0)
    decades: float = Field(ge=0, le=4)
    tolerance: float = Field(ge=0, lt=1)


class Switches(_Section):
    on_ohms: float = Field(gt=0)
    on_spread: float = Field(ge=0, lt=1)
    off_ohms: float = Field(gt=0)


class Defects(_Section):
    """Fractions of all branches."""

    open: float = Field(default=0.0, ge=0, le=1)
    short: float = Field(default=0.0, ge=0, le=1)
    stuck_on: float = Field(default=0.0, ge=0, le=1)
    stuck_off: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if self.open + self.short + self.stuck_on + self.stuck_off > 1 + 1e-9:
            raise ValueError("the fractions add up to more than all branches")
        return self


class WireSegments(_Section):
    row_ohms: float = Field(ge=0)
    column_ohms: float = Field(ge=0)
    source_ohms: float = Field(ge=0)
    sense_ohms: float = Field(ge=0)


class Dac(_Section):
    bits: int = Field(ge=4, le=24)
    range_volts: float = Field(gt=0)
    gain: float = Field(ge=0, lt=0.5)
    offset_volts: float = Field(ge=0)


class Tia(_Section):
    ranges_amperes: tuple[float, ...] = Field(min_length=1)
    gain: float = Field(ge=0, lt=0.5)
    offset_volts: float = Field(ge=0)
    noise_volts_per_root_hertz: float = Field(ge=0)

    @field_validator("ranges_amperes")
    @classmethod
    def _ascending(cls, ranges: tuple[float, ...]) -> tuple[float, ...]:
        if ranges[0] <= 0 or any(low >= high for low, high in pairwise(ranges)):
            raise ValueError("ranges must be positive and ascend")
        return ranges


class Adc(_Section):
    bits: int = Field(ge=8, le=32)
    overrange: float = Field(ge=1)
    gain: float = Field(ge=0, lt=0.5)
    noise_free_bits: float = Field(gt=0)
    noise_free_at_seconds: float = Field(gt=0)


class Environment(_Section):
    kelvin: float = Field(ge=0)
    line_hertz: float = Field(gt=0)


class Preset(_Section):
    """Everything that a simulated board is made of; errors and tolerances are limits (±) unless
    said otherwise.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,32}$")
    shape: Shape
    population: Population
    switches: Switches
    defects: Defects = Defects()
    wire: WireSegments
    dac: Dac
    tia: Tia
    adc: Adc
    environment: Environment


def preset_names() -> list[str]:
    """Return the names of the presets that come with the package."""
    folder = resources.files("simulator") / "presets"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_preset(name_or_path: str) -> Preset:
    """Return the preset of this name, or the one in this TOML file.

    Raises PresetError that names what is wrong: no such preset, unreadable TOML, unknown or
    impossible keys.
    """
    if name_or_path in preset_names():
        text = (resources.files("simulator") / "presets" / f"{name_or_path}.toml").read_text(
            "utf-8"
        )
    else:
        try:
            text = Path(name_or_path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            known = ", ".join(preset_names())
            raise PresetError(
                f"{name_or_path}: neither a preset ({known}) nor a readable preset file"
            ) from error
    try:
        return Preset.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PresetError(f"{name_or_path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise PresetError(f"{name_or_path}: {key}: {first['msg'].lower()}") from error
