"""The gains of the ranges are the true ones, to the uncertainty that is stated."""

import numpy as np
import pytest

from calibration.branches.characterization import characterize
from calibration.converters.corrected import CorrectedCrossbar
from calibration.converters.measure import measure_converters
from calibration.converters.range_gains import CLASS_RATIO, RangeGains, measure_ranges
from simulator.preset import load_preset
from tests.support.branch_calibrations import calibration_of
from tests.support.converter_truth import range_factors
from tests.support.simulated_boards import NO_NOISE, changed, small, switched_on

QUIET = small(NO_NOISE)
FEW_STEPS = 3 * 2.1 / 2**32 / 0.25
"""Three of the quiet board's ADC, over a reading of a quarter of the range."""
LIKE_BRANCHES = load_preset("8x4").with_effects(excess_noise=0)
"""The simulated excess noise of a column changes its sign with the current (docs/simulator.md): a
kink at zero, which is no gain, and which resistors that fluctuate each for itself do not have.
"""


def true_branches(board):
    """A calibration that knows the branches, read in the range of 30 µA."""
    branches = board.faults.branches
    closing = branches.closed_siemens - branches.open_siemens
    return calibration_of(closing, open_siemens=branches.open_siemens.sum(axis=2))


def measured(preset, seed):
    board = switched_on(preset, seed)
    converters = measure_converters(board)
    straight = CorrectedCrossbar(board, converters)
    return board, measure_ranges(straight, converters.columns, true_branches(board))


def relative_errors(board, gains):
    return gains.factors / range_factors(board, 3e-5) - 1


def compared(gains: RangeGains):
    """Which ranges were compared with the reference."""
    return (gains.uncertainty > 0).all(axis=1) & (gains.uncertainty < 0.1 * CLASS_RATIO).all(axis=1)


def test_without_noise_the_gains_are_the_true_ones():
    board, gains = measured(QUIET, 3)
    errors = relative_errors(board, gains)
    assert np.abs(range_factors(board, 3e-5) - 1).max() > 1e-4
    assert np.abs(errors[compared(gains)]).max() < FEW_STEPS
    assert np.flatnonzero(compared(gains)).tolist() == [4, 5, 6]  # up to what eight rows can draw
    assert (gains.factors[3] == 1).all()
    assert not gains.uncertainty[3].any()


def test_ranges_that_nothing_reaches_keep_the_uncertainty_of_their_class():
    _, gains = measured(QUIET, 3)
    for index in (0, 1, 2, 7, 8):
        assert (gains.uncertainty[index] >= CLASS_RATIO).all()
    assert (gains.factors[:3] == 1).all()
    np.testing.assert_array_equal(gains.factors[8], gains.factors[6])


def test_errors_are_what_is_stated_with_all_that_moves():
    z = []
    for seed in range(8):
        board, gains = measured(LIKE_BRANCHES, seed)
        z.append((relative_errors(board, gains) / np.maximum(gains.uncertainty, 1e-12))[4:7])
    assert 0.75 < np.sqrt(np.mean(np.square(z))) < 1.25
    assert np.abs(z).max() < 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_95_percent_intervals_cover_95_percent_of_200_boards():
    inside = []
    for seed in range(1000, 1200):
        board, gains = measured(LIKE_BRANCHES, seed)
        inside.append(np.abs(relative_errors(board, gains)[4:7]) < 1.96 * gains.uncertainty[4:7])
    assert 0.93 <= np.mean(inside) <= 0.97


def test_a_curve_that_is_left_in_shows_as_a_wrong_gain():
    """What the ADCs' curves are for: a tenth of the range reads otherwise than the whole."""
    bent = changed(QUIET, adc={"inl": 30e-6})
    board = switched_on(bent, 3)
    converters = measure_converters(board)
    straight = CorrectedCrossbar(board, converters)
    plain = measure_ranges(board, converters.columns, true_branches(board))
    gains = measure_ranges(straight, converters.columns, true_branches(board))
    assert np.abs(relative_errors(board, plain)[6]).max() > 3e-5
    assert np.abs(relative_errors(board, gains)[6]).max() < 1e-7


def test_a_column_without_branches_keeps_its_class_and_stops_nobody():
    board = switched_on(QUIET, 3)
    converters = measure_converters(board)
    known = true_branches(board)
    usable = np.ones(known.status.shape, dtype=bool)
    usable[:, 2] = False
    usable[1:, 5] = False  # 41 µA: enough for two steps
    some = calibration_of(known.branch_siemens, usable, known.open_siemens)
    gains = measure_ranges(CorrectedCrossbar(board, converters), converters.columns, some)
    assert (gains.uncertainty[4:, 2] >= CLASS_RATIO).all()
    assert (gains.uncertainty[4:6, 5] < 1e-6).all()
    assert (gains.uncertainty[6:, 5] >= CLASS_RATIO).all()
    others = np.delete(relative_errors(board, gains), [2, 5], axis=1)
    assert np.abs(others[4:7]).max() < FEW_STEPS


def test_without_any_branch_nothing_is_compared():
    board = switched_on(QUIET, 3)
    none = calibration_of(np.zeros((8, 8, 10)), np.zeros((8, 8, 10), dtype=bool))
    gains = measure_ranges(board, measure_converters(board).columns, none)
    assert gains.readings == 0
    assert (gains.factors == 1).all()


def test_reading_and_range_are_left_as_characterization_needs_them():
    board = switched_on(load_preset("8x4"), 5)
    converters = measure_converters(board)
    straight = CorrectedCrossbar(board, converters)
    branches = characterize(straight)
    heard = []
    gains = measure_ranges(
        straight,
        converters.columns,
        branches,
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert not board.pattern.any()
    assert (gains.of_range(branches.range_amperes) == 1).all()
