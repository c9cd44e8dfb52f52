"""All benchmarks: `python -m benchmarks`."""

from benchmarks import calibration, network, selection, whole_run

for benchmark in (network, selection, calibration, whole_run):
    benchmark.main()
    print()
