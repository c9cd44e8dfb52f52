"""Board preset of a design, as TOML that `ohmsum sim --board` loads."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from calibration.arrays import Floats
from calibration.studies import Parts
from simulator.preset import Preset

DESIGNED_EFFECTS = "tolerance", "switch_resistance", "leakage"
"""Effects whose factors are dropped from the base: a scaled effect would contradict the design."""


def designed_preset(base: Preset, parts: Parts, ohms: Floats, name: str) -> Preset:
    """Return a preset with these parts at its crosspoints, none of them defective.

    Drift and the rest of the board are those of `base`.
    """
    sections = base.model_dump(exclude={"defects"})
    for effect in DESIGNED_EFFECTS:
        sections["effects"].pop(effect, None)
    sections["name"] = name
    sections["shape"]["branches"] = len(ohms)
    sections["population"] |= {
        "base_ohms": float(ohms.min()),
        "decades": math.log10(ohms.max() / ohms.min()),
        "nominal_ohms": [float(value) for value in ohms],
        "series": "none",
        "distribution": parts.distribution,
        "tolerance": parts.tolerance,
        "batch_share": 0.0,
    }
    sections["switches"] |= {
        "on_ohms": parts.on_ohms,
        "on_spread": parts.on_spread,
        "off_ohms": parts.off_ohms,
        "leakage": 1.0,
    }
    return Preset.model_validate(sections)


def preset_toml(preset: Preset, comments: Sequence[str]) -> str:
    """Return a preset as TOML, below some lines of comment."""
    sections = preset.model_dump(mode="json")
    lines = [
        *(f"# {comment}" for comment in comments),
        "",
        f"name = {_value(sections.pop('name'))}",
    ]
    for section, values in sections.items():
        lines += ["", f"[{section}]"]
        lines += [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    # Strings, numbers and lists of them are written alike in JSON and in TOML.
    return json.dumps(value, allow_nan=False)
