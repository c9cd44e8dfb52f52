"""What the journal of a run costs: wall time, and bytes on the disk.

`python -m benchmarks.journal [PRESET …]`: calibrate, program and validate on a simulated bench,
with a journal and without, in turns in one process. The share is the time inside the journal's own
functions; the ratio of both runs scatters by several per cent.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from calibration.crossbar import Progress, no_progress
from instrument.files import random_inputs, random_matrix
from instrument.journal import Journal, exchanges
from instrument.opening import open_bench
from instrument.pipeline import run_pipeline
from instrument.run_files import JOURNAL_FILE
from instrument.runs import claim_folder

PRESETS = ("64x16", "100x100")
TURNS = 3
OF_THE_JOURNAL = (
    (exchanges, "pack"),
    (exchanges, "unpack"),
    (Journal, "add"),
    (Journal, "next"),
)


@dataclass
class Cost:
    """What a run with a journal took."""

    seconds: float = 0.0
    in_journal_seconds: float = 0.0
    exchanges: int = 0
    calibration_bytes: int = 0
    branches: int = 0


def main() -> None:
    """Print the cost for each preset."""
    _run("8x4", with_journal=False)  # loads the compiled kernels
    for preset in sys.argv[1:] or PRESETS:
        plain = [_run(preset, with_journal=False).seconds]
        costs = []
        for _ in range(TURNS):
            costs.append(_run(preset, with_journal=True))
            plain.append(_run(preset, with_journal=False).seconds)
        best = min(costs, key=lambda cost: cost.in_journal_seconds / cost.seconds)
        share = sorted(cost.in_journal_seconds / cost.seconds for cost in costs)[TURNS // 2]
        print(
            f"{preset}: {best.exchanges} exchanges; in the journal {best.in_journal_seconds:.3f} s"
            f" of {best.seconds:.2f} s (median share {share:.1%});"
            f" with / without {min(c.seconds for c in costs) / min(plain):.3f};"
            f" {best.calibration_bytes / best.branches:.1f} bytes a branch for the calibration"
        )


def _run(preset: str, *, with_journal: bool) -> Cost:
    cost = Cost()

    @contextmanager
    def step(name: str) -> Iterator[Progress]:
        yield no_progress
        if name == "calibrate" and with_journal:
            files = Path(folder).glob(f"{JOURNAL_FILE}*")
            cost.calibration_bytes = sum(file.stat().st_size for file in files)

    with tempfile.TemporaryDirectory() as folder, claim_folder(Path(folder), "x") as kept:
        path = kept.path / JOURNAL_FILE
        journal = Journal.begin(path) if with_journal else None
        with _timed(cost), open_bench(f"sim:{preset}", journal=journal) as bench:
            weights = random_matrix(bench.board.rows, bench.board.columns // 2, 1)
            began = time.perf_counter()
            run = run_pipeline(bench, weights, random_inputs(len(weights), 1), kept, step)
            cost.seconds = time.perf_counter() - began
            cost.branches = run.calibration.branches.status.size
        if journal is not None:
            cost.exchanges = journal.count
            journal.close()
    return cost


@contextmanager
def _timed(cost: Cost) -> Iterator[None]:
    """Add up the time inside the functions of the journal."""

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                cost.in_journal_seconds += time.perf_counter() - began

        return call

    with ExitStack() as patches:
        for owner, name in OF_THE_JOURNAL:
            patches.enter_context(mock.patch.object(owner, name, timed(getattr(owner, name))))
        yield


if __name__ == "__main__":
    main()
