"""A matrix of your own, from a file to products: measure the board, program it, multiply.

python examples/own_matrix.py                   a cosine transform on a simulated board
python examples/own_matrix.py W.npy bench.toml  your matrix (rows, outputs) on your board
"""

import sys

import numpy as np

from ohmsum import open_bench

bench_name = sys.argv[2] if len(sys.argv) > 2 else "sim:8x4"
if len(sys.argv) > 1:
    weights = np.load(sys.argv[1])
else:
    # Type II of the cosine transform: four frequencies (outputs) of eight samples (rows).
    sample, frequency = np.arange(8)[:, None], np.arange(4)
    weights = np.cos(np.pi * (sample + 0.5) * frequency / 8)

rows, outputs = weights.shape
print(f"matrix: {rows} rows x {outputs} outputs")
inputs = np.random.default_rng(1).uniform(-1, 1, (64, rows))

with open_bench(bench_name) as bench:
    calibration = bench.calibrate()  # every converter and every branch, with its uncertainty
    counts = calibration.branches.status_counts()
    print(f"branches: {sum(counts.values())}, of which {counts['ok']} work")

    program = bench.program(weights, calibration)  # select switches, measure, correct
    print(f"residual: {program.residual_rms:.1e} of the largest weight")

    answered = inputs @ program  # one reading of each output for each vector
    board_seconds = bench.board.seconds()
# Here the outputs are off and every switch is open, whatever ended the block.

exact = inputs @ weights
relative_error = np.linalg.norm(answered - exact) / np.linalg.norm(exact)
print(f"first product: {np.round(answered[0], 5)}")
print(f"exact:         {np.round(exact[0], 5)}")
print(f"bits: {-np.log2(relative_error):.2f} over {len(inputs)} one-shot products")
print(f"board clock: {board_seconds:.0f} s")
