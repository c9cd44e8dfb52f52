"""The wire network against scipy's sparse LU of the nodal equations, in the same run.

Run as `OPENBLAS_NUM_THREADS=1 python -m benchmarks.network`, so that both sides have one core (ours
never uses more). Both solve the same boards; the peer gets its best ordering, and its factorization
counts, since a board is solved anew for each pattern.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from kirchhoff import (
    Wire,
    column_currents,
    transfer_change,
    transfer_gradient,
    transfer_matrix,
    updated_transfer,
)

Array = NDArray[np.float64]
PRINTED = Wire(row_ohms=0.02, column_ohms=0.02, source_ohms=0.05, sense_ohms=0.05)
OHM = Wire(row_ohms=1, column_ohms=1, source_ohms=1, sense_ohms=1)


def nodal_currents(G: Array, V: Array, wire: Wire) -> Array:
    """Column currents (vectors, columns) by sparse LU; no wire may have zero ohms."""
    row_node = np.arange(G.size).reshape(G.shape)
    column_node = row_node + G.size
    left = np.full(G.shape, 1 / wire.row_ohms)
    left[:, 0] = 1 / wire.source_ohms
    below = np.full(G.shape, 1 / wire.column_ohms)
    below[-1] = 1 / wire.sense_ohms
    diagonal = np.concatenate([(G + left).ravel(), (G + below).ravel()])
    diagonal[row_node[:, :-1].ravel()] += left[:, 1:].ravel()
    diagonal[column_node[1:].ravel()] += below[:-1].ravel()
    a = np.concatenate([x.ravel() for x in (row_node[:, :-1], column_node[:-1], row_node)])
    b = np.concatenate([x.ravel() for x in (row_node[:, 1:], column_node[1:], column_node)])
    between = -np.concatenate([left[:, 1:].ravel(), below[:-1].ravel(), G.ravel()])
    upper = sparse.coo_matrix((between, (a, b)), shape=(2 * G.size, 2 * G.size))
    matrix = (upper + upper.T + sparse.diags(diagonal)).tocsc()
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    injected = np.zeros((2 * G.size, len(V)))
    injected[row_node[:, 0]] = V.T / wire.source_ohms
    voltages: Array = factors.solve(injected)
    return voltages[column_node[-1]].T / wire.sense_ohms


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median time of `repeats` runs after one that compiles and warms up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    """Print one line for each task: both times, their ratio, the largest difference."""
    rng = np.random.default_rng(3)
    print(f"{'task':42} {'ours/ms':>9} {'splu/ms':>9} {'ratio':>7} {'difference':>11}")
    cases: list[tuple[str, tuple[int, int], Wire, int, bool]] = [
        ("one vector", (128, 128), OHM, 1, False),
        ("one vector", (128, 128), PRINTED, 1, False),
        ("transfer matrix", (128, 128), OHM, 128, True),
        ("2 probes", (64, 32), PRINTED, 2, False),
        ("2 probes", (100, 200), PRINTED, 2, False),
        ("batch of 300", (64, 32), PRINTED, 300, False),
        ("batch of 300", (100, 200), PRINTED, 300, False),
        ("transfer matrix", (64, 32), PRINTED, 64, True),
        ("transfer matrix", (100, 200), PRINTED, 100, True),
    ]
    for task, (rows, columns), wire, vectors, whole in cases:
        G = rng.uniform(1e-6, 1e-4, (rows, columns))
        if "probes" in task:  # one crosspoint of each column conducts, the others leak
            conducting = rng.integers(0, rows, columns)
            G = np.where(np.arange(rows)[:, None] == conducting, G, 1e-9)
        V = np.eye(rows) if whole else rng.uniform(-0.2, 0.2, (vectors, rows))

        def ours(G: Array = G, V: Array = V, wire: Wire = wire, whole: bool = whole) -> Array:
            return transfer_matrix(G, wire) if whole else column_currents(G, V, wire)

        def peer(G: Array = G, V: Array = V, wire: Wire = wire) -> Array:
            return nodal_currents(G, V, wire)

        difference = np.abs(ours() - peer()).max() / np.abs(peer()).max()
        seconds, peer_seconds = median_seconds(ours, 15), median_seconds(peer, 3)
        label = f"{task}, {rows}x{columns}, {wire.row_ohms:g} ohm segments"
        print(
            f"{label:42} {seconds * 1e3:9.3f} {peer_seconds * 1e3:9.2f} "
            f"{peer_seconds / seconds:7.0f} {difference:11.0e}"
        )
    changes(rng)


def changes(rng: np.random.Generator) -> None:
    """Print what a change costs, next to the transfer matrix solved anew."""
    print(f"{'change':42} {'ours/ms':>9} {'anew/ms':>9} {'ratio':>7}")
    for (rows, columns), wire in (((128, 128), OHM), ((100, 200), PRINTED)):
        G = rng.uniform(1e-6, 1e-4, (rows, columns))
        toggled = G.copy()
        toggled[rows // 2, columns // 2] = 0.0
        T, change = transfer_matrix(G, wire), rng.normal(0, 1e-6, G.shape)
        works: dict[str, Callable[[], object]] = {
            "one crosspoint": partial(updated_transfer, T, G, toggled, wire),
            "forward map": partial(transfer_change, G, change, wire),
            "adjoint map": partial(transfer_gradient, G, change, wire),
        }
        anew = median_seconds(partial(transfer_matrix, toggled, wire), 15)
        for task, work in works.items():
            seconds = median_seconds(work, 9)
            label = f"{task}, {rows}x{columns}, {wire.row_ohms:g} ohm segments"
            print(f"{label:42} {seconds * 1e3:9.3f} {anew * 1e3:9.2f} {anew / seconds:7.2f}")


if __name__ == "__main__":
    main()
