"""A few crosspoints changed in one step give the matrix that solving anew gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kirchhoff import Wire, transfer_matrix, updated_transfer
from tests.support.networks import boards, wires

Array = NDArray[np.float64]
PRINTED = Wire(row_ohms=0.02, column_ohms=0.02, source_ohms=0.05, sense_ohms=0.05)
OHM = Wire(row_ohms=1, column_ohms=1, source_ohms=1, sense_ohms=1)

quick = settings(deadline=None, max_examples=100)
seeds = st.integers(0, 2**32)


def changed(G: Array, seed: int, count: int) -> Array:
    """G with `count` of its crosspoints toggled: to 0 S, or between 1e-9 and 0.1 S."""
    rng = np.random.default_rng(seed)
    after = G.copy()
    for place in rng.choice(G.size, min(count, G.size), replace=False):
        dies = after.flat[place] > 0 and rng.random() < 0.5
        after.flat[place] = 0.0 if dies else 10 ** rng.uniform(-9, -1)
    return after


def assert_agree(actual: Array, expected: Array, scale: float) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 1e-11 * scale


@quick
@given(boards(30), wires, seeds, st.integers(1, 4))
def test_an_update_equals_solving_anew(G: Array, wire: Wire, seed: int, count: int) -> None:
    after = changed(G, seed, count)
    before, expected = transfer_matrix(G, wire), transfer_matrix(after, wire)
    scale = max(before.max(), expected.max())
    assert_agree(updated_transfer(before, G, after, wire), expected, scale)


@quick
@given(boards(30), wires, seeds)
def test_toggled_back_and_forth_is_as_before(G: Array, wire: Wire, seed: int) -> None:
    after = changed(G, seed, 2)
    T = transfer_matrix(G, wire)
    there = updated_transfer(T, G, after, wire)
    back = updated_transfer(there, after, G, wire)
    assert_agree(back, T, max(T.max(), there.max()))


@quick
@given(boards(30), wires, seeds)
def test_changes_at_once_equal_changes_one_after_another(G: Array, wire: Wire, seed: int) -> None:
    after = changed(G, seed, 3)
    T = transfer_matrix(G, wire)
    at_once = updated_transfer(T, G, after, wire)
    board, scale = G, T.max()
    for place in zip(*np.nonzero(after != G), strict=True):
        step = board.copy()
        step[place] = after[place]
        T = updated_transfer(T, board, step, wire)
        board, scale = step, max(scale, T.max())
    assert_agree(at_once, T, scale)


@pytest.mark.parametrize("wire", [PRINTED, OHM], ids=["printed", "ohm"])
@pytest.mark.parametrize(("shape", "count"), [((8, 8), 1), ((64, 32), 5), ((30, 100), 3)])
def test_an_update_is_added_to_the_matrix_it_is_given(
    shape: tuple[int, int], count: int, wire: Wire
) -> None:
    """On a board as built nothing is solved anew: an error of the old matrix stays as it is."""
    rng = np.random.default_rng(4)
    G = rng.uniform(1e-6, 1e-4, shape)
    after = changed(G, 4, count)
    error = rng.normal(0, 1e-5, shape)
    mistaken = updated_transfer(transfer_matrix(G, wire) + error, G, after, wire)
    assert_agree(mistaken - error, transfer_matrix(after, wire), 1e-4)


@pytest.mark.parametrize("count", [40, 64])
def test_many_changes(count: int) -> None:
    G = np.random.default_rng(6).uniform(1e-6, 1e-4, (8, 8))
    after = changed(G, 6, count)
    assert_agree(
        updated_transfer(transfer_matrix(G, OHM), G, after, OHM), transfer_matrix(after, OHM), 1e-4
    )


def test_the_first_and_the_last_crosspoint_of_all() -> None:
    """A board comes alive with its first crosspoint, and dies with its last."""
    nothing, one = np.zeros((5, 7)), np.zeros((5, 7))
    one[1, 4] = 0.05
    wire = Wire(row_ohms=3, column_ohms=5, source_ohms=7, sense_ohms=11)
    expected = np.zeros((5, 7))
    expected[1, 4] = 1 / (1 / 0.05 + 7 + 4 * 3 + 3 * 5 + 11)
    alive = updated_transfer(nothing, nothing, one, wire)
    assert_agree(alive, expected, expected.max())
    assert_agree(updated_transfer(alive, one, nothing, wire), nothing, expected.max())


def test_a_good_conductor_behind_long_thin_wire_taken_away() -> None:
    """Where the wire leaves next to nothing to it, a plain step would divide by next to nothing."""
    wire = Wire(row_ohms=100, column_ohms=100, source_ohms=100, sense_ohms=100)
    G = np.full((30, 30), 1e-9)
    G[0, 29] = 0.1
    after = np.full((30, 30), 1e-9)
    expected = transfer_matrix(after, wire)
    T = updated_transfer(transfer_matrix(G, wire), G, after, wire)
    assert_agree(T, expected, transfer_matrix(G, wire).max())


def test_nothing_changed_gives_a_copy() -> None:
    G = np.random.default_rng(0).uniform(1e-6, 1e-4, (4, 3))
    T = transfer_matrix(G, OHM)
    same = updated_transfer(T, G, G, OHM)
    np.testing.assert_array_equal(same, T)
    assert not np.shares_memory(same, T)


def test_arguments_stay_as_they_are() -> None:
    G = np.random.default_rng(0).uniform(1e-6, 1e-4, (4, 3))
    T, after = transfer_matrix(G, OHM), changed(G, 0, 1)
    given_ = T.copy(), G.copy(), after.copy()
    updated_transfer(T, G, after, OHM)
    for argument, copy in zip((T, G, after), given_, strict=True):
        np.testing.assert_array_equal(argument, copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transfer_siemens", np.ones((3, 2))),
        ("transfer_siemens", np.full((2, 3), np.nan)),
        ("crosspoint_siemens", np.full((2, 3), -1.0)),
        ("changed_siemens", np.ones((3, 2))),
        ("changed_siemens", np.full((2, 3), -1.0)),
        ("changed_siemens", np.full((2, 3), np.inf)),
    ],
)
def test_arguments_refused(name: str, value: Array) -> None:
    arguments = dict.fromkeys(
        ("transfer_siemens", "crosspoint_siemens", "changed_siemens"), np.ones((2, 3))
    )
    with pytest.raises(ValueError, match=name):
        updated_transfer(**{**arguments, name: value}, wire=OHM)
