"""Presets: what comes with the package loads, what cannot be is refused by file and key."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.preset import Preset, PresetError, load_preset, preset_names
from tests.support.simulated_boards import small

DEFECTS = ("open", "short", "stuck_on", "stuck_off")
SHAPES = {"8x4": (8, 8), "64x16": (64, 32), "100x100": (100, 200)}


def write(folder, changes=()):
    """A preset file: the small one with lines replaced."""
    sections = small().model_dump(mode="json")
    text = [f'name = "{sections.pop("name")}"']
    for section, values in sections.items():
        text += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    whole = "\n".join(text)
    for old, new in changes:
        whole, count = re.subn(old, new, whole, flags=re.MULTILINE)
        assert count == 1
    path = folder / "mine.toml"
    path.write_text(whole, "utf-8")
    return path


@pytest.mark.parametrize("name", SHAPES)
def test_presets_of_the_package_load(name):
    preset = load_preset(name)
    assert preset.name == name
    assert (preset.shape.rows, preset.shape.columns) == SHAPES[name]
    assert preset.shape.branches == 10
    assert sum(preset.defects.model_dump().values()) == 0


def test_names_are_those_of_the_package():
    assert preset_names() == sorted(SHAPES)


def test_a_file_is_as_good_as_a_name(tmp_path):
    assert load_preset(str(write(tmp_path))) == small()


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (r"^rows = 8", "rows = 0", "shape.rows"),
        (r"^rows = 8", "rows = 8.5", "shape.rows"),
        (r"^rows = 8", "lines = 8", "shape.rows"),
        (r"^columns = 8", "columns = 8\nlayers = 2", "shape.layers"),
        (r"^branches = 10", "branches = 33", "shape.branches"),
        (r"^base_ohms = .*", "base_ohms = -1.0", "population.base_ohms"),
        (r"^tolerance = .*", "tolerance = 1.0", "population.tolerance"),
        (r"^on_ohms = .*", "on_ohms = nan", "switches.on_ohms"),
        (r"^off_ohms = .*", "off_ohms = inf", "switches.off_ohms"),
        (r"^off_ohms = .*", "off_ohms = 23.9", "switches.off_ohms"),
        (r"^row_ohms = .*", "row_ohms = -0.1", "wire.row_ohms"),
        (r"^offset_volts = 0.001", "offset_volts = -1e-3", "dac.offset_volts"),
        (r"^ranges_amperes = .*", "ranges_amperes = []", "tia.ranges_amperes"),
        (r"^ranges_amperes = .*", "ranges_amperes = [1e-3, 1e-6]", "tia.ranges_amperes"),
        (r"^ranges_amperes = .*", "ranges_amperes = [0.0, 1e-6]", "tia.ranges_amperes"),
        (r"^noise_free_bits = .*", "noise_free_bits = 'many'", "adc.noise_free_bits"),
        (r"^line_hertz = .*", "line_hertz = 0", "environment.line_hertz"),
        (r"^name = .*", "name = 'a,b'", "name"),
        (r"^\[environment\]", "[climate]", "environment"),
        (r"^open = .*", "open = 1.5", "defects.open"),
        (r"^nominal_ohms = .*", "nominal_ohms = [1e3, 2e3]", "population"),
        (r"^nominal_ohms = .*", "nominal_ohms = [1e3, 0.0]", "population.nominal_ohms"),
    ],
)
def test_what_cannot_be_is_refused_by_file_and_key(tmp_path, old, new, key):
    path = write(tmp_path, [(old, new)])
    with pytest.raises(PresetError) as refusal:
        load_preset(str(path))
    assert str(refusal.value).startswith(f"{path}: {key}: ")
    assert "\n" not in str(refusal.value)


DENSITY, MAINS = "noise_volts_per_root_hertz", ("mains_volts", "mains_deviation_hertz")
FROM_ZERO = {
    "population": ["kelvin_per_watt"],
    "switches": ["leakage"],
    "wire": ["row_ohms", "column_ohms", "source_ohms", "sense_ohms"],
    "dac": ["quantization", "gain_per_kelvin", "offset_volts", "inl_steps", DENSITY],
    "tia": ["gain_per_kelvin", "offset_volts", "flicker_volts", DENSITY],
    "adc": ["quantization", "gain_per_kelvin", "inl", "noise"],
    "environment": ["kelvin", "johnson", "ambient_kelvin", "sensor_kelvin", *MAINS],
    "settling": ["residue"],
    "host_link": ["message_seconds"],
}
ABOVE_ZERO = {
    "population": ["base_ohms"],
    "switches": ["off_ohms"],
    "dac": ["range_volts"],
    "adc": ["noise_free_bits", "noise_free_at_seconds"],
    "environment": ["ambient_seconds", "line_hertz"],
    "settling": ["switch_seconds", "dac_seconds"],
    "host_link": ["bytes_per_second"],
}
LIMITS = [
    ("shape.rows", 1, 0, 512, 513),
    ("shape.columns", 1, 0, 512, 513),
    ("shape.branches", 1, 0, 32, 33),
    ("dac.bits", 4, 3, 24, 25),
    ("adc.bits", 8, 7, 32, 33),
    ("adc.overrange", 1.0, 0.999, 10.0, None),
    ("population.decades", 0.0, -0.001, 4.0, 4.001),
    ("population.batch_share", 0.0, -0.001, 1.0, 1.001),
    ("population.tcr_per_kelvin", -0.01, -0.0101, 0.01, 0.0101),
    ("population.tcr_spread_per_kelvin", 0.0, -1e-9, 0.01, 0.0101),
    ("population.ageing_per_decade", 0.0, -1e-9, 0.1, 0.101),
    ("population.excess_noise_per_decade", 0.0, -1e-9, 0.01, 0.0101),
    ("population.tolerance", 0.0, -1e-9, 0.999, 1.0),
    ("switches.on_spread", 0.0, -1e-9, 0.999, 1.0),
    ("switches.on_per_kelvin", -0.1, -0.101, 0.1, 0.101),
    ("dac.gain", 0.0, -1e-9, 0.499, 0.5),
    ("tia.gain", 0.0, -1e-9, 0.499, 0.5),
    ("adc.gain", 0.0, -1e-9, 0.499, 0.5),
    *((f"defects.{kind}", 0.0, -1e-9, 1.0, 1.001) for kind in DEFECTS),
    *((f"{part}.{key}", 0.0, -1e-9, 1e9, None) for part in FROM_ZERO for key in FROM_ZERO[part]),
    *((f"{part}.{key}", 1e-9, 0.0, 1e9, None) for part in ABOVE_ZERO for key in ABOVE_ZERO[part]),
]
"""Of a key: the last value that is taken and the first that is refused, below and above."""


def with_value(key, value):
    """The small preset with one value replaced; what its other values must match goes along."""
    section, name = key.split(".")
    sections = small().model_dump()
    sections["population"]["nominal_ohms"] = ()
    sections["defects"] = dict.fromkeys(DEFECTS, 0.0)
    if key == "switches.off_ohms":
        sections["switches"] |= {"on_ohms": 1e-12}
    sections[section][name] = value
    return Preset.model_validate(sections)


@pytest.mark.parametrize(("key", "least", "too_little", "most", "too_much"), LIMITS)
def test_the_last_value_of_a_key_is_taken_and_the_next_refused(
    key, least, too_little, most, too_much
):
    section, name = key.split(".")
    for value in (least, most):
        assert getattr(getattr(with_value(key, value), section), name) == value
    for value in (too_little, too_much):
        if value is not None:
            with pytest.raises(ValidationError, match=name):
                with_value(key, value)


def test_every_number_of_a_preset_has_its_limits_in_the_table():
    sections = small().model_dump(exclude={"name", "effects"})
    numbers = {
        f"{section}.{key}"
        for section, values in sections.items()
        for key, value in values.items()
        if isinstance(value, int | float)
    }
    assert numbers - {key for key, *_ in LIMITS} == {"switches.on_ohms"}


def test_a_list_of_nominal_values_must_have_one_for_each_branch(tmp_path):
    path = write(tmp_path, [(r"^nominal_ohms = .*", "nominal_ohms = [1e3, 2e3]")])
    with pytest.raises(PresetError, match=r"nominal_ohms has 2 values for 10 branches"):
        load_preset(str(path))


def test_defects_cannot_be_more_than_all_branches(tmp_path):
    path = write(tmp_path, [(r"^open = .*", "open = 0.6"), (r"^short = .*", "short = 0.6")])
    with pytest.raises(PresetError, match=r"mine\.toml: defects: .*more than all"):
        load_preset(str(path))


def test_what_is_no_toml_is_refused(tmp_path):
    path = write(tmp_path, [(r"^\[dac\]", "[dac")])
    with pytest.raises(PresetError, match=r"mine\.toml: .*line \d+"):
        load_preset(str(path))


def test_what_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PresetError, match=r"mine\.toml: neither a preset"):
        load_preset(str(path))


@pytest.mark.parametrize("name", ["8x5", "", "../8x4", "8x4.toml"])
def test_unknown_name_is_told_which_there_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PresetError, match=r"100x100, 64x16, 8x4"):
        load_preset(name)


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=200))
def test_any_text_is_a_preset_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(PresetError, match=r"any\.toml"):
        load_preset(str(path))
