"""The electronics: true currents through the wires, seen through converters that err."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kirchhoff
from simulator.electronics import NO_BRANCH
from simulator.parts.converters import draw_dacs, draw_readers
from simulator.parts.resistors import draw_branches
from tests.support.simulated_boards import NO_GAIN, NO_NOISE, changed, small, switched_on

SEED = 11
SHAPE = 6, 5, 3
NOISELESS = small(NO_NOISE, shape={"rows": 6, "columns": 5, "branches": 3})
LONG_WIRES = changed(
    NOISELESS, wire={"row_ohms": 30.0, "column_ohms": 20.0, "source_ohms": 50.0, "sense_ohms": 9.0}
)
RANGE_AMPERES = 3e-4
STEP_AMPERES = 2 * 1.05 * RANGE_AMPERES / 2**32


def expected_amperes(preset, pattern, volts):
    """What a noiseless board answers in the range 3E-4, from the drawn parts and the laws alone."""
    drawn = draw_branches(preset, SEED)
    crosspoints = np.where(pattern, drawn.closed_siemens, drawn.open_siemens).sum(axis=2)
    dacs = draw_dacs(preset.dac, SHAPE[0], SEED)
    readers = draw_readers(preset.tia, preset.adc, SHAPE[1], SEED)
    codes = np.clip(np.rint(np.asarray(volts) * 2**15), -(2**15), 2**15 - 1)
    driven = codes / 2**15 * (1 + dacs.gain_error) + dacs.offset_volts
    true = kirchhoff.column_currents(
        crosspoints, driven, kirchhoff.Wire(**preset.wire.model_dump())
    )
    true -= readers.tia_offset_volts * crosspoints.sum(axis=0)
    index = preset.tia.ranges_amperes.index(RANGE_AMPERES)
    return true * (1 + readers.tia_gain_error[index]) * (1 + readers.adc_gain_error)


def ready(preset, seed=SEED):
    board = switched_on(preset, seed)
    board.configure(range_amperes=RANGE_AMPERES)
    return board


def assert_read(answers, expected):
    """To half a step of the ADC, and the error of solving the network twice."""
    np.testing.assert_allclose(answers, expected, rtol=1e-11, atol=0.51 * STEP_AMPERES)


@pytest.mark.parametrize("preset", [NOISELESS, LONG_WIRES])
@pytest.mark.parametrize("vectors", [1, 2, 3, 4, 30])
def test_currents_are_kirchhoffs_seen_through_the_converters(preset, vectors):
    random = np.random.default_rng(vectors)
    board = ready(preset)
    for _ in range(3):
        pattern = random.random(SHAPE) < 0.5
        volts = random.uniform(-1, 1, (vectors, SHAPE[0]))
        board.apply(pattern)
        assert_read(board.column_currents(volts), expected_amperes(preset, pattern, volts))


def test_wires_and_errors_matter_to_what_was_just_tested():
    pattern, volts = np.ones(SHAPE, dtype=bool), np.full((1, 6), 0.5)
    with_all = expected_amperes(LONG_WIRES, pattern, volts)
    for other in (NOISELESS, changed(LONG_WIRES, NO_GAIN)):
        assert (
            np.abs(expected_amperes(other, pattern, volts) - with_all) > 1e4 * STEP_AMPERES
        ).all()


def test_a_reading_is_of_the_rows_as_they_are_set():
    random = np.random.default_rng(5)
    board = ready(LONG_WIRES)
    pattern, volts = random.random(SHAPE) < 0.5, random.uniform(-1, 1, 6)
    board.set_row_volts(volts)
    board.apply(pattern)
    answers = board.read(3)
    assert_read(answers, np.tile(expected_amperes(LONG_WIRES, pattern, volts[None]), (3, 1)))


def test_batches_and_single_vectors_agree():
    random = np.random.default_rng(6)
    pattern, volts = random.random(SHAPE) < 0.5, random.uniform(-1, 1, (25, 6))
    board = ready(LONG_WIRES)
    board.apply(pattern)
    one_by_one = np.concatenate([board.column_currents(vector[None]) for vector in volts])
    at_once = board.column_currents(volts)
    after = np.concatenate([board.column_currents(vector[None]) for vector in volts])
    np.testing.assert_allclose(at_once, one_by_one, rtol=1e-11, atol=1.01 * STEP_AMPERES)
    np.testing.assert_allclose(after, one_by_one, rtol=1e-11, atol=1.01 * STEP_AMPERES)


@pytest.mark.parametrize(
    ("change", "pattern_after"),
    [
        (lambda board: board.open_all(), np.zeros_like),
        (lambda board: board.apply(~board.pattern), lambda pattern: ~pattern),
        (lambda board: board.probe(2, 1), lambda pattern: pattern & False | probed(2, 1)),
        (lambda board: board.probe(2, NO_BRANCH), np.zeros_like),
    ],
)
def test_what_a_batch_has_learnt_of_the_wires_does_not_outlive_the_pattern(change, pattern_after):
    random = np.random.default_rng(7)
    pattern, volts = random.random(SHAPE) < 0.5, random.uniform(-1, 1, (25, 6))
    board = ready(LONG_WIRES)
    board.apply(pattern)
    board.column_currents(volts)
    change(board)
    np.testing.assert_array_equal(board.pattern, pattern_after(pattern))
    expected = expected_amperes(LONG_WIRES, pattern_after(pattern), volts)
    assert_read(board.column_currents(volts[:1]), expected[:1])
    assert_read(board.column_currents(volts), expected)


def probed(row, branch):
    pattern = np.zeros(SHAPE, dtype=bool)
    pattern[row, :, branch] = True
    return pattern


points = st.lists(
    st.tuples(
        st.integers(0, SHAPE[0] - 1),
        st.integers(NO_BRANCH, SHAPE[2] - 1),
        st.sampled_from([0.5, -0.5, 0.9]),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(points, st.integers(1, 3))
def test_a_scan_is_one_probe_after_another(listed, count):
    """Noise included: the draws come in the same order."""
    noisy = changed(LONG_WIRES, environment={"kelvin": 300.0}, adc={"noise_free_bits": 18.0})
    scanned, probed_by_hand = ready(noisy), ready(noisy)
    rows, branches, volts = (np.array(values) for values in zip(*listed, strict=True))
    scanned.set_row_volts(np.full(SHAPE[0], 0.5))
    scanned.apply(np.ones(SHAPE, dtype=bool))
    answers = scanned.scan(rows, branches, volts, count)
    for point, (row, branch, level) in enumerate(listed):
        probed_by_hand.probe(row, branch)
        row_volts = np.zeros(SHAPE[0])
        row_volts[row] = level
        probed_by_hand.set_row_volts(row_volts)
        np.testing.assert_allclose(
            answers[point], probed_by_hand.read(count), rtol=1e-11, atol=1.01 * STEP_AMPERES
        )
    assert scanned.clock.seconds == pytest.approx(probed_by_hand.clock.seconds)
    assert not scanned.pattern.any()
    assert not scanned.row_volts.any()


def test_with_outputs_off_the_rows_are_at_zero_volts():
    random = np.random.default_rng(8)
    pattern, volts = random.random(SHAPE) < 0.5, random.uniform(-1, 1, 6)
    board = ready(changed(NOISELESS, tia={"offset_volts": 0.0}))
    board.apply(pattern)
    board.set_row_volts(volts)
    assert (np.abs(board.read()) > 1e3 * STEP_AMPERES).all()
    board.switch_outputs(False)
    assert (board.read() == 0).all()  # not even the offsets of the DACs reach the rows
    np.testing.assert_allclose(board.row_volts, volts, atol=2.0**-16)
    board.switch_outputs(True)
    assert (np.abs(board.read()) > 1e3 * STEP_AMPERES).all()


def test_with_outputs_off_the_amplifiers_offsets_remain():
    board = ready(NOISELESS)
    pattern = np.ones(SHAPE, dtype=bool)
    board.switch_outputs(False)
    board.configure(range_amperes=1e-6)
    board.apply(pattern)
    readers = draw_readers(NOISELESS.tia, NOISELESS.adc, SHAPE[1], SEED)
    siemens = draw_branches(NOISELESS, SEED).closed_siemens.sum(axis=(0, 2))
    expected = -readers.tia_offset_volts * siemens
    np.testing.assert_allclose(board.read()[0], expected, rtol=2e-3, atol=1e-15)


def test_rows_are_at_zero_volts_after_a_batch():
    board = ready(NOISELESS)
    board.set_row_volts(np.full(6, 0.5))
    board.column_currents(np.full((2, 6), 0.5))
    assert (board.row_volts == 0).all()


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [(0.0, 1e-6), (1e-6, 1e-6), (1.0000001e-6, 3e-6), (2e-5, 3e-5), (1e-2, 1e-2)],
)
def test_the_smallest_range_that_is_not_below_the_wanted_one(wanted, chosen):
    board = ready(NOISELESS)
    board.configure(range_amperes=wanted)
    assert board.range_amperes == chosen


def test_beyond_the_range_there_is_no_number():
    board = ready(changed(NOISELESS, NO_GAIN))
    board.probe(0, 0)
    siemens = draw_branches(NOISELESS, SEED).closed_siemens[0, :, 0]  # about 10 µS
    for range_amperes in (1e-6, 3e-6):
        board.configure(range_amperes=range_amperes)
        for factor in (0.999, 1.001):
            for column, edge in enumerate(1.05 * range_amperes / siemens):
                row_volts = np.zeros((1, 6))
                row_volts[0, 0] = edge * factor
                for vector in (row_volts, -row_volts):
                    answer = board.column_currents(vector)[0, column]
                    assert np.isnan(answer) == (factor > 1)


def test_power_on_state():
    board = ready(NOISELESS)
    board.configure(aperture_seconds=1.0, delay_seconds=1.0)
    board.probe(1, 1)
    board.set_row_volts(np.full(6, 0.3))
    board.reset()
    assert not board.outputs_on
    assert not board.pattern.any()
    assert (board.row_volts == 0).all()
    assert (board.range_amperes, board.aperture_seconds, board.delay_seconds) == (1e-2, 0.02, 1e-3)


def test_same_seed_same_commands_same_numbers():
    def session(seed):
        board = ready(small(), seed)
        scanned = board.scan(np.arange(6), np.arange(6), np.full(6, 0.9), 2)
        board.probe(3, 3)
        return [scanned, board.column_currents(np.full((9, 8), 0.5)), board.read(4)]

    for one, again, other in zip(session(1), session(1), session(2), strict=True):
        assert one.tobytes() == again.tobytes()
        assert (one != other).any()
