"""Every effect alone: a factor scales it, zero removes it, and no other notices."""

from importlib import resources

import numpy as np
import pytest

from kirchhoff import Wire, transfer_matrix
from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.parts.resistors import nominal_ohms
from simulator.preset import EFFECTS, PresetError, load_preset

PRESET = load_preset("8x4")
TEXT = (resources.files("simulator") / "presets" / "8x4.toml").read_text("utf-8")
NONE = dict.fromkeys(EFFECTS, 0.0)
HOURS = 9 * 3600.0

# An effect that shows only where another one lets it.
COMPANIONS = {"tcr": ["ambient"], "ambient": ["tcr"], "self_heating": ["tcr"]}
UNSEEN = {"sensor"}
"""Effects that no current shows."""
ADDITIVE = [
    "johnson", "amplifier_noise", "adc_noise", "dac_noise", "flicker", "excess_noise", "mains",
]  # fmt: skip


def pattern():
    shape = PRESET.shape
    random = np.random.default_rng(0)
    return random.random((shape.rows, shape.columns, shape.branches)) < 0.5


VECTORS = np.random.default_rng(1).uniform(-0.9, 0.9, (40, PRESET.shape.rows))


def session(**factors):
    """Readings of an hours-old board, with apertures and delays that hide nothing."""
    board = SimulatedCrossbar(PRESET.with_effects(**factors), 7, Clock())
    board.switch_outputs(True)
    board.clock.advance(HOURS, "settling")
    board.apply(pattern())
    board.configure(range_amperes=1e-3, aperture_seconds=5e-3, delay_seconds=100e-6)
    return board.column_currents(VECTORS)


def test_every_effect_is_made_of_magnitudes_of_its_own():
    paths = [path for paths in EFFECTS.values() for path in paths]
    assert len(paths) == len(set(paths))
    sections = PRESET.model_dump()
    for path in paths:
        section, key = path.split(".")
        assert isinstance(sections[section][key], float), path


def test_without_effects_a_board_is_its_nominal_network():
    nominal = 1 / (nominal_ohms(PRESET.population, 10) + PRESET.switches.on_ohms)
    crosspoints = (pattern() * nominal).sum(axis=2)
    exact = VECTORS @ transfer_matrix(crosspoints, Wire(0, 0, 0, 0))
    np.testing.assert_allclose(session(**NONE), exact, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize("effect", [name for name in EFFECTS if name not in UNSEEN])
def test_a_factor_scales_one_effect(effect):
    companions = dict.fromkeys(COMPANIONS.get(effect, []), 1.0)
    base = NONE | companions
    without = session(**base)
    small, whole = (
        np.sqrt(((session(**base | {effect: factor}) - without) ** 2).mean())
        for factor in (0.1, 1.0)
    )
    assert whole > 0
    assert whole / small == pytest.approx(10, rel=0.15)


def test_the_sensor_is_off_by_its_factor():
    for factor in (0.0, 1.0, 10.0):
        board = SimulatedCrossbar(PRESET.with_effects(ambient=0, sensor=factor), 7, Clock())
        off = board.sensed_kelvin() - PRESET.environment.kelvin
        assert abs(off) <= 0.1 * factor
        assert (off != 0) == (factor != 0)


@pytest.mark.parametrize("effect", ADDITIVE)
@pytest.mark.parametrize("other", ADDITIVE)
def test_an_additive_effect_is_the_same_with_and_without_another(effect, other):
    """Switching one off leaves the draws of the other as they were."""
    if effect == other:
        return
    alone = session(**NONE | {effect: 1.0}) - session(**NONE)
    beside = session(**NONE | {effect: 1.0, other: 1.0}) - session(**NONE | {other: 1.0})
    np.testing.assert_allclose(beside, alone, atol=1e-9 * np.abs(session(**NONE)).max())
    np.testing.assert_allclose(beside, alone, atol=1e-6 * np.abs(alone).max())


@pytest.mark.parametrize("effect", ["tolerance", "switch_resistance", "dac_gain", "tia_gain"])
def test_a_part_that_is_switched_off_leaves_the_noise_as_it_was(effect):
    noise = {"adc_noise": 1.0, "mains": 1.0, "flicker": 1.0}
    quiet = dict.fromkeys(noise, 0.0)
    still = {"adc_quantization": 0.0, "adc_inl": 0.0}
    with_part = session(**still) - session(**still, **quiet)
    without = session(**still, **{effect: 0.0}) - session(**still, **quiet, **{effect: 0.0})
    # Mains and flicker scale with a column's conductance, which a tolerance changes by per cents.
    np.testing.assert_allclose(without, with_part, atol=0.15 * np.abs(with_part).max())
    assert np.corrcoef(without.ravel(), with_part.ravel())[0, 1] > 0.99


def test_factors_of_a_file_are_honoured(tmp_path):
    path = tmp_path / "quiet.toml"
    path.write_text(TEXT + "mains = 0\nadc_noise = 2.5\n", "utf-8")
    quiet = load_preset(str(path)).in_force()
    assert quiet.environment.mains_volts == 0
    assert quiet.adc.noise == 2.5
    assert quiet.in_force() == quiet


def test_a_factor_that_makes_the_impossible_is_refused_where_the_file_is_read(tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text(TEXT + "tolerance = 10\n", "utf-8")  # resistors of less than nothing
    with pytest.raises(PresetError, match=r"odd\.toml: population\.tolerance"):
        load_preset(str(path))


def test_same_seed_and_commands_same_bytes_with_every_effect_at_work():
    assert session().tobytes() == session().tobytes()


def batch_and_singles(aperture_seconds, **factors):
    """The same vectors on two boards: all in one message, and each in one of its own."""
    boards = [SimulatedCrossbar(PRESET.with_effects(**factors), 7, Clock()) for _ in range(2)]
    for board in boards:
        board.switch_outputs(True)
        board.apply(pattern())
        board.configure(range_amperes=1e-3, aperture_seconds=aperture_seconds, delay_seconds=100e-6)
    at_once, one_by_one = boards
    batch = at_once.column_currents(VECTORS)
    single = np.concatenate([one_by_one.column_currents(vector[None]) for vector in VECTORS])
    assert at_once.clock.seconds == pytest.approx(one_by_one.clock.seconds, abs=1e-9)
    return batch, single, at_once.readers.step_amperes(at_once.range_index)


def test_one_batch_and_vectors_one_by_one_draw_the_same():
    """Noise, drift and settling do not depend on how vectors are put into messages."""
    batch, single, step = batch_and_singles(5e-3)
    # The network is solved at the batch's mean temperature: a rounding may fall otherwise.
    assert (batch == single).mean() > 0.98
    assert np.abs(batch - single).max() < 1.01 * step


def test_in_a_long_batch_every_vector_has_its_own_temperature():
    batch, single, _ = batch_and_singles(0.5, adc_quantization=0.0, ambient=5.0)
    np.testing.assert_allclose(batch, single, rtol=0, atol=1e-7 * np.abs(single).max())


@pytest.mark.parametrize("line", ["gravity = 1", "mains = -1", "mains = nan", "mains = 'no'"])
def test_what_is_no_effect_or_no_factor_is_refused(tmp_path, line):
    path = tmp_path / "odd.toml"
    path.write_text(TEXT + line + "\n", "utf-8")
    with pytest.raises(PresetError, match=r"odd\.toml: effects"):
        load_preset(str(path))
