"""A matrix is cut so that every weight is on exactly one tile, and no tile is a sliver."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.errors import MatrixError
from calibration.programming.tiles import MAX_TILES, NEGLIGIBLE_SHARE, Tile, cut, tiles_to_program

sides = st.integers(1, 40)


@given(sides, sides, sides, sides)
def test_every_weight_is_on_exactly_one_tile_that_fits(rows, outputs, most_rows, most_outputs):
    times = np.zeros((rows, outputs), dtype=int)
    tiles = cut(rows, outputs, most_rows, most_outputs)
    for tile in tiles:
        times[tile.block] += 1
        assert times[tile.block].shape == (tile.rows, tile.outputs)
        assert 1 <= tile.rows <= most_rows
        assert 1 <= tile.outputs <= most_outputs
    assert (times == 1).all()
    assert len(tiles) == math.ceil(rows / most_rows) * math.ceil(outputs / most_outputs)
    for lengths in ([tile.rows for tile in tiles], [tile.outputs for tile in tiles]):
        assert max(lengths) - min(lengths) <= 1


@given(st.data(), sides, sides, sides, sides)
def test_partial_sums_add_up_to_the_product(data, rows, outputs, most_rows, most_outputs):
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x, weights = random.integers(-9, 10, rows), random.integers(-9, 10, (rows, outputs))
    total = np.zeros(outputs, dtype=int)
    for tile in cut(rows, outputs, most_rows, most_outputs):
        total[tile.of_outputs] += x[tile.of_rows] @ weights[tile.block]
    assert (total == x @ weights).all()


def test_a_matrix_that_fits_is_one_tile():
    for rows, outputs in ((8, 4), (1, 1), (8, 1), (1, 4)):
        assert tiles_to_program(np.ones((rows, outputs)), 8, 4) == (Tile(0, rows, 0, outputs),)


def test_tiles_without_a_weight_that_counts_are_left_out():
    weights = np.zeros((16, 8))
    weights[3, 6] = -1.0
    weights[9, 1] = 2 * NEGLIGIBLE_SHARE
    weights[12, 6] = NEGLIGIBLE_SHARE / 2  # of the largest in its output
    assert tiles_to_program(weights, 8, 4) == (Tile(0, 8, 4, 4), Tile(8, 8, 0, 4))


def test_more_tiles_than_a_board_is_worth_are_refused():
    assert len(tiles_to_program(np.ones((8 * MAX_TILES, 4)), 8, 4)) == MAX_TILES
    with pytest.raises(MatrixError, match=r"513 rows × 4 outputs does not fit .* more than 64"):
        tiles_to_program(np.ones((8 * MAX_TILES + 1, 4)), 8, 4)
    sparse = np.eye(8 * MAX_TILES)
    assert len(tiles_to_program(sparse, 8, 8)) == MAX_TILES  # of 4096 that there would be


def test_a_tile_says_where_it_is():
    assert str(Tile(33, 32, 0, 16)) == "rows 34 to 65, outputs 1 to 16"
