"""What the first `ohmsum demo` after installation costs beside the second one.

`python -m benchmarks.first_run`: both in processes of their own, with a kernel cache that is empty
at first. Processor time holds that of the process which compiles beside the first run. On a machine
that is busy with something else, compare the ratios.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
START = [sys.executable, "-c", "from instrument.cli import main; main()", "demo", "--json"]


def main() -> None:
    """Print the seconds of both runs and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [_run(folder) for _ in range(2)]
    for name, (wall, processor) in zip(("first", "second"), runs, strict=True):
        print(f"{name:<7} {wall:6.1f} s, {processor:6.1f} s of processor time")
    walls, processors = zip(*runs, strict=True)
    print(f"ratio   {walls[0] / walls[1]:6.2f}    {processors[0] / processors[1]:6.2f}")


def _run(folder: str) -> tuple[float, float]:
    environment = os.environ | {"NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(ROOT)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(START, cwd=folder, env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
