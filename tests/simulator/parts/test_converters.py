"""DAC, amplifier and ADC: steps, gains, offsets, and what happens at the end of the range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.parts.converters import draw_dacs, draw_readers
from tests.support.simulated_boards import changed, small

PRESET = small()
DAC, TIA, ADC = PRESET.dac, PRESET.tia, PRESET.adc
STEP_VOLTS = 2.0**-15
EXACT_TIA = TIA.model_copy(update={"gain": 0.0, "offset_volts": 0.0})
EXACT_ADC = ADC.model_copy(update={"gain": 0.0})
volts = st.floats(-1, 1, allow_subnormal=False)


@settings(deadline=None)
@given(st.lists(volts, min_size=1, max_size=8))
def test_dac_holds_the_nearest_code(settings_volts):
    asked = np.array(settings_volts)
    held = draw_dacs(DAC, len(asked), 1).held(asked)
    codes = held / STEP_VOLTS
    np.testing.assert_array_equal(codes, np.rint(codes))
    below_the_top = asked <= 1 - STEP_VOLTS
    assert (np.abs(held - asked)[below_the_top] <= STEP_VOLTS / 2).all()
    assert codes.max() <= 2**15 - 1
    assert codes.min() >= -(2**15)


@settings(deadline=None)
@given(volts)
def test_dac_holds_what_it_holds(asked):
    dacs = draw_dacs(DAC, 1, 1)
    held = dacs.held(np.array([asked]))
    np.testing.assert_array_equal(dacs.held(held), held)


def test_dac_has_no_code_for_its_positive_range():
    held = draw_dacs(DAC, 4, 1).held(np.array([1.0, -1.0, 1 - 0.4 * STEP_VOLTS, 0.0]))
    assert held.tolist() == [1 - STEP_VOLTS, -1.0, 1 - STEP_VOLTS, 0.0]


@pytest.mark.parametrize(("bits", "range_volts"), [(4, 1.0), (12, 2.5), (24, 10.0)])
def test_dac_step_follows_bits_and_range(bits, range_volts):
    dacs = draw_dacs(DAC.model_copy(update={"bits": bits, "range_volts": range_volts}), 1, 1)
    step = 2 * range_volts / 2**bits
    held = dacs.held(np.linspace(-3 * step, 3 * step, 601)[:, None])
    np.testing.assert_allclose(np.unique(held), step * np.arange(-3, 4), rtol=1e-12)
    ends = dacs.held(np.array([[-range_volts], [range_volts]])).ravel()
    np.testing.assert_allclose(ends, [-range_volts, range_volts - step], rtol=1e-12)


def test_dac_output_is_a_straight_line_through_its_errors():
    dacs = draw_dacs(DAC, 6, 3)
    held = np.array([[-0.5] * 6, [0.0] * 6, [0.5] * 6])
    low, zero, high = dacs.output(held)
    np.testing.assert_allclose(high - low, 1 + dacs.gain_error, rtol=1e-12)
    np.testing.assert_allclose(zero, dacs.offset_volts, rtol=1e-12)
    assert len(set(high - low)) == 6


@pytest.mark.parametrize(
    ("drawn", "limit"),
    [
        (draw_dacs(DAC, 4000, 1).gain_error, 1e-3),
        (draw_dacs(DAC, 4000, 1).offset_volts, 1e-3),
        (draw_readers(TIA, ADC, 4000, 1).tia_gain_error[4], 1e-3),
        (draw_readers(TIA, ADC, 4000, 1).tia_offset_volts, 5e-6),
        (draw_readers(TIA, ADC, 4000, 1).adc_gain_error, 5e-4),
    ],
)
def test_errors_are_uniform_within_their_limits(drawn, limit):
    assert np.abs(drawn).max() <= limit
    assert stats.kstest(drawn / limit, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_every_error_is_drawn_for_itself():
    readers, dacs = draw_readers(TIA, ADC, 2000, 1), draw_dacs(DAC, 2000, 1)
    drawn = np.vstack(
        [
            readers.tia_gain_error,
            readers.tia_offset_volts,
            readers.adc_gain_error,
            dacs.gain_error,
            dacs.offset_volts,
        ]
    )
    assert len(drawn) == len(TIA.ranges_amperes) + 4
    correlations = np.corrcoef(drawn) - np.eye(len(drawn))
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_errors_follow_the_seed():
    one, again, other = (draw_readers(TIA, ADC, 8, seed).tia_gain_error for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()


def test_adc_has_equal_steps_over_its_overrange():
    readers = draw_readers(EXACT_TIA, EXACT_ADC, 1, 1)
    for index, range_amperes in enumerate(TIA.ranges_amperes):
        step = 2 * 1.05 * range_amperes / 2**24
        ramp = np.linspace(-20 * step, 20 * step, 4001)[:, None]
        answers = readers.codes_to_amperes(ramp, index)
        np.testing.assert_allclose(np.diff(np.unique(answers)), step, rtol=1e-6)
        assert np.abs(answers - ramp).max() <= step / 2 * (1 + 1e-6)


@settings(deadline=None)
@given(st.floats(-2, 2), st.integers(0, 8))
def test_beyond_the_overrange_there_is_no_number(of_range, index):
    readers = draw_readers(EXACT_TIA, EXACT_ADC, 1, 1)
    range_amperes = TIA.ranges_amperes[index]
    (answer,) = readers.codes_to_amperes(np.array([of_range * range_amperes]), index)
    if abs(of_range) > 1.05:
        assert np.isnan(answer)
    elif abs(of_range) < 1.05 * (1 - 1e-9):
        assert answer == pytest.approx(of_range * range_amperes, abs=1e-6 * range_amperes)


def test_gain_is_that_of_the_range_and_of_the_column():
    readers = draw_readers(TIA, ADC, 5, 1)
    for index, range_amperes in enumerate(TIA.ranges_amperes):
        answers = readers.codes_to_amperes(np.full(5, 0.8 * range_amperes), index)
        gains = (1 + readers.tia_gain_error[index]) * (1 + readers.adc_gain_error)
        np.testing.assert_allclose(answers / (0.8 * range_amperes), gains, atol=2.0**-23)


def test_gain_counts_before_the_overrange_is_judged():
    readers = draw_readers(TIA, ADC, 200, 1)
    gains = (1 + readers.tia_gain_error[0]) * (1 + readers.adc_gain_error)
    answers = readers.codes_to_amperes(np.full(200, 1.05e-6), 0)
    np.testing.assert_array_equal(np.isnan(answers), gains > 1)
    assert np.isnan(answers).any()
    assert not np.isnan(answers).all()


def test_offset_drives_current_back_through_all_that_hangs_on_the_column():
    readers = draw_readers(TIA, ADC, 3, 1)
    conductances = np.array([1e-5, 1e-3, 0.0])
    expected = [
        -offset * g for offset, g in zip(readers.tia_offset_volts, conductances, strict=True)
    ]
    np.testing.assert_allclose(readers.offset_amperes(conductances), expected, rtol=1e-12)


BENT = changed(
    small(),
    dac={"gain": 0.0, "offset_volts": 0.0, "inl_steps": 2.0},
    tia={"gain": 0.0, "offset_volts": 0.0},
    adc={"gain": 0.0, "inl": 3e-6, "quantization": 0.0},
)
CHANNELS = 300


def dac_bends():
    """Deviation from the straight line in steps, (positions, channels)."""
    held = np.tile(np.linspace(-1, 1, 2001)[:, None], CHANNELS)
    return (draw_dacs(BENT.dac, CHANNELS, 1).output(held) - held) / STEP_VOLTS / 2.0


def adc_bends():
    """Deviation from the straight line in limits, (positions, channels)."""
    true = np.tile(1.05e-6 * np.linspace(-1, 1, 2001)[:, None], CHANNELS)
    seen = draw_readers(BENT.tia, BENT.adc, CHANNELS, 1).codes_to_amperes(true, 0)
    return (seen - true) / (3e-6 * 1.05e-6)


@pytest.mark.parametrize("bends", [dac_bends, adc_bends])
def test_nonlinearity_is_smooth_between_its_ends_and_reaches_its_limit(bends):
    curves = bends()
    np.testing.assert_allclose(curves[[0, -1]], 0, atol=1e-6)
    largest = np.abs(curves).max(axis=0)
    # The limit is set on a grid five times as coarse; in between a smooth curve goes no further.
    np.testing.assert_allclose(largest, 1.0, atol=1e-3)
    # Four half waves of at most the whole limit each turn by at most Σ kπ/2 over the range.
    assert np.abs(np.diff(curves, axis=0)).max() < 2 * 4 * np.pi / 2000
    # Neither sign nor place is common to the channels.
    assert abs(np.sign(curves[500]).sum()) < 5 * np.sqrt(CHANNELS)
    assert np.abs(curves.mean(axis=1)).max() < 5 / np.sqrt(CHANNELS)


def test_gains_drift_with_the_temperature():
    warm = changed(
        small(),
        dac={"gain_per_kelvin": 3e-6, "inl_steps": 0.0},
        tia={"gain_per_kelvin": 10e-6},
        adc={"gain_per_kelvin": 2e-6, "quantization": 0.0, "inl": 0.0},
    )
    dacs = draw_dacs(warm.dac, 3000, 1)
    held, true = np.full((2, 3000), 0.5), np.full((2, 3000), 0.5e-6)
    kelvin = np.array([0.0, 4.0])
    cold, hot = dacs.output(held, kelvin)
    assert_uniform((hot - cold) / 0.5 / 4, 3e-6)
    np.testing.assert_array_equal(cold, dacs.output(held[0]))
    readers = draw_readers(warm.tia, warm.adc, 3000, 1)
    cold, hot = readers.codes_to_amperes(true, 0, kelvin)
    drift = (hot / cold - 1) / 4
    assert_uniform(readers.tia_gain_per_kelvin, 10e-6)
    assert_uniform(readers.adc_gain_per_kelvin, 2e-6)
    np.testing.assert_allclose(
        drift, readers.tia_gain_per_kelvin + readers.adc_gain_per_kelvin, atol=4e-8
    )


def assert_uniform(drawn, limit):
    assert np.abs(drawn).max() <= limit * (1 + 1e-6)
    assert stats.kstest(drawn / limit, stats.uniform(-1, 2).cdf).pvalue > 1e-4


def test_rounding_errors_are_uniform_over_a_step():
    random = np.random.default_rng(1)
    asked = random.uniform(-0.99, 0.99, 5000)
    assert_uniform(draw_dacs(DAC, 5000, 1).held(asked) - asked, STEP_VOLTS / 2)
    true = random.uniform(-1e-6, 1e-6, 5000)
    seen = draw_readers(EXACT_TIA, EXACT_ADC, 5000, 1).codes_to_amperes(true, 0)
    assert_uniform(seen - true, 1.05e-6 / 2**24)
