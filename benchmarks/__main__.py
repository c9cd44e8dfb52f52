"""All benchmarks: `python -m benchmarks`."""

from benchmarks import (
    calibration,
    first_run,
    journal,
    network,
    selection,
    selection_peers,
    whole_run,
)

for benchmark in (
    network,
    selection,
    selection_peers,
    calibration,
    whole_run,
    journal,
    first_run,
):
    benchmark.main()
    print()
