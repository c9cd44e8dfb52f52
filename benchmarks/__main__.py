"""All benchmarks: `python -m benchmarks`."""

from benchmarks import calibration, network, selection

for benchmark in (network, selection, calibration):
    benchmark.main()
    print()
