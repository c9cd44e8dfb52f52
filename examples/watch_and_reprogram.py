"""A programmed matrix through a day: its resistors drift, sentinels follow, and it is reprogrammed.

python examples/watch_and_reprogram.py
"""

import numpy as np

from ohmsum import open_bench

HOURS = (0, 1, 2, 4, 8)
rng = np.random.default_rng(1)
weights, inputs = rng.uniform(-1, 1, (8, 4)), rng.uniform(-1, 1, (64, 8))
exact = inputs @ weights


def bits(products):
    """Return -log2 of the relative error of products (vectors, outputs)."""
    return -np.log2(np.linalg.norm(products - exact) / np.linalg.norm(exact))


def wait_until(board, seconds):
    """Let the board's clock reach `seconds`: it reads at 0 V, 10 s a reading. A simulated board
    has done so at once; a real one takes the time.
    """
    aperture_seconds = board.aperture_seconds
    board.configure(aperture_seconds=10.0)
    readings = int((seconds - board.seconds()) / 10)
    board.column_currents(np.zeros((max(0, readings), board.rows)))
    board.configure(aperture_seconds=aperture_seconds)


with open_bench("sim:8x4", seed=1) as bench:
    program = bench.program(weights)
    start_seconds = bench.board.seconds()
    print("hours  as programmed  watched  gain")
    for hours in HOURS:
        wait_until(bench.board, start_seconds + 3600 * hours)
        # Sentinels are eight readings that show the gain of the whole board by now. Products of
        # `watched` are freed from it; `program` still multiplies as it did when programmed.
        watched = program.watched()
        as_programmed_bits, watched_bits = bits(inputs @ program), bits(inputs @ watched)
        gain = watched.watches[0].gain
        print(f"{hours:5d}  {as_programmed_bits:13.2f}  {watched_bits:7.2f}  {gain:.6f}")

    # One gain cannot mend what each branch does by itself: the pairs that have moved are selected
    # anew, against the transfer matrix of now. No branch is measured again.
    began_seconds = bench.board.seconds()
    program = program.reprogrammed()
    took_seconds = bench.board.seconds() - began_seconds
    print(f"reprogrammed: {bits(inputs @ program):.2f} bits, after {took_seconds:.1f} s")
