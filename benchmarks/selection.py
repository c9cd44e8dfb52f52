"""Selection: cells per second, one core and all, against scalar C compiled here.

The C program is the textbook way, one cell after another: merge the subset sums of each half with
their masks packed below the sum, then sweep with two pointers. Run: python -m benchmarks.selection
"""

import ctypes
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np

from calibration.selection import prepare, select, select_in_window, select_prepared

SEED = 1
REPETITIONS = 9
ROUNDS = 30
CELLS = {12: 40_000, 16: 20_000, 20: 8_000, 24: 2_000}
WINDOWS = (11, 13, 16)  # half widths, in bits below full scale
MANY_CELLS = 1_000_000

FIRST_CALL = """
import time
start = time.perf_counter()
import numpy as np
from calibration.selection import select
select(np.full((100, 20), 1e-5), np.full(100, 1e-4))
print(time.perf_counter() - start)
"""

C_SOURCE = r"""
#include <stdint.h>
#include <stdlib.h>
#include <math.h>

static int64_t *sums(const int64_t *w, int n, int64_t *from, int64_t *to) {
    from[0] = 0;
    for (long size = 1; n--; size *= 2, w++) {
        long i = 0, j = 0, p = size - 1, q = size - 1;
        for (long k = 0; k < size; k++) {
            int64_t a = from[i], b = from[j] + *w, c = from[p], d = from[q] + *w;
            int lower = a <= b, upper = d >= c;
            to[k] = lower ? a : b;               i += lower; j += !lower;
            to[2 * size - 1 - k] = upper ? d : c; q -= upper; p -= !upper;
        }
        int64_t *swap = from; from = to; to = swap;
    }
    return from;
}

/* branch: cells x n, all positive; achieved: nearest sum of each cell */
void nearest(const double *branch, const double *target, double *achieved, long cells, int n) {
    int half = n / 2, mask_bits = n - half;
    long na = 1L << half, nb = 1L << mask_bits;
    int64_t *buffer = malloc(4 * nb * sizeof *buffer), w[64];
    for (long c = 0; c < cells; c++) {
        const double *g = branch + c * n;
        double total = 0;
        for (int k = 0; k < n; k++) total += g[k];
        double scale = ldexp(1.0, 61 - mask_bits) / total;
        for (int k = 0; k < n; k++)
            w[k] = ((int64_t)(g[k] * scale) << mask_bits) | (1L << (k < half ? k : k - half));
        int64_t *a = sums(w, half, buffer, buffer + nb);
        int64_t *b = sums(w + half, mask_bits, buffer + 2 * nb, buffer + 3 * nb);
        int64_t t = (int64_t)(target[c] * scale) << mask_bits, best = INT64_MAX;
        long i = 0, j = nb - 1, at_i = 0, at_j = 0;
        while (i < na && j >= 0) {
            int64_t difference = a[i] + b[j] - t, distance = llabs(difference);
            int better = distance < best, above = difference > 0;
            best = better ? distance : best;
            at_i = better ? i : at_i;
            at_j = better ? j : at_j;
            j -= above;
            i += !above;
        }
        double sum = 0;
        for (int k = 0; k < n; k++)
            if ((k < half ? a[at_i] >> k : b[at_j] >> (k - half)) & 1) sum += g[k];
        achieved[c] = sum;
    }
    free(buffer);
}
"""


def one_decade(n: int, cells: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Branches of 10 % tolerance, nominals over one decade, and targets in the middle."""
    ohms = 100e3 * 10 ** (np.arange(n) / n) * (1 + 0.1 * rng.uniform(-1, 1, (cells, n)))
    return 1 / ohms, rng.uniform(0.3, 0.7, cells) * (1 / ohms).sum(axis=1)


def pairs(n: int, cells: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Differential pairs of one-decade branches and the conductances wanted of them."""
    half, _ = one_decade(n // 2, 2 * cells, rng)
    branch = half.reshape(cells, n) * np.repeat([1.0, -1.0], n // 2)
    return branch, rng.uniform(-0.25, 0.25, cells) * np.abs(branch).sum(axis=1)


def compile_c(folder: Path) -> ctypes.CDLL | None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "nearest.c", folder / "nearest.so"
    source.write_text(C_SOURCE)
    command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", library, source, "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library))


def processor_seconds(run: Callable[[], object]) -> float:
    """Return processor time of this process: what else is running takes little from it."""
    start = time.process_time()
    run()
    return time.process_time() - start


def on_cores(cores: int, run: Callable[[], float]) -> float:
    before, numba.config.NUMBA_NUM_THREADS = numba.config.NUMBA_NUM_THREADS, cores
    took = run()
    numba.config.NUMBA_NUM_THREADS = before  # benchmarks that follow have all cores
    return took


def on_one_core(run: Callable[[], object]) -> float:
    return on_cores(1, lambda: processor_seconds(run))


def elapsed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def speedup(cores: int, run: Callable[[], object]) -> tuple[float, float]:
    """Return seconds on all cores, and on one over that: the best of many, as nothing else must run
    on any of the cores meanwhile.
    """
    rounds = [[on_cores(k, lambda: elapsed(run)) for k in (1, cores)] for _ in range(ROUNDS)]
    one_core, all_cores = (min(column) for column in zip(*rounds, strict=True))
    return all_cores, one_core / all_cores


def medians(runs: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Median seconds of each, taken in turn so that a busy machine is busy for all."""
    rounds = [{name: run() for name, run in runs.items()} for _ in range(REPETITIONS)]
    return {name: statistics.median(r[name] for r in rounds) for name in runs}


def nearest_row(n: int, cells: int, cores: int, reference: ctypes.CDLL | None) -> str:
    branch, target = one_decade(n, cells, np.random.default_rng(SEED))
    achieved = np.empty(cells)
    double = ctypes.POINTER(ctypes.c_double)

    def scalar_c() -> object:
        arrays = (array.ctypes.data_as(double) for array in (branch, target, achieved))
        return reference.nearest(*arrays, ctypes.c_long(cells), n) if reference else None

    select(branch[:8], target[:8])
    took = medians(
        {
            "c": lambda: processor_seconds(scalar_c),
            "one": lambda: on_one_core(lambda: select(branch, target)),
        }
    )
    row = f"{n:4} {cells / took['one']:12.0f} {took['one'] / cells * 1e6:9.2f}"
    all_cores, times = speedup(cores, lambda: select(branch, target))
    row += f" {cells / all_cores:12.0f} {times:7.2f}"
    if reference is None:
        return row + "   no C compiler"
    error = np.abs(select(branch, target).residual_siemens)
    if (error > np.abs(achieved - target) + 1e-14 * branch.sum(axis=1)).any():
        raise AssertionError("C found a nearer sum")
    return row + f" {took['c'] / cells * 1e6:9.2f} {took['one'] / took['c']:10.2f}"


def prepared_row(n: int, cells: int) -> str:
    branch, target = one_decade(n, cells, np.random.default_rng(SEED))
    prepared = prepare(branch)
    select_prepared(prepared, target)
    took = medians(
        {
            "fresh": lambda: on_one_core(lambda: select(branch, target)),
            "again": lambda: on_one_core(lambda: select_prepared(prepared, target)),
        }
    )
    memory = sum(array.nbytes for array in prepared.halves) / cells
    again = f"{took['again'] / cells * 1e6:9.2f} {took['fresh'] / took['again']:8.2f}"
    return f"{n:4} {again} {memory / 1024:11.1f}"


def window_row(n: int, cells: int, unrelated: bool) -> str:
    branch, target = pairs(n, cells, np.random.default_rng(SEED))
    second = np.abs(branch)
    full_scale = second.sum(axis=1)
    if unrelated:
        second *= np.random.default_rng(SEED).uniform(-1, 1, second.shape)
    arguments = (branch, target, second, second.sum(axis=1) / 2)
    runs: dict[str, Callable[[], float]] = {
        f"2^-{bits}": lambda bits=bits: on_one_core(
            lambda: select_in_window(*arguments, full_scale * 2.0**-bits)
        )
        for bits in WINDOWS
    }
    for run in runs.values():
        run()
    took = medians({"nearest": lambda: on_one_core(lambda: select(branch, target)), **runs})
    row = f"{n:4} {'unrelated' if unrelated else 'total':>10} {took['nearest'] / cells * 1e6:9.2f}"
    return row + "".join(f" {took[name] / took['nearest']:7.2f}" for name in runs)


def main() -> None:
    cores = numba.config.NUMBA_NUM_THREADS
    print(f"nearest sum, one-decade branches; {cores} cores; C: gcc -O3 -march=native, one core")
    print("   n  cells/s, 1  µs/cell 1 cells/s, all speedup C µs/cell  ratio to C")
    with tempfile.TemporaryDirectory() as folder:
        reference = compile_c(Path(folder))
        for n, cells in CELLS.items():
            print(nearest_row(n, cells, cores, reference))
    print("\nnew targets for prepared cells, one core")
    print("   n   µs/cell  speedup  KiB a cell")
    for n, cells in CELLS.items():
        print(prepared_row(n, cells))
    print(
        "\nsecond sum within a window, pairs of n/2 + n/2 branches, one core: times the nearest sum"
    )
    print("   n second sum nearest, µs" + "".join(f"   2^-{bits}" for bits in WINDOWS))
    for n, cells in CELLS.items():
        for unrelated in (False, True):
            print(window_row(n, cells, unrelated))
    branch, target = one_decade(20, MANY_CELLS, np.random.default_rng(SEED))
    took = on_cores(cores, lambda: elapsed(lambda: select(branch, target)))
    print(f"\n{MANY_CELLS} cells of 20 branches, {cores} cores: {took:.1f} s")
    first = subprocess.check_output([sys.executable, "-c", FIRST_CALL], text=True)
    print(f"first call in a fresh process, imports and cached kernels: {float(first):.2f} s")


if __name__ == "__main__":
    main()
