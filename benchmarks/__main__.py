"""All benchmarks: `python -m benchmarks`."""

from benchmarks import calibration, network, selection, selection_peers, whole_run

for benchmark in (network, selection, selection_peers, calibration, whole_run):
    benchmark.main()
    print()
