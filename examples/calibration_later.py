"""Measure a board once and use its calibration later; a program can be kept as well.

python examples/calibration_later.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ohmsum import Calibration, UsageError, open_bench

rng = np.random.default_rng(1)
weights, inputs = rng.uniform(-1, 1, (8, 4)), rng.uniform(-1, 1, (64, 8))
exact = inputs @ weights


def bits(products):
    """Return -log2 of the relative error of products (vectors, outputs)."""
    return -np.log2(np.linalg.norm(products - exact) / np.linalg.norm(exact))


with TemporaryDirectory() as folder:
    calibration_file = Path(folder, "calibration.npz")
    program_file = Path(folder, "program.npz")

    with open_bench("sim:8x4", seed=1) as bench:
        bench.calibrate().save(calibration_file)
        print(f"calibrated: {bench.board.seconds():.1f} s")

    # Another session. The same seed is the same simulated board, switched on again.
    calibration = Calibration.load(calibration_file)
    print(f"loaded: {calibration.board}")
    with open_bench("sim:8x4", seed=1) as bench:
        # A calibration holds for a day and a few kelvin: [calibration] of bench.toml says how much.
        print(f"expired: {bench.why_expired(calibration) or 'no'}")
        program = bench.program(weights, calibration)
        print(f"programmed: {bits(inputs @ program):.2f} bits")
        program.save(program_file)

    # And another: the pattern is set again, sentinels tell its gain, nothing is selected.
    with open_bench("sim:8x4", seed=1) as bench:
        program = bench.load_program(program_file)
        print(f"set again: {bits(inputs @ program):.2f} bits")

    # Another seed is another board, which other resistors are on: the calibration is refused.
    with open_bench("sim:8x4", seed=2) as bench:
        try:
            bench.program(weights, calibration)
        except UsageError as refusal:
            print(f"refused: {str(refusal).replace(folder, '...')}")
