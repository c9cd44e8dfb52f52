"""A matrix larger than the board: it is cut into tiles, which take turns on the board.

python examples/tiles.py
"""

import numpy as np

from ohmsum import open_bench

rng = np.random.default_rng(1)
weights, inputs = rng.uniform(-1, 1, (20, 10)), rng.uniform(-1, 1, (32, 20))

with open_bench("sim:8x4", seed=1) as bench:
    outputs_of_board = bench.board.columns // 2  # a signed output takes a pair of columns
    print(f"board: {bench.board.rows} rows x {outputs_of_board} outputs")
    print(f"matrix: {weights.shape[0]} rows x {weights.shape[1]} outputs")

    program = bench.program(weights)
    print(f"tiles: {len(program.tiles)}")
    for part in program.tiles:
        rows, outputs = part.tile.of_rows, part.tile.of_outputs
        print(
            f"  rows {rows.start + 1:2d} to {rows.stop:2d}, "
            f"outputs {outputs.start + 1:2d} to {outputs.stop:2d}"
        )

    # Each tile's pattern is set once for all vectors; partial sums are added in float64.
    began_seconds = bench.board.seconds()
    answered = inputs @ program
    took_seconds = bench.board.seconds() - began_seconds

exact = inputs @ weights
relative_error = np.linalg.norm(answered - exact) / np.linalg.norm(exact)
print(f"bits: {-np.log2(relative_error):.2f} over {len(inputs)} products in {took_seconds:.1f} s")
