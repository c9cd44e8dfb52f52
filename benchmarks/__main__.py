"""All benchmarks: `python -m benchmarks`."""

from benchmarks import calibration, first_run, network, selection, selection_peers, whole_run

for benchmark in (network, selection, selection_peers, calibration, whole_run, first_run):
    benchmark.main()
    print()
