"""How fast a board is measured: branches a second and bytes a branch, against one branch at a time.

`python -m benchmarks.calibration`; one run, the default board, over TCP. The peer is the plain way:
close one switch, read its column with both polarities, open it again, on one row of the same board.
"""

from __future__ import annotations

import time

import numpy as np

from calibration.branches import characterize
from calibration.crossbar import measuring_volts
from drivers import CrossbarBoard
from instrument.opening import open_bench
from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.preset import load_preset

PRESET = "64x16"


def main() -> None:
    """Print the table."""
    preset = load_preset(PRESET)
    alone = SimulatedCrossbar(preset, 1, Clock())
    alone.switch_outputs(True)
    characterize(alone)  # compiled kernels are loaded before anything is timed
    began = time.perf_counter()
    characterize(alone)
    simulation_seconds = time.perf_counter() - began

    with open_bench(f"sim:{PRESET}") as bench:
        calibration = bench.calibrate()
        branches = calibration.branches.status.size
        plain_seconds, plain_bytes = _one_at_a_time(bench.board)
    seconds = calibration.wall_seconds / branches
    moved = calibration.bytes_moved / branches

    print(f"{PRESET}, {branches:,} branches, {calibration.branches.readings:,} readings, TCP")
    print(f"  rows in parallel   {1 / seconds:10,.0f} branches/s {moved:8.1f} bytes/branch")
    plain_rate, rate = 1 / plain_seconds, 1 / seconds
    print(f"  one at a time      {plain_rate:10,.0f} branches/s {plain_bytes:8.1f} bytes/branch")
    print(
        f"  ratio              {rate / plain_rate:10.1f} times    {plain_bytes / moved:8.1f} times"
    )
    share = simulation_seconds / calibration.wall_seconds
    print(f"  of the time, {share:.0%} is the simulated board itself")
    print(f"  on the bench's clock {calibration.bench_seconds:.1f} s")


def _one_at_a_time(board: CrossbarBoard) -> tuple[float, float]:
    """Return seconds and bytes for each branch of the first row's first columns."""
    volts = np.zeros((2, board.rows))
    volts[:, 0] = measuring_volts(board.row_volts_limit) * np.array([1, -1])
    columns = 4
    began, moved = time.perf_counter(), board.bytes_moved
    for column in range(columns):
        for branch in range(board.branches):
            pattern = np.zeros((board.rows, board.columns, board.branches), dtype=bool)
            pattern[0, column, branch] = True
            board.apply(pattern)
            board.column_currents(volts)
    count = columns * board.branches
    return (time.perf_counter() - began) / count, (board.bytes_moved - moved) / count


if __name__ == "__main__":
    main()
