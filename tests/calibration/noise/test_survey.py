"""The survey finds every cause of noise where it is, as large as it is, and nowhere else."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.constants import k as boltzmann

from calibration.branches.characterization import characterize
from calibration.errors import OverloadError
from calibration.noise.readings import Settings
from calibration.noise.survey import _without_rounding, survey_noise, usual_settings
from calibration.statistics.measured_value import MeasuredValue
from calibration.temperature.survey_coefficients import CLASS_PER_KELVIN
from simulator.parts.resistors import draw_branches
from simulator.preset import load_preset
from tests.support.branch_calibrations import calibration_of
from tests.support.simulated_boards import changed, switched_on

SEED = 5
PRESET = changed(load_preset("64x16"), shape={"columns": 16})
SETTINGS = Settings(range_amperes=3e-3, aperture_seconds=20e-3, delay_seconds=1e-3, line_hertz=50.0)
STEP = 2.1 / 2**24
"""Of the ADC, over the range."""
ROW_OF = {
    "adc_noise": "adc_noise",
    "adc_quantization": "adc_quantization",
    "johnson": "johnson",
    "amplifier_noise": "amplifier",
    "flicker": "flicker",
    "dac_noise": "dac_noise",
    "dac_quantization": "dac_quantization",
    "excess_noise": "excess",
    "mains": "mains",
}
"""The row of the survey that shows an effect of the simulated board."""


def laws(preset):
    """What the rows shall be, by the laws of docs/simulator.md."""
    preset = preset.in_force()
    bandwidth = 1 / (2 * SETTINGS.aperture_seconds)
    peak_to_peak = 2 * preset.adc.overrange / 2**preset.adc.noise_free_bits
    return {
        "adc_noise": (preset.adc.noise * peak_to_peak / 6.6) ** 2,
        "adc_quantization": (preset.adc.quantization * STEP) ** 2 / 12,
        "johnson": preset.environment.johnson**2 * 4 * boltzmann * 296.15 * bandwidth,
        "amplifier": preset.tia.noise_volts_per_root_hertz**2 * bandwidth,
        "flicker": preset.tia.flicker_volts**2,
        "dac_noise": preset.dac.noise_volts_per_root_hertz**2 * bandwidth,
        "dac_quantization": (preset.dac.quantization * 2**-15) ** 2 / 12,
        "excess": preset.population.excess_noise_per_decade**2 / np.log(10),
        "mains": preset.environment.mains_volts**2,
    }


@cache
def surveyed(preset=PRESET, **effects):
    """A survey of a board of which the branches are known."""
    preset = preset.with_effects(**effects)
    board = switched_on(preset, SEED)
    calibration = calibration_of(draw_branches(preset.in_force(), SEED).closed_siemens)
    return survey_noise(board, calibration, SETTINGS)


@pytest.mark.parametrize("factor", [0.0, 10.0])
@pytest.mark.parametrize("effect", ROW_OF)
def test_an_effect_shows_in_its_own_row_and_in_no_other(effect, factor):
    survey = surveyed(**{effect: factor})
    for row, law in laws(PRESET.with_effects(**{effect: factor})).items():
        found = getattr(survey, row)
        rounding = 1e-6 * STEP**2  # the step of an ADC is seen or not, it has no uncertainty
        if row != "adc_quantization":
            rounding = 4 * found.uncertainty
        assert abs(found.value - law) <= rounding, row
    own, usual = getattr(survey, ROW_OF[effect]), getattr(surveyed(), ROW_OF[effect])
    if factor:
        assert own.value > max(20 * usual.value, 10 * usual.upper_limit)
        assert own.uncertainty < own.value / 4
    elif effect != "adc_quantization":
        assert not own.value > 4 * own.uncertainty


def test_offsets_of_columns_without_any_noise_are_no_steps():
    silent = dict.fromkeys(ROW_OF, 0.0) | {"adc_quantization": 1.0, "ambient": 0.0}
    preset = changed(PRESET, shape={"columns": 4}, tia={"offset_volts": 1e-4})
    survey = surveyed.__wrapped__(preset, **silent)
    assert survey.adc_quantization.value <= STEP**2 / 12 * 1.01


def test_what_the_survey_resolves_on_a_board_with_everything_on():
    survey = surveyed()
    resolved = {row: getattr(survey, row).resolved for row in ROW_OF.values()}
    assert resolved == dict.fromkeys(ROW_OF.values(), True) | {"flicker": resolved["flicker"]}
    assert survey.johnson.value == pytest.approx(
        survey.johnson_expected, abs=4 * survey.johnson.uncertainty
    )
    assert survey.columns == 16
    # 20 µV at 0.02 Hz beside the line's nominal frequency, at most
    assert 0 < survey.mains_left.value < (20e-6 * np.sinc(0.9996)) ** 2


@pytest.mark.parametrize("factor", [1.0, 10.0])
def test_settling_is_found_and_foreseen(factor):
    settling = surveyed(settling=factor).settling
    share = 50e-6 / SETTINGS.aperture_seconds * factor
    assert settling.at_once.value == pytest.approx(share, abs=4 * settling.at_once.uncertainty)
    assert settling.seconds.value == pytest.approx(50e-6, abs=4 * settling.seconds.uncertainty)
    left = share * np.exp(-SETTINGS.delay_seconds / 50e-6)
    assert settling.left.value == pytest.approx(left, rel=0.05)
    assert abs(settling.left_seen.value) < 4 * settling.left_seen.uncertainty < 2e-6


@pytest.mark.parametrize("aperture", [20e-3, 7e-3])
def test_what_an_aperture_passes_of_the_mains_is_the_mean_over_its_frequency(aperture):
    """Against draws of a line frequency that is known to 0.1 Hz."""
    line, square = MeasuredValue(49.97, 0.1), MeasuredValue(4e-10, 1e-11)
    settings = replace(SETTINGS, aperture_seconds=aperture)
    left = replace(surveyed(), line_hertz=line, mains=square, settings=settings).mains_left
    hertz = np.random.default_rng(1).normal(line.value, line.uncertainty, 1_000_000)
    passed = np.sinc(hertz * aperture) ** 2
    assert left.value == pytest.approx(square.value * passed.mean(), rel=0.01, abs=0)
    spread = np.hypot(square.value * passed.std(), square.uncertainty * passed.mean())
    assert left.uncertainty == pytest.approx(spread, rel=0.02, abs=0)


def test_what_settles_at_once_leaves_nothing():
    settling = surveyed(settling=0.0).settling
    assert not settling.seconds.value
    assert abs(settling.at_once.value) < 4 * settling.at_once.uncertainty


@pytest.mark.parametrize("effects", [{}, {"ambient": 10.0}, {"tcr": 10.0}])
def test_temperature_coefficient_of_the_gain(effects):
    preset = PRESET.with_effects(**effects).in_force()
    closed = draw_branches(preset, SEED).closed
    board = switched_on(preset, SEED)
    converters = (
        board.readers.tia_gain_per_kelvin.mean()
        + board.readers.adc_gain_per_kelvin.mean()
        + board.dacs.gain_per_kelvin.mean()
    )
    truth = closed.first.sum() / closed.siemens.sum() + converters
    found = surveyed(**effects).warming.gain_per_kelvin
    assert found.value == pytest.approx(truth, abs=4 * found.uncertainty)
    assert found.uncertainty < 0.2 * abs(truth)


@pytest.mark.parametrize("effects", [{"ambient": 10.0}, {"tcr": 10.0, "ambient": 3.0}])
def test_coefficients_of_the_branches_apart(effects):
    closed = draw_branches(PRESET.with_effects(**effects).in_force(), SEED).closed
    # the coefficients that count are those of the currents' squares
    apart = closed.first - closed.siemens * closed.first.sum() / closed.siemens.sum()
    truth = (apart**2).sum() / (closed.siemens**2).sum()
    found = surveyed(**effects).warming.branch_square
    assert abs(found.value - truth) < 3 * found.uncertainty
    assert 1 / 3 < found.value / truth < 3


COLUMNS = changed(PRESET, shape={"columns": 64}, tia={"gain_per_kelvin": 3e-5})


def test_coefficients_of_the_columns_apart():
    readers = switched_on(COLUMNS, SEED).readers
    truth = (readers.tia_gain_per_kelvin + readers.adc_gain_per_kelvin).var()
    found = surveyed.__wrapped__(COLUMNS, ambient=30.0).warming.column_square
    assert abs(found.value - truth) < 3 * found.uncertainty
    assert found.uncertainty < truth / 5


def test_columns_that_keep_together_have_no_coefficients_apart():
    alike = {"ambient": 30.0, "tcr": 0.0, "tia_gain": 0.0, "adc_gain": 0.0}
    found = surveyed.__wrapped__(COLUMNS, **alike).warming.column_square
    # of a class of 10 ppm/K that is supposed before anything is measured
    assert 0 <= found.value < (2e-6) ** 2
    assert found.uncertainty < (5e-6) ** 2


@pytest.mark.parametrize("seed", range(3))
def test_strong_excess_noise_is_not_taken_for_coefficients_of_the_branches(seed):
    """The noise moves the chopped readings by hundreds of times what the branches' drift does."""
    preset = PRESET.with_effects(excess_noise=30.0)
    drawn = draw_branches(preset.in_force(), seed)
    board = switched_on(preset, seed)
    survey = survey_noise(board, calibration_of(drawn.closed_siemens), SETTINGS)
    apart = drawn.closed.first - drawn.closed.siemens * (
        drawn.closed.first.sum() / drawn.closed.siemens.sum()
    )
    truth = (apart**2).sum() / (drawn.closed.siemens**2).sum()
    found = survey.warming.branch_square
    assert abs(found.value - truth) < 3 * found.uncertainty
    assert found.uncertainty < 10 * truth


def test_change_of_temperature_is_the_sensors():
    rate = surveyed().warming.kelvin_per_second
    assert surveyed(ambient=10.0).warming.kelvin_per_second.value == pytest.approx(10 * rate.value)
    assert rate.resolved


def test_a_day_of_one_temperature_tells_no_coefficient():
    survey = surveyed(ambient=0.0)
    assert survey.warming.kelvin_per_second.value == 0
    assert survey.warming.gain_per_kelvin.value == 0
    assert survey.warming.gain_per_kelvin.uncertainty == pytest.approx(CLASS_PER_KELVIN)


def test_what_a_survey_says_of_another_aperture_is_what_one_with_it_finds():
    longer = replace(SETTINGS, aperture_seconds=60e-3, delay_seconds=0.2e-3)
    board = switched_on(PRESET, SEED)
    calibration = calibration_of(draw_branches(PRESET, SEED).closed_siemens)
    found = survey_noise(board, calibration, longer)
    said = surveyed().read_with(longer.aperture_seconds, longer.delay_seconds)
    assert said.settings == longer
    for row in ROW_OF.values():
        one, other = getattr(said, row), getattr(found, row)
        apart = np.hypot(one.uncertainty, other.uncertainty)
        assert abs(one.value - other.value) <= 4 * apart + 1e-6 * STEP**2, row
    assert said.settling.left.value == pytest.approx(found.settling.left.value, rel=0.05)
    assert said.johnson_expected == pytest.approx(found.johnson_expected, rel=1e-3)
    same = surveyed()
    assert same.read_with(SETTINGS.aperture_seconds, SETTINGS.delay_seconds) == same


@pytest.mark.parametrize(("preset", "range_amperes"), [("8x4", 3e-4), ("64x16", 3e-3)])
def test_usual_settings_are_those_of_half_of_all_branches(preset, range_amperes):
    board = switched_on(load_preset(preset), SEED)
    calibration = calibration_of(draw_branches(load_preset(preset), SEED).closed_siemens)
    timing = {"aperture_seconds": 20e-3, "delay_seconds": 1e-3, "line_hertz": 50.0}
    settings = usual_settings(board, calibration, **timing)
    assert settings == Settings(range_amperes=range_amperes, **timing)


def test_in_fifteen_seconds_and_leaves_the_board_as_it_is_used():
    board = switched_on(load_preset("64x16"), SEED)
    calibration = characterize(board)
    began = board.clock.seconds
    survey = survey_noise(board, calibration, SETTINGS)
    assert board.clock.seconds - began < 15
    assert not board.pattern.any()
    assert not board.row_volts.any()
    assert board.range_amperes == SETTINGS.range_amperes
    assert board.aperture_seconds == SETTINGS.aperture_seconds
    assert board.delay_seconds == SETTINGS.delay_seconds
    # the branches are known relative to the converters, which are off by 0.1 %: no matter here
    for row, law in laws(load_preset("64x16")).items():
        found = getattr(survey, row)
        assert found.value == pytest.approx(law, abs=4 * found.uncertainty + 1e-9 * law), row


@pytest.mark.parametrize("steps", [0.0, 0.1, 0.3, 0.5, 1.0, 3.0])
def test_the_variance_of_rounding_is_taken_off_as_far_as_noise_spreads_over_steps(steps):
    """The part of it that depends on where the readings lie falls as exp(−2π²σ²/step²). Of a whole
    survey the sum alone shows, so that the function is asked itself.
    """
    rounding, own = STEP**2 / 12, 0.01 * STEP**2
    found = _without_rounding(MeasuredValue((steps * STEP) ** 2 + rounding, own), rounding)
    assert found.value == pytest.approx((steps * STEP) ** 2, rel=1e-9, abs=1e-9 * rounding)
    doubt = rounding * np.exp(-2 * np.pi**2 * steps**2)
    assert found.uncertainty == pytest.approx(np.hypot(own, doubt), rel=1e-9, abs=0)
    # Less than rounding: readings that hardly ever leave their code.
    less = _without_rounding(MeasuredValue(rounding / 3, own), rounding)
    assert less.value == 0
    assert less.uncertainty == pytest.approx(np.hypot(own, rounding / 3), rel=1e-9, abs=0)


def test_columns_that_overload_are_left_out():
    board = switched_on(PRESET, SEED)
    truth = draw_branches(PRESET, SEED).closed_siemens
    read = board.column_currents

    def two_dead(row_volts):
        amperes = read(row_volts)
        amperes[:, [3, 7]] = np.nan
        return amperes

    board.column_currents = two_dead
    survey = survey_noise(board, calibration_of(truth), SETTINGS)
    assert survey.columns == 14
    for row, law in laws(PRESET).items():
        found = getattr(survey, row)
        assert found.value == pytest.approx(law, abs=4 * found.uncertainty + 1e-9 * law), row
    board.column_currents = lambda row_volts: np.full((len(row_volts), 16), np.nan)
    with pytest.raises(OverloadError):
        survey_noise(board, calibration_of(truth), SETTINGS)


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (2, 1), (3, 5), (5, 3), (1, 1)])
def test_boards_of_any_shape(rows, columns):
    preset = changed(PRESET, shape={"rows": rows, "columns": columns, "branches": 3})
    board = switched_on(preset, SEED)
    calibration = calibration_of(draw_branches(preset, SEED).closed_siemens)
    survey = survey_noise(board, calibration, SETTINGS)
    for row, law in laws(preset).items():
        found = getattr(survey, row)
        assert abs(found.value - law) < 5 * found.uncertainty + 1e-9 * law, row


@pytest.mark.parametrize(("rows", "widest_amperes"), [(64, 1e-4), (64, 1e-5), (1, 1e-5), (3, 1e-5)])
def test_a_board_that_overloads_with_everything_closed_is_driven_with_less(rows, widest_amperes):
    """All rows at the measuring voltage would draw up to 26 mA from a column."""
    preset = changed(
        PRESET, shape={"rows": rows}, tia={"ranges_amperes": (1e-6, 3e-6, widest_amperes)}
    )
    board = switched_on(preset, SEED)
    calibration = calibration_of(draw_branches(preset.in_force(), SEED).closed_siemens)
    survey = survey_noise(board, calibration, replace(SETTINGS, range_amperes=widest_amperes))
    assert survey.columns == 16
    for row, law in laws(preset).items():
        found = getattr(survey, row)
        assert abs(found.value - law) < 5 * found.uncertainty + 1e-9 * law, row


def test_what_characterization_saw_drift_bounds_the_coefficient_where_the_survey_sees_no_change():
    still = PRESET.with_effects(ambient=0.0, sensor=0.0)
    board = switched_on(still, SEED)
    known = calibration_of(draw_branches(still.in_force(), SEED).closed_siemens)
    seen = replace(known, drift_ppm=50.0, kelvin_range=np.array([296.0, 296.5]))
    found = survey_noise(board, seen, SETTINGS).warming.gain_per_kelvin
    assert np.hypot(found.value, found.uncertainty) < 1.2 * 100e-6
    unseen = survey_noise(switched_on(still, SEED), known, SETTINGS).warming.gain_per_kelvin
    assert unseen.uncertainty > 300e-6
