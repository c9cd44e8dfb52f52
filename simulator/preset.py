"""A board preset: the magnitudes of a simulated board, read from TOML and checked."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from simulator.files import read_text

EFFECTS: Mapping[str, tuple[str, ...]] = {
    "tolerance": ("population.tolerance",),
    "tcr": ("population.tcr_per_kelvin", "population.tcr_spread_per_kelvin"),
    "ageing": ("population.ageing_per_decade",),
    "self_heating": ("population.kelvin_per_watt",),
    "excess_noise": ("population.excess_noise_per_decade",),
    "switch_resistance": ("switches.on_spread", "switches.on_per_kelvin"),
    "leakage": ("switches.leakage",),
    "wire": ("wire.row_ohms", "wire.column_ohms", "wire.source_ohms", "wire.sense_ohms"),
    "dac_quantization": ("dac.quantization",),
    "dac_gain": ("dac.gain", "dac.gain_per_kelvin"),
    "dac_offset": ("dac.offset_volts",),
    "dac_inl": ("dac.inl_steps",),
    "dac_noise": ("dac.noise_volts_per_root_hertz",),
    "tia_gain": ("tia.gain", "tia.gain_per_kelvin"),
    "tia_offset": ("tia.offset_volts",),
    "amplifier_noise": ("tia.noise_volts_per_root_hertz",),
    "flicker": ("tia.flicker_volts",),
    "adc_quantization": ("adc.quantization",),
    "adc_gain": ("adc.gain", "adc.gain_per_kelvin"),
    "adc_inl": ("adc.inl",),
    "adc_noise": ("adc.noise",),
    "johnson": ("environment.johnson",),
    "ambient": ("environment.ambient_kelvin",),
    "sensor": ("environment.sensor_kelvin",),
    "mains": ("environment.mains_volts",),
    "settling": ("settling.residue",),
}
"""Every effect that a preset's [effects] section can scale or switch off, with its magnitudes."""


class PresetError(ValueError):
    """A preset that cannot be used; the message names the file and the key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Shape(_Section):
    """Numbers of rows, columns and branches per crosspoint."""

    rows: int = Field(ge=1, le=512)
    columns: int = Field(ge=1, le=512)
    branches: int = Field(ge=1, le=32)


class Population(_Section):
    """The resistors: nominal values, tolerance, drift with temperature and age, excess noise."""

    base_ohms: float = Field(gt=0)
    decades: float = Field(ge=0, le=4)
    nominal_ohms: tuple[float, ...] = ()
    """One value for each branch of a crosspoint, Ω, in place of a ladder over `decades`."""
    series: Literal["none", "E6", "E12", "E24", "E48", "E96"] = "none"
    distribution: Literal["uniform", "normal", "lognormal"] = "uniform"
    tolerance: float = Field(ge=0, lt=1)
    batch_share: float = Field(default=0.0, ge=0, le=1)
    tcr_per_kelvin: float = Field(default=0.0, ge=-0.01, le=0.01)
    tcr_spread_per_kelvin: float = Field(default=0.0, ge=0, le=0.01)
    ageing_per_decade: float = Field(default=0.0, ge=0, le=0.1)
    kelvin_per_watt: float = Field(default=0.0, ge=0)
    excess_noise_per_decade: float = Field(default=0.0, ge=0, le=1e-2)

    @field_validator("nominal_ohms")
    @classmethod
    def _positive(cls, nominal_ohms: tuple[float, ...]) -> tuple[float, ...]:
        if any(ohms <= 0 for ohms in nominal_ohms):
            raise ValueError("resistances must be positive")
        return nominal_ohms


class Switches(_Section):
    """The switches: on-resistance, its spread and drift, resistance when open."""

    on_ohms: float = Field(gt=0)
    on_spread: float = Field(ge=0, lt=1)
    on_per_kelvin: float = Field(default=0.0, ge=-0.1, le=0.1)
    off_ohms: float = Field(gt=0)
    leakage: float = Field(default=1.0, ge=0)

    @field_validator("off_ohms")
    @classmethod
    def _resists_more(cls, off_ohms: float, info: ValidationInfo) -> float:
        max_on_ohms = info.data.get("on_ohms", 0.0) * (1 + info.data.get("on_spread", 0.0))
        if off_ohms <= max_on_ohms:
            raise ValueError(
                f"an open switch must resist more than a closed one, up to {max_on_ohms:g} ohm"
            )
        return off_ohms


class Defects(_Section):
    """Defects of manufacture, as fractions of all branches."""

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
    """Resistances of the wires between crosspoints and at their ends, Ω (kirchhoff.Wire)."""

    row_ohms: float = Field(ge=0)
    column_ohms: float = Field(ge=0)
    source_ohms: float = Field(ge=0)
    sense_ohms: float = Field(ge=0)


class Dac(_Section):
    """The row DACs: resolution, range, and limits of their errors."""

    bits: int = Field(ge=4, le=24)
    range_volts: float = Field(gt=0)
    quantization: float = Field(default=1.0, ge=0)
    gain: float = Field(ge=0, lt=0.5)
    gain_per_kelvin: float = Field(default=0.0, ge=0)
    offset_volts: float = Field(ge=0)
    inl_steps: float = Field(default=0.0, ge=0)
    noise_volts_per_root_hertz: float = Field(default=0.0, ge=0)


class Tia(_Section):
    """The columns' transimpedance amplifiers: ranges, limits of their errors, noise."""

    ranges_amperes: tuple[float, ...] = Field(min_length=1)
    gain: float = Field(ge=0, lt=0.5)
    gain_per_kelvin: float = Field(default=0.0, ge=0)
    offset_volts: float = Field(ge=0)
    noise_volts_per_root_hertz: float = Field(ge=0)
    flicker_volts: float = Field(default=0.0, ge=0)

    @field_validator("ranges_amperes")
    @classmethod
    def _ascending(cls, ranges: tuple[float, ...]) -> tuple[float, ...]:
        if ranges[0] <= 0 or any(low >= high for low, high in pairwise(ranges)):
            raise ValueError("ranges must be positive and ascend")
        return ranges


class Adc(_Section):
    """The columns' ADCs: resolution, overrange, limits of their errors, noise."""

    bits: int = Field(ge=8, le=32)
    quantization: float = Field(default=1.0, ge=0)
    overrange: float = Field(ge=1)
    gain: float = Field(ge=0, lt=0.5)
    gain_per_kelvin: float = Field(default=0.0, ge=0)
    inl: float = Field(default=0.0, ge=0)
    noise: float = Field(default=1.0, ge=0)
    noise_free_bits: float = Field(gt=0)
    noise_free_at_seconds: float = Field(gt=0)


class Environment(_Section):
    """The room and the power line: temperature, its fluctuation, its sensor, mains pickup."""

    kelvin: float = Field(ge=0)
    johnson: float = Field(default=1.0, ge=0)
    ambient_kelvin: float = Field(default=0.0, ge=0)
    ambient_seconds: float = Field(default=600.0, gt=0)
    sensor_kelvin: float = Field(default=0.0, ge=0)
    line_hertz: float = Field(gt=0)
    mains_volts: float = Field(default=0.0, ge=0)
    mains_deviation_hertz: float = Field(default=0.0, ge=0)


class Settling(_Section):
    """Time constants of the columns after a switch or a DAC has changed, s."""

    residue: float = Field(default=1.0, ge=0)
    switch_seconds: float = Field(gt=0)
    dac_seconds: float = Field(gt=0)


class HostLink(_Section):
    """The nominal rate of the board's interface, and its fixed time per message."""

    bytes_per_second: float = Field(gt=0)
    message_seconds: float = Field(ge=0)


class Preset(_Section):
    """All magnitudes of a simulated board.

    Errors and tolerances are limits (±) unless stated otherwise.
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
    settling: Settling = Settling(residue=0.0, switch_seconds=20e-6, dac_seconds=50e-6)
    host_link: HostLink = HostLink(bytes_per_second=1e6, message_seconds=0.0)
    effects: dict[str, float] = Field(default_factory=dict)

    @field_validator("population")
    @classmethod
    def _one_value_a_branch(cls, population: Population, others: ValidationInfo) -> Population:
        count, shape = len(population.nominal_ohms), others.data.get("shape")
        if count and shape is not None and count != shape.branches:
            raise ValueError(f"nominal_ohms has {count} values for {shape.branches} branches")
        return population

    @field_validator("effects")
    @classmethod
    def _known(cls, effects: dict[str, float]) -> dict[str, float]:
        for name, factor in effects.items():
            if name not in EFFECTS:
                raise ValueError(f"{name} is no effect; there are {', '.join(EFFECTS)}")
            if not (math.isfinite(factor) and factor >= 0):
                raise ValueError(f"{name} takes a factor of 0 or more, not {factor}")
        return effects

    def in_force(self) -> Preset:
        """Return the preset with every effect's magnitudes multiplied by its factor.

        A factor of 0 switches an effect off. The result has no factors left.
        """
        sections = self.model_dump()
        for name, factor in sections.pop("effects").items():
            for path in EFFECTS[name]:
                section, key = path.split(".")
                sections[section][key] *= factor
        return Preset.model_validate(sections)

    def with_effects(self, **factors: float) -> Preset:
        """Return the preset with the factors of some effects replaced."""
        sections = self.model_dump()
        sections["effects"] |= factors
        return Preset.model_validate(sections)


def preset_names() -> list[str]:
    """Return the names of the presets that come with the package."""
    folder = resources.files("simulator") / "presets"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_preset(name_or_path: str) -> Preset:
    """Return the preset of a name, or the preset in a TOML file.

    Raises PresetError that names what is wrong: no such preset, unreadable TOML, unknown or
    impossible keys.
    """
    if name_or_path in preset_names():
        text = (resources.files("simulator") / "presets" / f"{name_or_path}.toml").read_text(
            "utf-8"
        )
    else:
        try:
            text = read_text(Path(name_or_path))
        except (OSError, UnicodeDecodeError) as error:
            names = ", ".join(preset_names())
            is_text = not isinstance(error, UnicodeDecodeError)
            reason = (getattr(error, "strerror", None) or error) if is_text else "no text"
            raise PresetError(
                f"{name_or_path or 'sim:'}: neither a preset ({names}) nor a readable preset file "
                f"({reason})"
            ) from error
    try:
        preset = Preset.model_validate(tomllib.loads(text))
        preset.in_force()  # a factor that is too large is reported as a fault of the file
        return preset
    except tomllib.TOMLDecodeError as error:
        raise PresetError(f"{name_or_path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise PresetError(f"{name_or_path}: {key}: {first['msg'].lower()}") from error
