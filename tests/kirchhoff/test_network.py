"""The laws the network obeys, and its agreement with an independent solution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kirchhoff import Wire, column_currents, transfer_matrix
from tests.support.networks import boards, drives, modified_nodal, wires

Array = NDArray[np.float64]
PRINTED = Wire(row_ohms=0.02, column_ohms=0.02, source_ohms=0.05, sense_ohms=0.05)
NONE = Wire(row_ohms=0, column_ohms=0, source_ohms=0, sense_ohms=0)
THIN = Wire(row_ohms=100, column_ohms=100, source_ohms=100, sense_ohms=100)

quick = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)


def assert_agree(actual: Array, expected: Array, scale: float) -> None:
    """Equal to 1e-11 of `scale`, the largest current or conductance there is."""
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 1e-11 * scale


@quick
@given(boards(8), wires, seeds)
def test_vectors_and_matrix_agree_with_modified_nodal_analysis(
    G: Array, wire: Wire, seed: int
) -> None:
    V = drives(seed, 3, len(G))
    T = modified_nodal(G, np.eye(len(G)), wire)[1]
    scale = np.abs(T).max()
    assert_agree(transfer_matrix(G, wire), T, scale)
    for v in V:
        assert_agree(column_currents(G, v[None], wire), v[None] @ T, scale)


@quick
@given(boards(8), wires, seeds)
def test_what_flows_into_the_rows_flows_out_of_the_columns(G: Array, wire: Wire, seed: int) -> None:
    V = drives(seed, 2, len(G))
    into_rows = modified_nodal(G, V, wire)[0]
    out = column_currents(G, V, wire)
    scale = np.abs(into_rows).sum()
    np.testing.assert_allclose(out.sum(1), into_rows.sum(1), rtol=0, atol=1e-11 * scale)


@quick
@given(boards(40), wires, seeds)
def test_superposition(G: Array, wire: Wire, seed: int) -> None:
    """The current of a sum of drives is the sum of their currents, and each is V T."""
    V = drives(seed, 3, len(G))
    T = transfer_matrix(G, wire)
    currents = column_currents(G, V, wire)
    scale = np.abs(T).sum(0).max()
    assert_agree(currents, V @ T, scale)
    summed = column_currents(G, V.sum(0)[None] * 0.5, wire)
    assert_agree(summed, currents.sum(0)[None] * 0.5, scale)


@quick
@given(boards(40), wires)
def test_matrix_is_the_currents_of_unit_vectors(G: Array, wire: Wire) -> None:
    T = transfer_matrix(G, wire)
    each = np.vstack([column_currents(G, v[None], wire) for v in np.eye(len(G))])
    assert_agree(each, T, np.abs(T).max())


@quick
@given(boards(40), wires)
def test_reciprocity(G: Array, wire: Wire) -> None:
    """Driving the columns' sense ends and reading the rows' source ends gives the same matrix.

    Seen from there the board is mirrored on its antidiagonal: rows and columns change places, and
    so do sources and senses.
    """
    swapped = Wire(wire.column_ohms, wire.row_ohms, wire.sense_ohms, wire.source_ohms)
    T = transfer_matrix(G, wire)
    assert_agree(transfer_matrix(G[::-1, ::-1].T, swapped), T[::-1, ::-1].T, T.max())


@quick
@given(boards(40), wires)
def test_wire_only_ever_takes_current_away(G: Array, wire: Wire) -> None:
    """A resistor network is passive: 0 <= T, and the rows deliver no more than without wire."""
    T = transfer_matrix(G, wire)
    assert T.min() >= -1e-15 * T.max()
    assert np.all(T.sum(1) <= G.sum(1) * (1 + 1e-12))


@quick
@given(boards(40), seeds, st.sampled_from((1, 200)))
def test_without_wire_the_matrix_is_the_conductances(G: Array, seed: int, vectors: int) -> None:
    V = drives(seed, vectors, len(G))
    np.testing.assert_array_equal(transfer_matrix(G, NONE), G)
    scale = np.abs(G).sum(0).max()
    np.testing.assert_allclose(column_currents(G, V, NONE), V @ G, rtol=0, atol=1e-15 * scale)


@pytest.mark.parametrize("wire", [NONE, PRINTED, THIN], ids=["none", "printed", "thin"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (70, 1), (8, 4), (65, 33), (33, 65)])
def test_dead_rows_and_columns_carry_nothing_and_change_nothing(
    shape: tuple[int, int], wire: Wire
) -> None:
    rng = np.random.default_rng(5)
    alive = rng.uniform(1e-6, 1e-1, shape)
    G = np.zeros((shape[0] + 1, shape[1] + 1))
    G[1:, :-1] = alive  # the dead row is farthest from the ground, the dead column from the drive
    T = transfer_matrix(G, wire)
    assert np.all(T[0] == 0)
    assert np.all(T[:, -1] == 0)
    assert_agree(T[1:, :-1], transfer_matrix(alive, wire), T.max())
    V = drives(5, 1, shape[0] + 1)
    currents = column_currents(G, V, wire)
    assert currents[0, -1] == 0
    assert_agree(currents, V @ T, T.sum(0).max())


def test_nothing_conducts() -> None:
    assert np.all(transfer_matrix(np.zeros((3, 2)), PRINTED) == 0)
    assert np.all(column_currents(np.zeros((3, 2)), np.ones((200, 3)), PRINTED) == 0)
    assert np.all(column_currents(np.ones((3, 2)), np.zeros((1, 3)), PRINTED) == 0)


@pytest.mark.parametrize("shape", [(1, 12), (12, 1), (9, 9), (6, 13)])
@pytest.mark.parametrize("siemens", [1e-12, 1e-3, 0.1])
def test_extreme_magnitudes(shape: tuple[int, int], siemens: float) -> None:
    G = np.full(shape, siemens)
    V = np.full((1, shape[0]), 1e-3)
    expected = modified_nodal(G, V, THIN)[1]
    assert_agree(column_currents(G, V, THIN), expected, expected.max())
    assert_agree(V @ transfer_matrix(G, THIN), expected, expected.max())


def test_one_crosspoint_is_four_resistors_in_series() -> None:
    wire = Wire(row_ohms=7, column_ohms=7, source_ohms=1, sense_ohms=2)
    expected = np.array([[1 / (1 + 4 + 2)]])
    np.testing.assert_allclose(transfer_matrix([[0.25]], wire), expected, rtol=1e-15)
    np.testing.assert_allclose(column_currents([[0.25]], [[3]], wire), 3 * expected, rtol=1e-13)


@pytest.mark.parametrize(("rows", "columns"), [(64, 32), (100, 200), (130, 70)])
@pytest.mark.parametrize("wire", [PRINTED, THIN], ids=["printed", "thin"])
def test_a_batch_is_its_vectors_one_by_one(rows: int, columns: int, wire: Wire) -> None:
    """Many vectors take another way through the network than one."""
    rng = np.random.default_rng(11)
    G = rng.uniform(1e-6, 1e-4, (rows, columns))
    V = drives(11, 200, rows)
    batch = column_currents(G, V, wire)
    few = column_currents(G, V[:3], wire)
    assert_agree(few, batch[:3], np.abs(batch).max())


def test_a_large_board_of_good_conductors_on_thin_wire() -> None:
    """Hard for an iteration: the matrix must take over, and obey reciprocity."""
    rng = np.random.default_rng(2)
    G = rng.uniform(1e-2, 1e-1, (120, 90))
    T = transfer_matrix(G, THIN)
    mirrored = transfer_matrix(G[::-1, ::-1].T, THIN)
    assert_agree(mirrored, T[::-1, ::-1].T, T.max())
    V = drives(2, 1, 120)
    currents = column_currents(G, V, THIN)
    assert_agree(currents, V @ T, np.abs(currents).max())


@pytest.mark.parametrize("rows", [60, 300])
def test_iteration_that_can_only_round(rows: int) -> None:
    """Equal conductances on ideal lines: one step is exact, and nothing but rounding is left."""
    G = np.full((rows, rows), 0.1)
    wire = Wire(row_ohms=0, column_ohms=0, source_ohms=100, sense_ohms=100)
    V = drives(7, 5, rows)
    # Every line is one node and all columns are alike: u = v - 100 load (u - w), w = 100 c.
    load = 0.1 * rows
    expected = 0.1 * V.sum(1) / (1 + 2 * 100 * load)
    for v, current in zip(V, expected, strict=True):
        currents = column_currents(G, v[None], wire)
        assert_agree(currents, np.full((1, rows), current), np.abs(expected).max())


def test_same_input_same_bytes() -> None:
    G = np.random.default_rng(0).uniform(1e-6, 1e-4, (40, 50))
    V = drives(0, 100, 40)
    assert column_currents(G, V, PRINTED).tobytes() == column_currents(G, V, PRINTED).tobytes()


def test_memory_order_and_integers_do_not_matter() -> None:
    G = np.random.default_rng(0).uniform(1e-6, 1e-4, (7, 9))
    fortran = np.asfortranarray(G)
    np.testing.assert_array_equal(transfer_matrix(fortran, PRINTED), transfer_matrix(G, PRINTED))
    V = np.arange(7)[None]
    np.testing.assert_array_equal(
        column_currents(fortran, V, PRINTED), column_currents(G, V.astype(float), PRINTED)
    )


def test_no_vectors() -> None:
    assert column_currents(np.ones((3, 2)), np.empty((0, 3)), PRINTED).shape == (0, 2)
