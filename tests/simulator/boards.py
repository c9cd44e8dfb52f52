"""Presets for tests: the small one with sections changed, or with everything ideal."""

from typing import Any

from simulator.clock import Clock
from simulator.crossbar import SimulatedCrossbar
from simulator.preset import Preset, load_preset

NO_WIRE = {"wire": {"row_ohms": 0.0, "column_ohms": 0.0, "source_ohms": 0.0, "sense_ohms": 0.0}}
NO_GAIN = {
    "dac": {"gain": 0.0, "offset_volts": 0.0},
    "tia": {"gain": 0.0, "offset_volts": 0.0},
    "adc": {"gain": 0.0},
}
NO_NOISE = {
    "tia": {"noise_volts_per_root_hertz": 0.0},
    "adc": {"noise_free_bits": 60.0, "bits": 32},
    "environment": {"kelvin": 0.0},
}


def changed(preset: Preset, *changes: dict[str, dict[str, Any]], **more: dict[str, Any]) -> Preset:
    """Return a preset with values of its sections replaced, and the whole of it checked again."""
    sections = preset.model_dump()
    for change in (*changes, more):
        for section, values in change.items():
            sections[section] = sections[section] | values
    return Preset.model_validate(sections)


def small(*changes: dict[str, dict[str, Any]], **more: dict[str, Any]) -> Preset:
    """Return the preset 8x4 with values of its sections replaced."""
    return changed(load_preset("8x4"), *changes, **more)


def switched_on(preset: Preset, seed: int) -> SimulatedCrossbar:
    """Return a board with its outputs on."""
    board = SimulatedCrossbar(preset, seed, Clock())
    board.switch_outputs(True)
    return board
