"""Where the time of a whole run goes, step by step, and its peak memory.

`python -m benchmarks.whole_run [PRESET …]`; one simulated bench after another in this process, over
TCP. The simulated board's share is the time that its thread computed.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calibration.crossbar import Progress, no_progress
from instrument.files import random_inputs, random_matrix
from instrument.opening import open_bench
from instrument.pipeline import run_pipeline
from instrument.runs import claim_folder

PRESETS = ("8x4", "64x16", "100x100")


def main() -> None:
    """Print a table of steps for each preset."""
    _time_run("8x4", show=False)  # loads the compiled kernels
    for preset in sys.argv[1:] or PRESETS:
        _time_run(preset, show=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process {peak:.0f} MB")


def _time_run(preset: str, *, show: bool) -> None:
    steps: list[tuple[str, float, float]] = []

    @contextmanager
    def step(name: str) -> Iterator[Progress]:
        began, simulated = time.perf_counter(), _simulator_seconds()
        yield no_progress
        steps.append((name, time.perf_counter() - began, _simulator_seconds() - simulated))

    with open_bench(f"sim:{preset}") as bench, tempfile.TemporaryDirectory() as folder:
        weights = random_matrix(bench.board.rows, bench.board.columns // 2, 1)
        began, simulated = time.perf_counter(), _simulator_seconds()
        with claim_folder(Path(folder), "benchmark") as kept:
            run = run_pipeline(bench, weights, random_inputs(len(weights), 1), kept, step)
        whole = time.perf_counter() - began, _simulator_seconds() - simulated
    if show:
        branches = run.calibration.branches.status.size
        print(f"{preset}: {branches:,} branches, {run.validation.bits:.2f} bits")
        rest = whole[0] - sum(s[1] for s in steps), whole[1] - sum(s[2] for s in steps)
        for name, seconds, board in [*steps, ("keep, look back", *rest), ("all", *whole)]:
            print(f"  {name:<16} {seconds:6.2f} s, of which the simulated board {board:6.2f} s")


def _simulator_seconds() -> float:
    """Return the processor time of the simulated bench's thread."""
    for thread in threading.enumerate():
        if thread.name == "simulated bench" and thread.ident is not None:
            return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return 0.0


if __name__ == "__main__":
    main()
